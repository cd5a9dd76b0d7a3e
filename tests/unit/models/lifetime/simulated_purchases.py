"""Customers who behave as the models suppose, day by day, and the feature frame of what they bought."""

import numpy as np
import pandas as pd


def bought_days(customers: int, days: int, seed: int) -> pd.DataFrame:
    """golden_id, day and amount of every purchase of Pareto/NBD customers, who begin in the first third of the days."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.8, 1 / 25.0, customers)
    life = rng.exponential(1.0, customers) / rng.gamma(0.7, 1 / 60.0, customers)
    first = rng.integers(0, days // 3, customers)
    scale = rng.gamma(4.0, 1 / 15.0, customers)
    rows = []
    for one in range(customers):
        upto = min(life[one], days - first[one])
        after = np.unique(np.ceil(rng.uniform(0, upto, rng.poisson(rate[one] * upto))))
        bought = first[one] + np.unique(np.concatenate([[0.0], after]))
        amounts = rng.gamma(6.0, 1.0, len(bought)) / scale[one]
        rows.append(pd.DataFrame({"golden_id": f"g{one:05d}", "day": bought, "amount": amounts}))
    return pd.concat(rows, ignore_index=True)


def features_at(bought: pd.DataFrame, cut: int) -> pd.DataFrame:
    """The feature frame after the day `cut`."""
    known = bought[bought["day"] <= cut].sort_values(["golden_id", "day"])
    customer = known.groupby("golden_id")
    frame = customer.agg(first=("day", "min"), last=("day", "max"), total_amount=("amount", "sum"))
    frame["frequency"] = customer.size() - 1.0
    frame["recency_days"], frame["tenure_days"] = cut - frame.pop("last"), cut - frame.pop("first")
    frame["monetary_amount"] = customer["amount"].mean()
    frame["first_amount"] = customer["amount"].first()
    for window in (30, 90, 180, 365):
        late = known[known["day"] > cut - window].groupby("golden_id")["amount"]
        frame[f"purchase_count_{window}d"] = late.size().reindex(frame.index, fill_value=0).astype(float)
        frame[f"amount_{window}d"] = late.sum().reindex(frame.index, fill_value=0.0)
    many = frame["frequency"].where(frame["frequency"] > 0)
    frame["mean_gap_days"] = (frame["tenure_days"] - frame["recency_days"]) / many
    frame["largest_gap_days"] = customer["day"].diff().groupby(known["golden_id"]).max()
    frame["item_count"] = np.nan
    frame["history_days"] = cut - bought["day"].min()
    return frame.reset_index()


def labels_after(bought: pd.DataFrame, cut: int, horizon: int) -> pd.DataFrame:
    """What those customers bought in the `horizon` days after the cut."""
    customers = sorted(bought.loc[bought["day"] <= cut, "golden_id"].unique())
    after = bought[(bought["day"] > cut) & (bought["day"] <= cut + horizon)].groupby("golden_id")["amount"]
    return pd.DataFrame(
        {
            "golden_id": customers,
            "future_purchase_count": after.size().reindex(customers, fill_value=0).to_numpy(float),
            "future_amount": after.sum().reindex(customers, fill_value=0.0).to_numpy(float),
        }
    )
