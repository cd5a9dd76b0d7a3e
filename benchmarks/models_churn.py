"""Who buys nothing in the next N days, on real purchases: our churn score beside its peers, in one run.

All train on the same labelled rows: up to ten cuts, the last of which is a horizon before the cut that is scored, so
every label had come true by then; ours sees cuts since then too, which look as far as the cut that is scored. The
peers: a logistic regression on log RFM, scikit-learn's boosted trees on all features, BG/NBD's closed form P(no
purchase in N days), and the trap 1 - P(alive), which ranks those who bought once as most loyal. Cuts and horizons are
fixed in benchmarks/models_data.py.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.measure import load, measured, Result
from benchmarks.models_data import CHURN_SPLITS, features, labels, purchase_days, Split
from cdp_lib.errors import ModelError
from cdp_lib.models.churn.churn import ChurnModel
from cdp_lib.models.churn.design import CLOSED_FORM, COLUMNS
from cdp_lib.models.churn.evaluation import compare_auc, evaluate_scores
from cdp_lib.models.churn.origins import LABEL_DAYS, Origin, stack_origins
from cdp_lib.models.cuts import all_churn_cuts, Cut
from cdp_lib.models.lifetime.bg_nbd import BgNbd
from cdp_lib.models.lifetime.purchase_counts import purchase_counts

MOST_CUTS, LEAST_HISTORY = 10, 60
"""Training cuts, and days of history before each."""
RFM = ["frequency", "recency_days", "tenure_days", "monetary_amount"]
LOGISTIC, TREES, CLOSED, TRAP = "logistic on log RFM", "HistGradientBoosting", "BG/NBD closed form", "1 - P(alive)"
PENALIZERS = (0.0, 0.01, 0.1)
SCORED_ROWS = 200_000


@dataclass(frozen=True)
class Task:
    """What both sides train on, and what they score."""

    frame: pd.DataFrame
    labels: pd.DataFrame
    scored: pd.DataFrame
    churned: np.ndarray
    horizon_days: int


def training_cuts(first_day: pd.Timestamp, split: Split) -> tuple[Cut, ...]:
    """Earlier cuts, as the daily run takes them."""
    first, cut, horizon = first_day.date(), split.cut.date(), split.horizon_days
    return all_churn_cuts(first, cut, horizon, most=MOST_CUTS, least_days=LEAST_HISTORY)


def known_at(days: pd.DataFrame, cut: pd.Timestamp, horizon_days: int) -> pd.DataFrame:
    """The feature frame with P(no purchase in the horizon) and P(alive) of a BG/NBD fitted up to the cut."""
    frame = features(days, cut)
    counts = purchase_counts(frame)
    process = _fit_process(counts)
    return frame.assign(
        **{CLOSED_FORM: process.probability_silent(counts, horizon_days), "alive": process.probability_alive(counts)}
    )


def _fit_process(counts: Any) -> BgNbd:
    for penalizer in PENALIZERS[:-1]:
        try:
            return BgNbd.fit(counts, unit_days=7, penalizer=penalizer)
        except ModelError:
            continue  # a short history may have no likeliest parameters: hold them back a little more
    return BgNbd.fit(counts, unit_days=7, penalizer=PENALIZERS[-1])


def prepare(days: pd.DataFrame, split: Split) -> Task:
    """Training rows of earlier cuts, and the customers at the split's cut with what came true."""
    horizon = split.horizon_days
    cuts = [(pd.Timestamp(cut.day), cut.horizon_days) for cut in training_cuts(days["purchase_date"].min(), split)]
    origins = [Origin(cut.date(), known_at(days, cut, far), labels(days, cut, far), far) for cut, far in cuts]
    frame, outcome = stack_origins(origins, horizon_days=horizon, scored_at=split.cut.date())
    churned = 1 - labels(days, split.cut, horizon)["has_purchase"].to_numpy()
    return Task(frame, outcome, known_at(days, split.cut, horizon), churned, horizon)


def peers(task: Task) -> dict[str, np.ndarray]:
    """Each peer's churn probability of the scored customers."""
    whole = (task.labels[LABEL_DAYS] == task.horizon_days).to_numpy()
    frame, churned = task.frame[whole], 1 - task.labels.loc[whole, "has_purchase"].to_numpy()
    logs, scored_logs = (np.log1p(rows[RFM].fillna(0)).to_numpy() for rows in (frame, task.scored))
    logistic = make_pipeline(StandardScaler(), LogisticRegression()).fit(logs, churned)
    trees = HistGradientBoostingClassifier(random_state=0)
    told = [name for name in COLUMNS if frame[name].notna().any()]
    trees.fit(frame[told].to_numpy(), churned)
    return {
        LOGISTIC: logistic.predict_proba(scored_logs)[:, 1],
        TREES: trees.predict_proba(task.scored[told].to_numpy())[:, 1],
        CLOSED: np.clip(task.scored[CLOSED_FORM].to_numpy(), 0, 1),
        TRAP: np.clip(1 - task.scored["alive"].to_numpy(), 0, 1),
    }


def measure(name: str, options: Any) -> Iterator[Result]:
    """Ranking, calibration and lift, ours beside each peer's; then what fitting and scoring take."""
    task = prepare(purchase_days(name, options.data), CHURN_SPLITS[name])
    with measured() as fitting:
        model = ChurnModel.fit(task.frame, task.labels, horizon_days=task.horizon_days)
    ours = model.probability(task.scored)
    sys.stderr.write(
        f"{name}: {len(ours)} customers, {task.churned.mean():.1%} churned; {model.form}: {model.reason}\n"
    )
    mine = evaluate_scores(task.churned, ours)
    for peer, scored in ({} if options.no_peer else peers(task)).items():
        test = compare_auc(task.churned, ours, scored)
        sys.stderr.write(f"{name}: AUC {test.difference:+.4f} to {peer}, p {test.p_value:.2g} (DeLong)\n")
        for metric, value in evaluate_scores(task.churned, scored).items():
            yield Result("models", name, metric, mine[metric], value, peer, _unit(metric), load())
    if options.no_peer:
        for metric, value in mine.items():
            yield Result("models", name, metric, value, None, None, _unit(metric), load())
    rows = task.scored.iloc[np.resize(np.arange(len(ours)), SCORED_ROWS)]
    with measured() as scoring:
        model.score(rows)
    yield Result("models", name, "churn_fit_seconds", fitting.cpu_seconds, None, None, "CPU s", load())
    per_million = scoring.cpu_seconds * 1_000_000 / SCORED_ROWS
    yield Result("models", name, "churn_score_seconds_1m", per_million, None, None, "CPU s", load())


def _unit(metric: str) -> str:
    return {"churn_lift_at_10": "times", "churn_log_loss": "nats", "churn_brier": "squared share"}.get(metric, "share")
