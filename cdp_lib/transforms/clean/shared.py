"""Values that too many records hold to be anybody's own: nulled with the value kept, and given back.

Why an incremental run may look at part of the records: a mask depends on nothing but how many records hold the value,
and that changes only where a changed record held it or holds it now. `affected_by` returns every other record that
holds such a value, with these values (and no others) given back. So among `changed` and these, `mask_shared` counts all
holders of each touched value, and of any other no more than there are, which leaves it as it is stored.
"""

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F, types as T

from cdp_lib.contracts.silver import RECORD_KEY
from cdp_lib.errors import ContractError, near_miss
from cdp_lib.transforms.clean.customer_record import CLEANED_FIELDS
from cdp_lib.transforms.clean.rejection import REJECTED_TYPE, rejection, SHARED, shared_value

INCREMENTAL_AT_MOST = 200_000
"""Changed records up to which `affected_by` is meant: it sends their values to every executor."""

_HELD = "_held"


def mask_shared(records: DataFrame, limits: Mapping[str, int]) -> DataFrame:
    """The same rows, limited fields null where more records than the limit hold the value, noted as 'shared'.

    A record is a (source_system, source_record_id): several rows of one count once. Nulls, and what is masked already,
    count nowhere: to start anew, `unmask_shared` first. The note in `rejected` keeps the value. `records` is read
    twice, and its limited values are shuffled once whatever the number of fields: hand over a stored table or a cached
    frame. Raises ContractError for a field that is no STRING column of `records`, or a limit below 1.
    """
    _check(records, limits)
    if not limits:
        return records
    crowded = _crowded(records, limits)
    flagged = reduce(lambda rows, field: _flag(rows, field, crowded), limits, records)
    is_shared = {field: F.col(_flag_name(field)).isNotNull() for field in limits}
    entries = [rejection(field, F.col(field), F.when(is_shared[field], F.lit(SHARED))) for field in limits]
    masked = {field: F.when(~is_shared[field], F.col(field)).alias(field) for field in limits}
    rejected = F.array_sort(F.concat("rejected", F.array_compact(F.array(*entries)))).cast(REJECTED_TYPE)
    return _rewritten(flagged, records.columns, {**masked, "rejected": rejected.alias("rejected")})


def unmask_shared(records: DataFrame) -> DataFrame:
    """The same rows with every value given back that `mask_shared` took, and its entry gone from `rejected`."""
    fields = [field for field in CLEANED_FIELDS if field in records.columns and field != "birth_date"]
    return _given_back(records, {field: F.lit(True) for field in fields})


def affected_by(changed: DataFrame, existing: DataFrame, fields: Sequence[str]) -> DataFrame:
    """Records of `existing`, but for the changed ones, that hold a value which a changed record holds or held.

    `changed`: cleaned records, new or new versions, unmasked. `existing`: the stored, masked records. `fields`: those
    with limits. The rows come in the columns of `existing`; touched values are given back, all others stay as stored.
    So, if keys are unique and `limits` are those with which `existing` was masked,

        mask_shared(changed.unionByName(affected_by(changed, existing, limits)), limits)

    are the very rows that `mask_shared` over everything has for these records, and the rest of `existing` is right as
    it is. For records that go away, hand their keys with null values as `changed` and drop them afterwards. `changed`
    is meant to hold at most INCREMENTAL_AT_MOST rows: mask all records if more. Raises ContractError as `mask_shared`.
    """
    for records in (changed, existing):
        _check(records, dict.fromkeys(fields, 1))
    keys = F.broadcast(changed.select(*RECORD_KEY).distinct())
    former = existing.join(keys, list(RECORD_KEY), "left_semi")
    whole = {field: F.coalesce(F.col(field), shared_value(field)) for field in fields}
    held_before = former.select(_held(whole))
    held_now = changed.select(_held({field: F.col(field) for field in fields}))
    touched = F.broadcast(held_before.unionByName(held_now).distinct())
    others = existing.join(keys, list(RECORD_KEY), "left_anti")
    flagged = reduce(lambda rows, field: _flag(rows, field, touched, whole[field]), fields, others)
    is_touched = {field: F.col(_flag_name(field)).isNotNull() for field in fields}
    affected = flagged.where(reduce(Column.__or__, is_touched.values(), F.lit(False)))
    return _given_back(affected, is_touched, existing.columns)


def _check(records: DataFrame, limits: Mapping[str, int]) -> None:
    text = [field.name for field in records.schema if isinstance(field.dataType, T.StringType)]
    faults = [f"no STRING column '{field}'.{near_miss(field, text)}" for field in limits if field not in text]
    faults += [f"limit of '{field}' is {limit}, must be at least 1." for field, limit in limits.items() if limit < 1]
    if faults:
        raise ContractError(f"shared values: {' '.join(faults)}")


def _held(values: Mapping[str, Column]) -> Column:
    """One row per value that is not null: the field's name, a colon, the value."""
    return F.explode(F.array_compact(F.array(*(_named(field, value) for field, value in values.items())))).alias(_HELD)


def _named(field: str, value: Column) -> Column:
    return F.concat(F.lit(f"{field}:"), value)


def _crowded(records: DataFrame, limits: Mapping[str, int]) -> DataFrame:
    """One row per held value with more records than its field's limit."""
    held = records.select(*RECORD_KEY, _held({field: F.col(field) for field in limits}))
    # Rows of one value stand together after this, so that neither distinct nor the count needs a shuffle of its own.
    together = held.repartition(_HELD)
    counted = together.distinct().groupBy(_HELD).agg(F.count("*").alias("_record_count"))
    limit_of = F.create_map(*(F.lit(part) for pair in limits.items() for part in pair))
    limit = F.element_at(limit_of, F.substring_index(_HELD, ":", 1))
    # At most (records x fields) / smallest limit rows: a bound by arithmetic, not by hope.
    return F.broadcast(counted.where(F.col("_record_count") > limit).select(_HELD))


def _flag_name(field: str) -> str:
    return f"_flag_{field}"


def _flag(rows: DataFrame, field: str, values: DataFrame, value: Column | None = None) -> DataFrame:
    """The rows with `_flag_<field>` not null where `values` (unique) has the field's value."""
    flags = values.select(F.col(_HELD).alias(_flag_name(field)))
    is_held = _named(field, F.col(field) if value is None else value) == F.col(_flag_name(field))
    return rows.join(flags, is_held, "left")


def _given_back(rows: DataFrame, where: Mapping[str, Column], columns: Sequence[str] = ()) -> DataFrame:
    restored = {
        field: F.coalesce(F.col(field), F.when(condition, shared_value(field))).alias(field)
        for field, condition in where.items()
    }
    kept = F.filter("rejected", lambda entry: ~((entry["reason"] == SHARED) & _any_of(entry["field"], where)))
    return _rewritten(rows, columns or rows.columns, {**restored, "rejected": kept.alias("rejected")})


def _any_of(field: Column, where: Mapping[str, Column]) -> Column:
    return reduce(Column.__or__, ((field == name) & condition for name, condition in where.items()), F.lit(False))


def _rewritten(rows: DataFrame, columns: Sequence[str], changed: Mapping[str, Column]) -> DataFrame:
    return rows.select(*(changed.get(column, F.col(column)) for column in columns))
