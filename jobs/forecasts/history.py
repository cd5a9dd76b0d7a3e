"""What the customers of a pack bought: what models are trained on and score."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import pandas as pd
from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import identity, silver
from cdp_lib.contracts.purchases import LABELS
from cdp_lib.contracts.table import Table
from cdp_lib.io.caching import cached
from cdp_lib.models.cuts import Cut
from cdp_lib.transforms.customer.traits import facts_of_people
from cdp_lib.transforms.features.purchases import purchase_days, purchase_features, purchase_labels
from cdp_lib.workflow.context import JobContext

READS: tuple[Table, ...] = (silver.ORDER, identity.IDENTITY_LINK)
"""What a job must declare to look at the history."""

READS_WITH_PRODUCTS: tuple[Table, ...] = (*READS, silver.ORDER_LINE)
"""The same, where it looks at which products were bought again as well."""

_SHARES = 1_000_000


@dataclass(frozen=True)
class Labelled:
    """Customers at an earlier cut, each with what came true in the days after it; at most as many as were asked for."""

    cut: Cut
    features: pd.DataFrame
    labels: pd.DataFrame


@dataclass(frozen=True)
class History:
    """Purchase days of all customers up to the as-of date, kept while the job runs.

    `bought_on` are the dates on which anybody bought, in order; `customer_count` is how many customers ever did, and
    `mean_amount` what one of them spent on such a day.
    """

    days: DataFrame
    as_of: date
    bought_on: tuple[date, ...]
    customer_count: int
    mean_amount: float

    @property
    def first_day(self) -> date | None:
        """The first purchase's; None without any."""
        return self.bought_on[0] if self.bought_on else None

    @property
    def silent_days(self) -> int:
        """From the last purchase to the as-of date."""
        return (self.as_of - self.bought_on[-1]).days if self.bought_on else 0

    @property
    def longest_silence_days(self) -> int:
        """Most days from one purchase day of anybody's to the next."""
        return max(((later - day).days for day, later in pairwise(self.bought_on)), default=0)

    @property
    def length_days(self) -> int:
        """From the first purchase to the as-of date."""
        return 0 if self.first_day is None else (self.as_of - self.first_day).days

    def features(self, cut: date | None = None) -> DataFrame:
        """One row per customer at the cut, the as-of date when left out."""
        day = cut or self.as_of
        return purchase_features(self.days, day, self.first_day or day)

    def collapsed(self) -> pd.DataFrame:
        """One row per distinct purchase history of all customers, with its `customer_count`: collapsed on Spark.

        Histories in whole days repeat: a million customers are some hundred thousand rows, ten million hardly more.
        """
        known = self.features().groupBy("frequency", "recency_days", "tenure_days")
        return known.agg(F.count(F.lit(1)).cast("double").alias("customer_count")).toPandas()

    def sample(self, most: int, cut: date | None = None) -> pd.DataFrame:
        """The features of about `most` customers, drawn by the hash of their ids; of all when they are fewer."""
        return self._drawn(self.features(cut), most).toPandas()

    def labelled(self, most: int, cut: Cut) -> Labelled:
        """A sample at an earlier cut, with its labels; both in the order of golden_id."""
        labels = purchase_labels(self.days, cut.day, cut.horizon_days)
        both = self._drawn(self.features(cut.day), most).join(labels, "golden_id", "inner")
        rows = both.toPandas().sort_values("golden_id", ignore_index=True)
        of_label = [column.name for column in LABELS]
        return Labelled(cut, rows.drop(columns=of_label[1:]), rows[of_label])

    def _drawn(self, features: DataFrame, most: int) -> DataFrame:
        return drawn_by_id(features, self.customer_count, most)


def drawn_by_id(customers: DataFrame, customer_count: int, most: int) -> DataFrame:
    """About `most` of the rows (one per golden_id), drawn by the hash of their ids; all of them when they are fewer."""
    if customer_count <= most:
        return customers
    share = int(_SHARES * most / customer_count)
    return customers.where(F.pmod(F.xxhash64("golden_id"), F.lit(_SHARES)) < share)


@contextmanager
def purchase_history(ctx: JobContext, *, with_products: bool = False) -> Iterator[History]:
    """The history as of the run's date; usable while the block runs.

    Without products, nothing is known of what was bought again.
    """
    links = ctx.read(identity.IDENTITY_LINK)
    orders = facts_of_people(ctx.read(silver.ORDER), links)
    lines = facts_of_people(ctx.read(silver.ORDER_LINE), links) if with_products else None
    days = purchase_days(orders, ctx.pack.info.time_zone, lines).where(F.col("purchase_date") <= F.lit(ctx.as_of))
    with cached(days) as kept:
        # Dates are few: a day is one of them, whoever bought.
        seen = (
            kept.where("is_purchase")
            .agg(
                F.array_sort(F.collect_set("purchase_date")).alias("bought_on"),
                F.count_distinct("golden_id").alias("customers"),
                F.avg("amount").alias("mean_amount"),
            )
            .collect()[0]
        )
        yield History(
            kept, ctx.as_of, tuple(seen["bought_on"]), int(seen["customers"]), float(seen["mean_amount"] or 0)
        )


def input_versions(ctx: JobContext, reads: tuple[Table, ...] = READS) -> dict[str, int]:
    """Versions of what a training sees."""
    versions = {table.name: ctx.input_version(table) for table in reads}
    return {name: version for name, version in versions.items() if version is not None}
