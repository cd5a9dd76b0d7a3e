"""Exact identifiers: which record holds which value, what is left out and why, and each record's cluster."""

import hashlib

from pyspark.sql import Column, DataFrame, functions as F, types as T, Window as W

from cdp_lib.contracts.silver import CUSTOMER_RECORD, RECORD_KEY
from cdp_lib.settings.identity import Identifier, Identity

ID_DIGITS = 32
"""Hex digits of SHA-256 that name a record, value, cluster or person: 128 bits, so no two ever share a name."""

# What Spark's JSON writer escapes, and how.
_JSON_ESCAPES = {code: f"\\u{code:04X}" for code in range(32)} | {
    ord(letter): f"\\{name}" for letter, name in zip('\b\t\n\f\r"\\', 'btnfr"\\', strict=True)
}

_PLAIN_COLUMNS = frozenset(
    column.name
    for column in CUSTOMER_RECORD.columns
    if column.name in CUSTOMER_RECORD.content_columns and isinstance(column.spark_type, T.StringType | T.DateType)
)


def record_hash(source_system: str = RECORD_KEY[0], source_record_id: str = RECORD_KEY[1]) -> Column:
    """Lower hex SHA-256 of (source_system, source_record_id): the record's name in every identity table."""
    return F.sha2(F.to_json(F.array(source_system, source_record_id)), 256)


def record_key(source_system: str = RECORD_KEY[0], source_record_id: str = RECORD_KEY[1]) -> Column:
    """The first 16 bytes of the record's hash: its name inside matching, where text would be twice as long."""
    return F.unhex(F.substring(record_hash(source_system, source_record_id), 1, ID_DIGITS))


def hash_of_record(source_system: str, source_record_id: str) -> str:
    """What `record_hash` gives for a record at hand."""
    texts = (f'"{text.translate(_JSON_ESCAPES)}"' for text in (source_system, source_record_id))
    return hashlib.sha256(f"[{','.join(texts)}]".encode()).hexdigest()


def identifier_keys(records: DataFrame, identity: Identity) -> DataFrame:
    """One row per record, identifier and value: what may tie the record to another one.

    `record_key` and `value_key` are the first 16 bytes of SHA-256: a 64-bit hash would meet by chance at some hundred
    million values, and by intent at any size, and each meeting would make two people one. `identifier` counts from 0,
    the first priority. Left out: null and blank values, blocked ones, values that more than max_records records hold
    (`blocked_identifiers` reports both), and values that one record alone holds, unless their identifier has
    max_values: they tie nobody and limit nothing. `records` has one row per (source_system, source_record_id).
    """
    return tying_keys(held_identifiers(records, identity), identity)


def held_identifiers(records: DataFrame, identity: Identity) -> DataFrame:
    """One row per record, identifier and usable value, however many hold it: record_key, identifier, value_key."""
    usable = _held_values(records, identity).where(~F.col("is_blocked"))
    return usable.select(
        F.unhex(F.substring("record_hash", 1, ID_DIGITS)).alias("record_key"),
        "identifier",
        F.unhex(F.substring("value_hash", 1, ID_DIGITS)).alias("value_key"),
    )


def tying_keys(held: DataFrame, identity: Identity) -> DataFrame:
    """Those of `held_identifiers` that may tie or limit, as `identifier_keys` has them.

    Of each value that is there at all, `held` must have every record.
    """
    same_value = W.partitionBy("identifier", "value_key")
    counted = held.select("*", F.count(F.lit(1)).over(same_value).alias("record_count"))
    is_shared = F.col("record_count") > 1
    kept = (F.col("record_count") <= max_records(identity)) & (is_shared | _is_limited(identity))
    return counted.where(kept).select("record_key", "identifier", "value_key")


def blocked_identifiers(records: DataFrame, identity: Identity) -> DataFrame:
    """One row per value that matches nobody although records hold it: field, hash of the value, count, reason.

    `value_hash` is the whole lower hex SHA-256 of the value. `reason` is `blocked` (the pack says so) or `max_records`.
    """
    values = _held_values(records, identity).groupBy("identifier", "value_hash")
    counted = values.agg(F.count(F.lit(1)).alias("record_count"), F.max("is_blocked").alias("is_blocked"))
    is_blocked = F.col("is_blocked")
    return counted.where(is_blocked | (F.col("record_count") > max_records(identity))).select(
        "identifier",
        _per_identifier([F.lit(identifier.field) for identifier in identity.identifiers], "string").alias("field"),
        "value_hash",
        "record_count",
        F.when(is_blocked, "blocked").otherwise("max_records").alias("reason"),
    )


def record_clusters(records: DataFrame, memberships: DataFrame) -> DataFrame:
    """One row per record: its cluster and component, and what ties it to another record of the cluster.

    `memberships` (record_key, component_key, cluster_key, matched_by) names the records that are not alone, as
    `part_records` returns them. `cluster_id` and `component_id` are the first 32 hex digits of the hash of the smallest
    record; `matched_by` is null for a record that stands alone.
    """
    own_name = F.substring(record_hash(), 1, ID_DIGITS)
    keyed = records.select(*RECORD_KEY, own_name.alias("own_name"), F.unhex(own_name).alias("record_key"))
    return keyed.join(memberships, "record_key", "left").select(
        *RECORD_KEY,
        F.coalesce(F.lower(F.hex("cluster_key")), "own_name").alias("cluster_id"),
        F.coalesce(F.lower(F.hex("component_key")), "own_name").alias("component_id"),
        "matched_by",
    )


def _held_values(records: DataFrame, identity: Identity) -> DataFrame:
    """One row per record and identifier that has a value: record_hash, identifier, value_hash, is_blocked."""
    held = [_held(identifier) for identifier in identity.identifiers]
    all_held = F.array(*held) if held else F.array().cast("array<struct<value:string,is_blocked:boolean>>")
    named = records.select(record_hash().alias("record_hash"), all_held.alias("held"))
    exploded = named.select("record_hash", F.posexplode("held").alias("identifier", "held"))
    return exploded.where(F.trim("held.value") != "").select(
        "record_hash",
        "identifier",
        F.sha2(F.col("held.value"), 256).alias("value_hash"),
        F.col("held.is_blocked").alias("is_blocked"),
    )


def _held(identifier: Identifier) -> Column:
    field = identifier.field
    is_column = field in _PLAIN_COLUMNS
    value = F.col(field).cast("string") if is_column else F.try_element_at("identifiers", F.lit(field))
    is_blocked = value.isin(list(identifier.blocked)) if identifier.blocked else F.lit(False)
    return F.struct(value.alias("value"), is_blocked.alias("is_blocked"))


def max_records(identity: Identity) -> Column:
    """How many records may hold a value of the row's `identifier` for it to tie them."""
    return _per_identifier([F.lit(identifier.max_records) for identifier in identity.identifiers], "int")


def _is_limited(identity: Identity) -> Column:
    return _per_identifier([F.lit(identifier.max_values is not None) for identifier in identity.identifiers], "boolean")


def _per_identifier(settings: list[Column], kind: str) -> Column:
    """The setting of the row's identifier."""
    return F.get(F.array(*settings).cast(f"array<{kind}>"), F.col("identifier"))
