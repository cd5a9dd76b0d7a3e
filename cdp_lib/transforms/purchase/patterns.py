"""All purchase patterns in one long table."""

from datetime import date
from functools import reduce

from pyspark.sql import DataFrame

from cdp_lib.settings.purchase_pattern import PurchasePattern
from cdp_lib.transforms.purchase.migration import category_migrations
from cdp_lib.transforms.purchase.rules import association_rules, baskets_left_out, LEVELS
from cdp_lib.transforms.purchase.timing import basket_times, purchase_gaps


def purchase_patterns(baskets: DataFrame, settings: PurchasePattern, *, as_of: date) -> DataFrame:
    """One row per (pattern_type, subject, object, measure): rules, basket times, gaps and migrations.

    Figures that do not apply to a type are null; `unit` says what counts and values are in. The baskets are read
    several times: let the job keep them.
    """
    found = [
        *[association_rules(baskets, level, settings) for level in LEVELS],
        baskets_left_out(baskets, settings),
        basket_times(baskets),
        purchase_gaps(baskets),
        category_migrations(baskets, settings, as_of=as_of),
    ]
    return reduce(DataFrame.unionByName, found)
