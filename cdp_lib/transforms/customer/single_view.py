"""gold.customer: who a person is, what the person did, and what follows from both on the as-of day.

What was observed (golden record and facts) changes only for touched customers; the as-of date and what is derived
from it change for everyone every day. Each half is a function, so that a daily run can carry the first one over.
"""

from collections.abc import Mapping
from datetime import date

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts.gold import customer, CUSTOMER_FIXED
from cdp_lib.contracts.identity import GOLDEN_RECORD
from cdp_lib.errors import ContractError
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.customer.derived import derive_traits, golden_record_traits
from cdp_lib.transforms.customer.traits import compute_traits

_OF_GOLDEN_RECORD = tuple(column.name for column in CUSTOMER_FIXED if column.name in GOLDEN_RECORD.content_columns)


def single_view(golden_records: DataFrame, facts: Mapping[str, DataFrame], pack: Pack, *, as_of: date) -> DataFrame:
    """gold.customer without `_run_id`: one row per golden record, also for people without facts."""
    return finish_view(observe(golden_records, facts, pack, as_of=as_of), pack, as_of=as_of)


def observe(golden_records: DataFrame, facts: Mapping[str, DataFrame], pack: Pack, *, as_of: date) -> DataFrame:
    """One row per golden record: the part of gold.customer that changes for touched customers only.

    That is the golden record's fixed columns, the traits from it, the currency, and the traits over `facts` (rows with
    golden_id, by entity) as of the end of the as-of day.
    """
    people = golden_records.select(
        *_OF_GOLDEN_RECORD, *golden_record_traits(pack), F.lit(pack.info.currency).alias("currency")
    )
    return compute_traits(people, facts, pack, as_of=as_of)


def finish_view(observed: DataFrame, pack: Pack, *, as_of: date) -> DataFrame:
    """gold.customer's content columns in its order: what was observed, the as-of date, the traits from: customer."""
    dated = observed.select("*", F.lit(as_of).alias("as_of_date"))
    return derive_traits(dated, pack).select(*customer(pack).content_columns)


def carry_over(previous: DataFrame, touched: DataFrame, observed: DataFrame) -> DataFrame:
    """What is known of everyone: `observed` for touched customers, the previous gold.customer's rows for the others.

    A touched golden_id without a golden record (merged away, split, erased) has no row in `observed` and vanishes.
    Raises ContractError when the previous table lacks a column: then the traits changed and all must be observed anew.
    """
    missing = sorted(set(observed.columns) - set(previous.columns))
    if missing:
        raise ContractError(f"gold.customer: its last version lacks {missing}; compute every customer anew.")
    untouched = previous.join(touched, on="golden_id", how="left_anti").select(*observed.columns)
    return untouched.unionByName(observed)
