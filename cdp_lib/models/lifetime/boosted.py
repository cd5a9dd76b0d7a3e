"""What the closed-form forecast of spend gets wrong, learnt by few small trees (LightGBM).

Every booster starts from the closed form (its `init_score`) and learns a factor upon it, or a shift of its odds, so it
carries over to another horizon, and with nothing to learn it forecasts what the closed form does. It is trained on
features at an earlier cut and on what came after that cut, with a closed form that knew no more either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import lightgbm as lgb
import numpy as np
import pandas as pd
from scipy.special import expit, logit  # type: ignore[import-untyped]  # SciPy ships no types

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.closed_form import ClosedForm
from cdp_lib.models.lifetime.maximum_likelihood import Floats

TREES = 60
_BASE = {
    "learning_rate": 0.05,
    "num_leaves": 8,
    "lambda_l2": 10.0,
    "max_bin": 63,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 5,
    "verbosity": -1,
}
_WINDOWS = (30, 90, 180)
_LEAST = 1e-6


@dataclass(frozen=True)
class Boosted:
    """Three boosters as LightGBM's text: whether a customer buys, how much a buyer spends, how much anybody spends."""

    buys: str
    spends: str
    tweedie: str

    @classmethod
    def fit(cls, design: pd.DataFrame, closed: ClosedForm, future_amount: Floats) -> "Boosted":
        """Trained on rows of `design_frame` at an earlier cut and the spend over the horizon after it.

        Rows in another order give the same trees. Raises ModelError when no row bought, or when all did.
        """
        bought = future_amount > 0
        if bought.all() or not bought.any():
            raise ModelError(
                f"Boosted lifetime value: {int(bought.sum())} of {len(bought)} customers spend after the earlier cut. "
                "Choose an earlier cut or another horizon, or leave the boosters out."
            )
        order = np.lexsort((future_amount, *design.to_numpy().T))
        rows, spent = design.iloc[order], future_amount[order]
        start = _Start.of(closed.taken(order))
        buyers = spent > 0
        return cls(
            _train({"objective": "binary"}, rows, buyers.astype(np.float64), start.buys),
            _train({"objective": "gamma"}, rows[buyers], spent[buyers], start.spends[buyers]),
            _train(
                {"objective": "tweedie", "tweedie_variance_power": 1.5}, rows, np.maximum(spent, 0.0), start.anybody
            ),
        )

    def two_stage(self, design: pd.DataFrame, closed: ClosedForm) -> Floats:
        """Expected spend over the horizon: probability of buying x amount if so."""
        start = _Start.of(closed)
        spends: Floats = np.exp(start.spends + _raw(self.spends, design))
        return self.probability_buys(design, closed) * spends

    def probability_buys(self, design: pd.DataFrame, closed: ClosedForm) -> Floats:
        """That the customer buys within the horizon."""
        buys: Floats = expit(_Start.of(closed).buys + _raw(self.buys, design))
        return buys

    def any_spend(self, design: pd.DataFrame, closed: ClosedForm) -> Floats:
        """Expected spend over the horizon, by one tweedie booster (Jorgensen's compound Poisson-gamma)."""
        spend: Floats = np.exp(_Start.of(closed).anybody + _raw(self.tweedie, design))
        return spend

    def expected_spend(self, design: pd.DataFrame, closed: ClosedForm) -> Floats:
        """The mean of the two."""
        return (self.two_stage(design, closed) + self.any_spend(design, closed)) / 2

    def to_dict(self) -> dict[str, str]:
        """The boosters' text, for a JSON body."""
        return {"buys": self.buys, "spends": self.spends, "tweedie": self.tweedie}

    @classmethod
    def from_dict(cls, body: Mapping[str, str]) -> "Boosted":
        """The boosters that `to_dict` told."""
        return cls(body["buys"], body["spends"], body["tweedie"])


def design_frame(features: pd.DataFrame, closed: ClosedForm, horizon_days: float) -> pd.DataFrame:
    """What the boosters see, row by row: times as shares of tenure, habit or horizon, spend as logarithms and ratios.

    Nothing is in days, because a customer of ten weeks with ten to come is like one of forty with forty to come.
    `pace` is the customer's rate in a recent window over the rate since the first purchase. NaN where undefined.
    """
    tenure, recency = features["tenure_days"], features["recency_days"]
    days = features["frequency"] + 1
    mean = features["monetary_amount"]
    columns = {
        "expected_purchases": closed.purchases,
        "expected_amount": np.log(np.maximum(closed.amount, _LEAST)),
        "silent": closed.silent,
        "alive": closed.alive,
        "frequency": features["frequency"],
        "recency_share": recency / tenure.where(tenure > 0),
        "recency_horizons": recency / horizon_days,
        "tenure_horizons": tenure / horizon_days,
        "recency_gaps": recency / features["mean_gap_days"],
        "recency_longest": recency / features["largest_gap_days"],
        "mean_amount": np.log(mean.where(mean > 0)),
        "first_to_mean": features["first_amount"] / mean,
        "items_a_day": features["item_count"] / days,
    }
    for window in _WINDOWS:
        possible = np.minimum(1.0, window / np.maximum(tenure, 1.0))
        columns[f"pace_{window}d"] = features[f"purchase_count_{window}d"] / days / possible
        columns[f"spend_pace_{window}d"] = features[f"amount_{window}d"] / (mean * days) / possible
    return pd.DataFrame(columns, dtype=np.float64).replace([np.inf, -np.inf], np.nan)


@dataclass(frozen=True)
class _Start:
    """Where each booster starts, on the scale of its link."""

    buys: Floats
    spends: Floats
    anybody: Floats

    @classmethod
    def of(cls, closed: ClosedForm) -> "_Start":
        spend = np.maximum(closed.spend, _LEAST)
        buys = np.clip(1 - closed.silent, _LEAST, 1 - _LEAST)
        return cls(logit(buys), np.log(spend) - np.log(buys), np.log(spend))


def _train(objective: Mapping[str, object], rows: pd.DataFrame, target: Floats, start: Floats) -> str:
    """A booster's text; a leaf holds at least a hundredth of the customers, and 20."""
    settings = {**_BASE, **objective, "min_data_in_leaf": max(20, len(rows) // 100)}
    seen = lgb.Dataset(rows.to_numpy(), target, init_score=start, feature_name=list(rows.columns))
    return str(lgb.train(settings, seen, TREES).model_to_string())


def _raw(text: str, design: pd.DataFrame) -> Floats:
    """What the booster adds to its start."""
    raw: Floats = np.asarray(_parsed(text).predict(design.to_numpy(), raw_score=True, num_threads=1), dtype=np.float64)
    return raw


@lru_cache(maxsize=12)
def _parsed(text: str) -> lgb.Booster:
    """A worker scores many batches with the same three boosters."""
    return lgb.Booster(model_str=text)
