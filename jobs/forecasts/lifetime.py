"""What customers will spend: trained on what earlier customers did, tried on the last horizon before it is used."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdp_lib.errors import ModelError
from cdp_lib.models.charts import Bars, Curves
from cdp_lib.models.contest import judge, Losses, Verdict
from cdp_lib.models.cuts import Cut, spend_cuts
from cdp_lib.models.lifetime.evaluation import decile_table, spend_scores
from cdp_lib.models.lifetime.lifetime_fit import Example, fit_lifetime
from cdp_lib.models.lifetime.lifetime_value import LAST_PERIOD, LifetimeModel, LifetimeSettings, REPEAT_RATE
from cdp_lib.models.training import StoredModel, Training
from cdp_lib.settings.forecast import LifetimeValue
from cdp_lib.workflow.context import JobContext
from jobs.forecasts.champions import days_seen_after, Fit, Lesson
from jobs.forecasts.example import example_features
from jobs.forecasts.history import History, input_versions, Labelled
from jobs.forecasts.published import model_body

Floats = NDArray[np.float64]

CLTV = "cltv"
"""What the registry calls the model, after the pack's name."""
_NAIVE, _SIMPLEST = "as in the last period", "the rate of repeat purchases"


@dataclass(frozen=True)
class _Said:
    """A forecast of the trial's customers: spend, and how far off its purchases were."""

    spend: Floats
    purchases_mae: float


@dataclass(frozen=True)
class _Trial:
    """How a model fitted as of an earlier day did on the days after it."""

    verdict: Verdict
    actual: Floats
    registered: _Said
    """By what is registered: where the model lost to the naive forecast, by that."""
    rejected: _Said | None
    """By the model that lost to it."""


def learn_lifetime(ctx: JobContext, history: History, settings: LifetimeValue, champion: StoredModel | None) -> Lesson:
    """A model of all history, and how one of the history up to a horizon ago did on the days since."""
    present = history.sample(settings.most_trained_on)
    model = fit_lifetime(present, _examples(history, history.as_of, settings), settings_of(settings))
    trial = _try(history, settings, champion, is_simplest=model.form == REPEAT_RATE)
    if trial is not None and trial.verdict.loses_to_naive:
        model = replace(without_model(model, LAST_PERIOD), reason=f"the trained model was {trial.verdict.reason}")
    model = with_purchases_of_all(model, history)
    scored = model.score(present)["cltv_amount"].to_numpy(np.float64)
    training = Training(
        body=model_body(model.to_dict(), cltv_fit(history, settings), scored, history.as_of),
        scorer=model.score,
        example=example_features(),
        parameters={
            **settings.model_dump(mode="json", exclude={"kind", "sanity"}),
            "form": model.form,
            "reason": model.reason[:500],
            "as_of": history.as_of.isoformat(),
        },
        metrics={"customer_count": float(history.customer_count), **(_metrics(trial) if trial else {})},
        inputs=input_versions(ctx),
        documents={"purchases.json": {"closed_form": model.to_dict()["closed"], "settings": settings.model_dump()}},
        charts={} if trial is None else _charts(trial),
    )
    return Lesson(training, None if trial is None else trial.verdict, f"{model.form}, {model.reason}")


def cltv_fit(history: History, settings: LifetimeValue) -> Fit:
    """What a champion must fit today."""
    return Fit(settings.training_hash(), history.customer_count, settings.horizon_days)


def settings_of(settings: LifetimeValue) -> LifetimeSettings:
    """The pack's settings as the model takes them."""
    return LifetimeSettings(
        horizon_days=settings.horizon_days,
        discount_rate=settings.yearly_discount,
        confidence=settings.interval,
        least_history_days=settings.sanity.least_history_days,
        most_examples=settings.most_trained_on,
    )


def without_model(model: LifetimeModel, form: str) -> LifetimeModel:
    """The same customers' forecast in one of the forms without a model: LAST_PERIOD or REPEAT_RATE."""
    return replace(model, form=form, closed=None, boosted=None, boosted_weight=0.0, last_weight=0.0, interval=None)


def with_purchases_of_all(model: LifetimeModel, history: History) -> LifetimeModel:
    """Its purchases fitted to the histories of all customers; where they cannot be, the sample's fit stays."""
    if model.closed is None:
        return model
    try:
        return replace(model, closed=model.closed.with_purchases_of(history.collapsed()))
    except ModelError as problem:
        return replace(model, reason=f"{model.reason}; purchases are a sample's: {problem}")


def _examples(history: History, known_until: date, settings: LifetimeValue) -> list[Example]:
    if history.first_day is None:
        return []
    least = settings.sanity.least_history_days
    cuts = spend_cuts(history.first_day, known_until, settings.horizon_days, least)
    known = [history.labelled(settings.most_trained_on, cut) for cut in cuts]
    return [Example(one.features, one.labels, one.cut.horizon_days) for one in known]


def _try(
    history: History, settings: LifetimeValue, champion: StoredModel | None, *, is_simplest: bool
) -> _Trial | None:
    """Fitted as of a horizon ago (half the history ago where that is later); compared on spend, not discounted.

    The rival is what each customer spent in the horizon before; of what is registered in the simplest form for want of
    customers, that form itself.
    """
    horizon = min(settings.horizon_days, history.length_days // 2)
    cut = Cut(history.as_of - timedelta(days=horizon), horizon)
    if history.length_days - horizon < settings.sanity.least_history_days:
        return None
    test = history.labelled(settings.most_trained_on, cut)
    plain = replace(settings_of(settings), horizon_days=horizon, discount_rate=0.0)
    model = fit_lifetime(test.features, _examples(history, cut.day, settings), plain)
    actual = test.labels["future_amount"].to_numpy(np.float64)
    said = _said(model, test)
    naive = _said(without_model(model, REPEAT_RATE if is_simplest else LAST_PERIOD), test)
    former = None if champion is None else _spend_by(champion.body, test.features, horizon)
    losses = Losses(
        challenger=np.abs(said.spend - actual),
        naive=np.abs(naive.spend - actual),
        champion=None if former is None else np.abs(former - actual),
        champion_saw=0 if champion is None else days_seen_after(champion.body, cut.day),
    )
    verdict = judge(losses, naive_name=_SIMPLEST if is_simplest else _NAIVE, is_naive=is_simplest)
    registered = naive if is_simplest or verdict.loses_to_naive else said
    return _Trial(verdict, actual, registered, said if verdict.loses_to_naive else None)


def _said(model: LifetimeModel, test: Labelled) -> _Said:
    scores = model.score(test.features)
    off = scores["predicted_purchase_count"].to_numpy() - test.labels["future_purchase_count"].to_numpy()
    return _Said(scores["cltv_amount"].to_numpy(np.float64), float(np.abs(off).mean()))


def _spend_by(body: Mapping[str, Any], features: pd.DataFrame, horizon_days: int) -> Floats:
    model = LifetimeModel.from_dict(body["model"])
    plain = replace(model, settings=replace(model.settings, discount_rate=0.0, horizon_days=horizon_days))
    return plain.score(features)["cltv_amount"].to_numpy(np.float64)


def _metrics(trial: _Trial) -> dict[str, float]:
    rejected = {} if trial.rejected is None else _figures(trial.rejected, trial.actual)
    figures = {
        **_figures(trial.registered, trial.actual),
        **{f"rejected.{name}": figure for name, figure in rejected.items()},
        **trial.verdict.figures,
    }
    return {name: figure for name, figure in figures.items() if np.isfinite(figure)}


def _figures(said: _Said, actual: Floats) -> dict[str, float]:
    scores = spend_scores(said.spend, actual)
    return {
        "spend_mae": scores.mae,
        "spend_gini": scores.gini,
        "spend_top10": scores.top_decile_share,
        "spend_aggregate_error": scores.aggregate_error,
        "transactions_mae": said.purchases_mae,
    }


def _charts(trial: _Trial) -> dict[str, Bars | Curves]:
    predicted, actual = trial.registered.spend, trial.actual
    table = decile_table(predicted, actual)
    both = table[["predicted_amount", "actual_amount"]].to_numpy(np.float64).tolist()
    rows = {f"decile {decile}": pair for decile, pair in zip(table["decile"], both, strict=True)}
    means = (table["predicted_amount"].tolist(), table["actual_amount"].tolist())
    order = np.argsort(-predicted, kind="stable")
    total = max(float(actual.sum()), 1e-9)
    share = np.linspace(0, 1, 51)
    held = np.interp(share * len(order), np.arange(len(order) + 1), np.r_[0, np.cumsum(actual[order])]) / total
    return {
        "spend_by_decile.png": Bars(
            "Mean spend in the horizon by decile of forecast", "amount", {"deciles": rows}, ("forecast", "came true")
        ),
        "calibration.png": Curves("Forecast and truth", "forecast", "came true", {"deciles": means}, diagonal=True),
        "gain.png": Curves(
            "Share of spend held by the customers forecast highest",
            "share of customers",
            "share of spend",
            {"model": (share.tolist(), held.tolist())},
            diagonal=True,
        ),
    }
