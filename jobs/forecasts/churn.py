"""Who will stay away: trained on several earlier days, tried on the last horizon before it is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_curve  # type: ignore[import-untyped]  # it ships no types

from cdp_lib.models.charts import Bars, Chart, Curves
from cdp_lib.models.churn.churn import BandLimits, ChurnModel
from cdp_lib.models.churn.evaluation import calibration_table, decile_table, evaluate_scores
from cdp_lib.models.churn.fitting import BANDS
from cdp_lib.models.churn.origins import Origin, stack_origins
from cdp_lib.models.churn.scorer import ChurnScorer, fit_rhythm, LEAST_CUSTOMERS, LEAST_REPEATERS, with_rhythm
from cdp_lib.models.contest import judge, Losses, Verdict
from cdp_lib.models.cuts import all_churn_cuts, Cut
from cdp_lib.models.training import StoredModel, Training
from cdp_lib.settings.forecast import Churn
from cdp_lib.workflow.context import JobContext
from jobs.forecasts.champions import days_seen_after, Fit, Lesson
from jobs.forecasts.example import example_features
from jobs.forecasts.history import History, input_versions, Labelled, READS_WITH_PRODUCTS
from jobs.forecasts.published import model_body

Floats = NDArray[np.float64]

CHURN = "churn"
"""What the registry calls the model, after the pack's name."""
_NAIVE = "the churn rate of customers who were away as long"


@dataclass(frozen=True)
class _Trial:
    """How a model fitted as of an earlier day did on the days after it."""

    verdict: Verdict
    predicted: Floats
    """By what is registered: where the model lost to the naive figure, by that."""
    churned: Floats


def churn_fit(history: History, settings: Churn) -> Fit:
    """What a champion must fit today."""
    is_labelled = bool(_cuts(history, history.as_of, settings))
    return Fit(settings.training_hash(), history.customer_count, settings.horizon_days, is_labelled)


def band_limits(settings: Churn) -> BandLimits:
    """The pack's bands as the model takes them."""
    return BandLimits(settings.bands.high, settings.bands.medium)


def unheard(history: History, settings: Churn) -> str:
    """Why nothing tells yet who stays away; empty where something does.

    Without anybody whose horizon has passed, and without a rhythm of purchases, every customer would get the same
    invented probability.
    """
    if _cuts(history, history.as_of, settings) or fit_rhythm(history.sample(settings.most_trained_on)) is not None:
        return ""
    needed = settings.horizon_days + settings.sanity.least_history_days
    return (
        f"{history.length_days} days of purchases, {needed} needed to see whom {settings.horizon_days} days bring back "
        f"(churn.horizon_days + sanity.least_history_days); or {LEAST_CUSTOMERS} customers, {LEAST_REPEATERS} of whom "
        "bought twice"
    )


def learn_churn(ctx: JobContext, history: History, settings: Churn, champion: StoredModel | None) -> Lesson:
    """A model of all history, and how one of the history up to a horizon ago did on the days since."""
    cuts = _cuts(history, history.as_of, settings)
    present = history.sample(settings.most_trained_on)
    scorer = _fit(_known(history, cuts, settings), present, settings, history.as_of)
    trial = _try(history, settings, champion, is_naive=scorer.churn.form == BANDS)
    if trial is not None and trial.verdict.loses_to_naive:
        scorer = scorer.as_plain(f"the trained model was {trial.verdict.reason}")
    scored = scorer.score(present)["churn_probability"].to_numpy(np.float64)
    model = scorer.churn
    training = Training(
        body=model_body(scorer.to_dict(), churn_fit(history, settings), scored, history.as_of),
        scorer=scorer.score,
        example=example_features(),
        parameters={
            **settings.model_dump(mode="json", exclude={"kind", "sanity", "bands"}),
            "form": model.form,
            "reason": model.reason[:500],
            "as_of": history.as_of.isoformat(),
            "trained_as_of": ",".join(cut.day.isoformat() for cut in cuts),
        },
        metrics={"customer_count": float(history.customer_count), **(_metrics(trial) if trial else {})},
        inputs=input_versions(ctx, READS_WITH_PRODUCTS),
        documents={"settings.json": settings.model_dump(mode="json")},
        charts={} if trial is None else _charts(trial),
    )
    return Lesson(training, None if trial is None else trial.verdict, f"{model.form}, {model.reason}")


def _fit(known: Sequence[Labelled], present: pd.DataFrame, settings: Churn, scored_at: date) -> ChurnScorer:
    """Trained on what came true after each earlier cut; the rhythm that scores is the present customers'."""
    limits = band_limits(settings)
    rhythms = [fit_rhythm(one.features) for one in known]
    rhythm = fit_rhythm(present)
    with_all = rhythm is not None and all(one is not None for one in rhythms)
    frames = [
        one.features if own is None or not with_all else with_rhythm(one.features, own, one.cut.horizon_days)
        for one, own in zip(known, rhythms, strict=True)
    ]
    origins = [
        Origin(one.cut.day, frame, one.labels, one.cut.horizon_days) for one, frame in zip(known, frames, strict=True)
    ]
    if origins:
        frame, labels = stack_origins(origins, horizon_days=settings.horizon_days, scored_at=scored_at)
    else:
        some = present.iloc[:0]
        frame = some if rhythm is None else with_rhythm(some, rhythm, settings.horizon_days)
        labels = pd.DataFrame({"golden_id": some["golden_id"], "has_purchase": pd.Series(dtype=np.float64)})
    model = ChurnModel.fit(frame, labels, horizon_days=settings.horizon_days, limits=limits)
    if model.form == BANDS and rhythm is not None:
        model = model.by_rhythm()  # those of the earlier cuts had none, and are too few to say more
    return ChurnScorer(model, rhythm if model.closed_form else None)


def _cuts(history: History, known_until: date, settings: Churn) -> tuple[Cut, ...]:
    if history.first_day is None:
        return ()
    first, horizon, least = history.first_day, settings.horizon_days, settings.sanity.least_history_days
    return all_churn_cuts(first, known_until, horizon, most=settings.most_cuts, least_days=least)


def _known(history: History, cuts: Sequence[Cut], settings: Churn) -> list[Labelled]:
    """All cuts together have at most as many rows as the settings say."""
    most = max(settings.most_trained_on // max(len(cuts), 1), 1)
    return [history.labelled(most, cut) for cut in cuts]


def _try(history: History, settings: Churn, champion: StoredModel | None, *, is_naive: bool) -> _Trial | None:
    """Fitted as of a horizon ago, on cuts whose horizon had passed by then; None without such a cut."""
    cut = Cut(history.as_of - timedelta(days=settings.horizon_days), settings.horizon_days)
    earlier = _cuts(history, cut.day, settings)
    if not earlier:
        return None
    test = history.labelled(settings.most_trained_on, cut)
    scorer = _fit(_known(history, earlier, settings), test.features, settings, cut.day)
    churned = 1.0 - test.labels["has_purchase"].to_numpy(np.float64)
    predicted = _probability(scorer, test.features)
    naive = scorer.churn.bands.probability(test.features["recency_days"].to_numpy(np.float64))
    former = None if champion is None else _probability(ChurnScorer.from_dict(champion.body["model"]), test.features)
    losses = Losses(
        challenger=(predicted - churned) ** 2,
        naive=(naive - churned) ** 2,
        champion=None if former is None else (former - churned) ** 2,
        champion_saw=0 if champion is None else days_seen_after(champion.body, cut.day),
    )
    verdict = judge(losses, naive_name=_NAIVE, is_naive=is_naive)
    return _Trial(verdict, naive if verdict.loses_to_naive else predicted, churned)


def _probability(scorer: ChurnScorer, features: pd.DataFrame) -> Floats:
    return scorer.score(features)["churn_probability"].to_numpy(np.float64)


def _metrics(trial: _Trial) -> dict[str, float]:
    has_both = 0 < trial.churned.sum() < trial.churned.size
    figures = (evaluate_scores(trial.churned, trial.predicted) if has_both else {}) | trial.verdict.figures
    return {name: figure for name, figure in figures.items() if np.isfinite(figure)}


def _charts(trial: _Trial) -> dict[str, Chart]:
    if not 0 < trial.churned.sum() < trial.churned.size:
        return {}
    calibration = calibration_table(trial.churned, trial.predicted)
    deciles = decile_table(trial.churned, trial.predicted)
    lifts = {f"decile {decile}": [float(lift)] for decile, lift in zip(deciles["decile"], deciles["lift"], strict=True)}
    false, true, _ = roc_curve(trial.churned, trial.predicted)
    across = np.linspace(0, 1, 101)
    up = np.interp(across, false, true)
    return {
        "roc.png": Curves(
            "ROC", "false positive rate", "true positive rate", {"model": (across.tolist(), up.tolist())}, diagonal=True
        ),
        "calibration.png": Curves(
            "Foretold and observed churn",
            "mean probability",
            "share that churned",
            {"model": (calibration["mean_predicted"].tolist(), calibration["observed_rate"].tolist())},
            diagonal=True,
        ),
        "lift_by_decile.png": Bars(
            "Churn by decile of score, times the average", "lift", {"deciles": lifts}, ("lift",)
        ),
    }
