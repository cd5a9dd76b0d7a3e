"""Lifetime value on real purchases: ours beside the `lifetimes` package and the last period's figure, in one run.

Every cut and horizon is fixed in benchmarks/models_data.py; nothing after the cut is seen before the scores are told.
The peer's spend is Pareto/NBD x Gamma-Gamma with the first purchase included (BG/NBD where its Pareto/NBD has no
answer for somebody). Amounts are not discounted, because what came true is not.
"""

import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import load, measured, Result
from benchmarks.models_data import features, labels, last_period, purchase_days, Split, SPLITS
from cdp_lib.models.cuts import spend_cuts
from cdp_lib.models.lifetime.bg_nbd import BgNbd
from cdp_lib.models.lifetime.evaluation import spend_scores
from cdp_lib.models.lifetime.gamma_gamma import GammaGamma, spend_history, spend_known
from cdp_lib.models.lifetime.lifetime_fit import Example, fit_lifetime
from cdp_lib.models.lifetime.lifetime_value import LifetimeSettings
from cdp_lib.models.lifetime.maximum_likelihood import Floats
from cdp_lib.models.lifetime.purchase_counts import purchase_counts

DATA = ("cdnow_sample", "cdnow", "online_retail", "complete_journey", "simulated_1m")
PUBLISHED = {
    "param_r": 0.243,
    "param_alpha": 4.414,
    "param_a": 0.793,
    "param_b": 2.426,
    "param_p": 6.250,
    "param_q": 3.744,
    "param_v": 15.444,
}
"""Fader, Hardie and Lee 2005; Fader and Hardie 2013. Weeks and dollars."""
PEER, NAIVE, PAPER = "lifetimes", "last period", "published"
LEAST_HISTORY = 28
CUSTOMERS = 1_000_000
TRUTH = {"r": 0.35, "alpha": 30.0, "a": 0.6, "b": 2.5}
"""Of the simulated million, in days."""


@dataclass(frozen=True)
class Forecast:
    """What one side expects of each customer after the cut, and what its fit took."""

    purchases: Floats
    spend: Floats
    fit_seconds: float


def earlier_examples(days: pd.DataFrame, split: Split) -> list[Example]:
    """Earlier cuts, as the daily run takes them, and what came true after each."""
    cuts = spend_cuts(days["purchase_date"].min().date(), split.cut.date(), split.horizon_days, LEAST_HISTORY)
    known = [(pd.Timestamp(cut.day), cut.horizon_days) for cut in cuts]
    return [Example(features(days, cut), labels(days, cut, horizon), horizon) for cut, horizon in known]


def forecast_ours(days: pd.DataFrame, split: Split) -> tuple[Forecast, pd.DataFrame]:
    """Ours, and its scores; the form that was chosen goes to standard error."""
    frame, earlier = features(days, split.cut), earlier_examples(days, split)
    with measured() as cost:
        model = fit_lifetime(frame, earlier, LifetimeSettings(split.horizon_days, discount_rate=0.0))
    sys.stderr.write(f"{model.form}: {model.reason}\n")
    if model.closed is not None:
        sys.stderr.write(f"correlation of purchases and mean spend {model.closed.spend_correlation:.3f}\n")
    scores = model.score(frame)
    count, spend = (scores[name].to_numpy(np.float64) for name in ("predicted_purchase_count", "cltv_amount"))
    return Forecast(count, spend, cost.cpu_seconds), scores


def forecast_peer(frame: pd.DataFrame, horizon_days: int) -> Forecast:
    """The peer's Pareto/NBD, or BG/NBD where that is not a number for somebody, x its Gamma-Gamma."""
    # An optional dependency, without types.
    from lifetimes import BetaGeoFitter, GammaGammaFitter, ParetoNBDFitter  # type: ignore[import-untyped]

    weeks = [(frame["tenure_days"] - frame["recency_days"]) / 7, frame["tenure_days"] / 7]
    days, mean = spend_known(frame, first_included=True)
    known = days > 0
    with measured() as cost, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        spend = GammaGammaFitter().fit(days[known], mean[known])
        for fitter in (ParetoNBDFitter(), BetaGeoFitter()):
            try:
                fitter.fit(frame["frequency"], *weeks)
            except Exception as problem:  # the peer raises its own, NumPy's and SciPy's
                sys.stderr.write(f"lifetimes {type(fitter).__name__}: {type(problem).__name__}\n")
                continue
            count = np.asarray(
                fitter.conditional_expected_number_of_purchases_up_to_time(horizon_days / 7, frame["frequency"], *weeks)
            )
            if np.isfinite(count).all():
                break
            sys.stderr.write(f"lifetimes {type(fitter).__name__}: {int((~np.isfinite(count)).sum())} customers NaN\n")
        amount = np.asarray(spend.conditional_expected_average_profit(pd.Series(days), pd.Series(mean)))
    return Forecast(count, count * amount, cost.cpu_seconds)


def measure(name: str, options: Any) -> Iterator[Result]:
    """Every figure of one data set."""
    days, split = purchase_days(name, options.data), SPLITS[name]
    frame, truth = features(days, split.cut), labels(days, split.cut, split.horizon_days)
    ours, scores = forecast_ours(days, split)
    naive = last_period(days, split.cut, split.horizon_days)
    others = {NAIVE: Forecast(naive["purchase_count"].to_numpy(), naive["amount"].to_numpy(), 0.0)}
    if not options.no_peer:
        others[PEER] = forecast_peer(frame, split.horizon_days)
    mine = _figures(ours, truth)
    for peer_name, other in others.items():
        for metric, (theirs, unit) in _figures(other, truth).items():
            yield Result("models", name, metric, mine[metric][0], theirs, peer_name, unit, load())
    if PEER in others:
        yield Result(
            "models", name, "lifetime_fit_seconds", ours.fit_seconds, others[PEER].fit_seconds, PEER, "CPU s", load()
        )
    spent = truth["future_amount"]
    held = (scores["cltv_low_amount"] <= spent) & (spent <= scores["cltv_high_amount"])
    yield Result("models", name, "interval_coverage", float(held.mean()), 0.8, "promised", "share", load())
    missing = int(scores.isna().any(axis=1).sum())
    yield Result("models", name, "unscored", float(missing), None, None, "customers", load())


def _figures(forecast: Forecast, truth: pd.DataFrame) -> dict[str, tuple[float, str]]:
    spend = spend_scores(forecast.spend, truth["future_amount"].to_numpy())
    return {
        "transactions_mae": (float(np.abs(forecast.purchases - truth["future_purchase_count"]).mean()), "purchases"),
        "spend_mae": (spend.mae, "currency"),
        "spend_gini": (spend.gini, "share"),
        "spend_top10": (spend.top_decile_share, "share"),
        "spend_aggregate_error": (spend.aggregate_error, "share"),
    }


def measure_parameters(options: Any) -> Iterator[Result]:
    """Parameters of the CDNOW sample beside the published ones."""
    days = purchase_days("cdnow_sample", options.data)
    frame = features(days, SPLITS["cdnow_sample"].cut)
    fitted = BgNbd.fit(purchase_counts(frame), unit_days=7).to_dict()
    fitted |= GammaGamma.fit(spend_history(frame, first_included=False)).to_dict()
    for metric, published in PUBLISHED.items():
        value = fitted[metric.removeprefix("param_")]
        yield Result("models", "cdnow_sample", metric, value, published, PAPER, "", load())


def simulated_million(customers: int = CUSTOMERS, seed: int = 5) -> pd.DataFrame:
    """Feature columns of BG/NBD's own customers, in whole days, one purchase a day at most; tenure 30 to 730 days."""
    rng = np.random.default_rng(seed)
    tenure = rng.integers(30, 731, customers).astype(np.float64)
    rate = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"], customers)
    leaves = rng.beta(TRUTH["a"], TRUTH["b"], customers)
    now, last, count = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    alive = np.ones(customers, dtype=bool)
    while alive.any():
        rows = np.flatnonzero(alive)
        now[rows] += np.ceil(np.minimum(rng.exponential(1.0, len(rows)) / np.maximum(rate[rows], 1e-12), 1e6))
        in_time = now[rows] <= tenure[rows]
        buys = rows[in_time]
        count[buys] += 1
        last[buys] = now[buys]
        alive[rows[~in_time]] = False
        alive[buys[rng.random(len(buys)) < leaves[buys]]] = False
    return pd.DataFrame({"frequency": count, "recency_days": tenure - last, "tenure_days": tenure})


def measure_million(options: Any) -> Iterator[Result]:
    """BG/NBD for a million customers: collapsing and fitting ours, and the peer's fit, in weeks."""
    frame = simulated_million()
    with measured() as cost:
        ours = BgNbd.fit(purchase_counts(frame), unit_days=7)
    peer, peer_cost = None, None
    if not options.no_peer:
        from lifetimes import BetaGeoFitter

        with measured() as peer_cost, warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            weeks = [(frame["tenure_days"] - frame["recency_days"]) / 7, frame["tenure_days"] / 7]
            peer = BetaGeoFitter().fit(frame["frequency"], *weeks)
    name = "simulated_1m"
    theirs = None if peer_cost is None else peer_cost.cpu_seconds
    yield Result("models", name, "fit_seconds", cost.cpu_seconds, theirs, PEER, "CPU s", load())
    theirs = None if peer_cost is None else peer_cost.seconds
    yield Result("models", name, "fit_wall_seconds", cost.seconds, theirs, PEER, "s", load())
    for key in TRUTH:
        other = None if peer is None else float(peer.params_[key])
        yield Result("models", name, f"param_{key}", ours.to_dict()[key], other, PEER, "", load())
