"""Made-up customers whose churn follows a known rule."""

import numpy as np
import pandas as pd
from scipy.special import expit

WINDOWS = (30, 90, 180, 365)


def feature_frame(size: int, seed: int = 1, *, prefix: str = "g") -> pd.DataFrame:
    """Customers of all sorts, with the gaps of those who bought once unknown."""
    rng = np.random.default_rng(seed)
    tenure = rng.integers(1, 400, size).astype(float)
    frequency = np.minimum(rng.geometric(0.25, size) - 1.0, tenure)
    recency = np.where(frequency > 0, np.floor(rng.uniform(0, 1, size) * (tenure - frequency + 1)), tenure)
    spend = rng.lognormal(3, 0.7, size)
    repeats = np.where(frequency > 0, frequency, np.nan)
    frame = pd.DataFrame(
        {
            "golden_id": [f"{prefix}{number:05d}" for number in range(size)],
            "frequency": frequency,
            "recency_days": recency,
            "tenure_days": tenure,
            "monetary_amount": spend,
            "total_amount": spend * (frequency + 1),
            "first_amount": spend,
            "mean_gap_days": (tenure - recency) / repeats,
            "largest_gap_days": (tenure - recency) / np.sqrt(repeats),
            "item_count": frequency * 2 + 1,
            "previous_recency_days": np.where(frequency > 0, (recency + tenure) / 2, np.nan),
            "last_item_count": np.ceil(spend / 10),
            "repeated_product_count": np.floor(frequency / 2),
            "history_days": 400.0,
        }
    )
    for days in WINDOWS:
        count = np.where(recency < days, np.ceil((frequency + 1) * np.minimum(days / (tenure + 1), 1)), 0.0)
        frame[f"purchase_count_{days}d"] = count
        frame[f"amount_{days}d"] = count * spend
    return frame


def churn_chance(frame: pd.DataFrame) -> np.ndarray:
    """The rule: the longer away and the fewer purchase days, the likelier gone."""
    odds = 0.9 * np.log1p(frame["recency_days"]) - 1.2 * np.log1p(frame["frequency"]) - 2
    return np.asarray(expit(odds))


def labels_of(frame: pd.DataFrame, seed: int = 2) -> pd.DataFrame:
    """has_purchase by the rule and a coin."""
    coin = np.random.default_rng(seed).uniform(size=len(frame))
    return pd.DataFrame({"golden_id": frame["golden_id"], "has_purchase": (coin >= churn_chance(frame)) * 1.0})
