"""Which identifier values may tie records, what is left out, and the clusters that come back."""

import hashlib

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from cdp_lib.contracts.silver import CUSTOMER_RECORD
from cdp_lib.models.identity.linkage import Limits
from cdp_lib.models.identity.people import IdentityGraph, part_records
from cdp_lib.settings.identity import Identifier, Identity
from cdp_lib.transforms.identity.exact import blocked_identifiers, identifier_keys, record_clusters, record_hash
from tests.builders import rows
from tests.unit.identity.steps import hash_of, id_of

KEY_SCHEMA = "record_key binary, identifier int, value_key binary"
NO_PAIRS = Limits(threshold=float("inf"), together=0.0, absent=0.0, max_component=2_000)
REPORT_SCHEMA = "identifier int, field string, value_hash string, record_count bigint, reason string"


def _identity(*identifiers):
    return Identity(kind="identity", identifiers=identifiers)


def _parted(records, identity):
    return part_records(IdentityGraph(keys=identifier_keys(records, identity).toArrow()), identity, NO_PAIRS)


def _records(spark, *given):
    """customer_record rows of one source, ids a, b, c, ... in order."""
    return rows(
        spark,
        CUSTOMER_RECORD,
        *[{"source_system": "crm", "source_record_id": chr(97 + place)} | row for place, row in enumerate(given)],
    )


def _sha(value):
    return hashlib.sha256(value.encode()).hexdigest()


def _keys(spark, *keys):
    coded = [
        (bytearray.fromhex(id_of(record)), identifier, bytearray.fromhex(_sha(value)[:32]))
        for record, identifier, value in keys
    ]
    return spark.createDataFrame(coded, KEY_SCHEMA)


def _assert_same(actual, expected):
    assert_df_equality(actual, expected, ignore_row_order=True, ignore_nullable=True)


def test_record_hash_tells_apart_keys_that_read_the_same_when_joined(spark):
    named = spark.createDataFrame(
        [("a", "bc"), ("ab", "c"), ("a", 'b"')], "source_system string, source_record_id string"
    )
    expected = spark.createDataFrame(
        [(hash_of("bc", "a"),), (hash_of("c", "ab"),), (hash_of('b"', "a"),)], "record_hash string"
    )

    _assert_same(named.select(record_hash().alias("record_hash")), expected)


def test_keys_come_from_columns_and_from_the_identifiers_map_by_priority(spark):
    records = _records(
        spark,
        {"email": "x@example.org", "identifiers": {"member_id": "7"}},
        {"email": "x@example.org", "identifiers": {"member_id": "7", "other": "x"}},
    )

    keys = identifier_keys(records, _identity(Identifier(field="member_id"), Identifier(field="email")))

    _assert_same(keys, _keys(spark, *[(record, *key) for record in "ab" for key in ((0, "7"), (1, "x@example.org"))]))


def test_null_and_blank_values_tie_nobody(spark):
    records = _records(
        spark,
        {"email": None, "identifiers": None},
        {"email": None, "identifiers": {"other": "1"}},
        {"email": " ", "identifiers": {"member_id": ""}},
        {"email": " ", "identifiers": {"member_id": ""}},
    )

    keys = identifier_keys(records, _identity(Identifier(field="member_id", max_values=1), Identifier(field="email")))

    _assert_same(keys, _keys(spark))


def test_value_of_one_record_is_kept_only_where_values_are_limited(spark):
    records = _records(spark, {"email": "x@example.org", "phone": "+6620000001"})

    keys = identifier_keys(records, _identity(Identifier(field="email", max_values=1), Identifier(field="phone")))

    _assert_same(keys, _keys(spark, ("a", 0, "x@example.org")))


def test_same_value_under_two_identifiers_ties_nobody(spark):
    records = _records(spark, {"identifiers": {"old": "7"}}, {"identifiers": {"new": "7"}})

    _assert_same(identifier_keys(records, _identity(Identifier(field="old"), Identifier(field="new"))), _keys(spark))


def test_date_column_can_be_an_identifier(spark):
    records = _records(spark, {}, {}).withColumn("birth_date", F.lit("1990-02-03").cast("date"))

    keys = identifier_keys(records, _identity(Identifier(field="birth_date")))

    _assert_same(keys, _keys(spark, ("a", 0, "1990-02-03"), ("b", 0, "1990-02-03")))


CROWDED = _identity(Identifier(field="phone", max_records=2), Identifier(field="email", blocked=("info@example.org",)))


def _crowd(spark):
    shared, pair, blocked = {"phone": "+6620000001"}, {"phone": "+6620000002"}, {"email": "info@example.org"}
    return _records(spark, shared, shared, shared | blocked, pair, pair | blocked)


def test_blocked_values_and_values_of_too_many_records_are_left_out(spark):
    _assert_same(
        identifier_keys(_crowd(spark), CROWDED), _keys(spark, ("d", 0, "+6620000002"), ("e", 0, "+6620000002"))
    )


def test_every_value_left_out_is_reported_with_its_count_and_reason(spark):
    expected = spark.createDataFrame(
        [
            (0, "phone", _sha("+6620000001"), 3, "max_records"),
            (1, "email", _sha("info@example.org"), 2, "blocked"),
        ],
        REPORT_SCHEMA,
    )

    _assert_same(blocked_identifiers(_crowd(spark), CROWDED), expected)


@pytest.mark.parametrize("identity", [_identity(), CROWDED])
def test_no_records_give_no_keys_and_no_report(spark, identity):
    _assert_same(identifier_keys(_records(spark), identity), _keys(spark))
    _assert_same(blocked_identifiers(_records(spark), identity), spark.createDataFrame([], REPORT_SCHEMA))


def test_pack_without_identifiers_gives_no_keys(spark):
    _assert_same(identifier_keys(_crowd(spark), _identity()), _keys(spark))


@pytest.mark.parametrize("partitions", [1, 7])
def test_row_order_and_partitions_change_no_key(spark, partitions):
    stirred = _crowd(spark).orderBy(F.rand(seed=1)).repartition(partitions)

    _assert_same(identifier_keys(stirred, CROWDED), identifier_keys(_crowd(spark), CROWDED))


def test_records_get_the_cluster_that_their_keys_lead_to(spark):
    identity = _identity(Identifier(field="email"), Identifier(field="phone"))
    records = _records(
        spark,
        {"email": "x@example.org"},
        {"email": "x@example.org", "phone": "+6620000001"},
        {"phone": "+6620000001"},
        {"phone": "+6620000002"},
    )
    cluster = min(map(id_of, "abc"))
    expected = spark.createDataFrame(
        [
            ("crm", "a", cluster, cluster, "email"),
            ("crm", "b", cluster, cluster, "email,phone"),
            ("crm", "c", cluster, cluster, "phone"),
            ("crm", "d", id_of("d"), id_of("d"), None),
        ],
        "source_system string, source_record_id string, cluster_id string, component_id string, matched_by string",
    )

    memberships = spark.createDataFrame(_parted(records, identity))

    _assert_same(record_clusters(records, memberships), expected)


def test_same_key_given_twice_changes_no_cluster(spark):
    identity = _identity(Identifier(field="email"))
    records = _records(spark, {"email": "x@example.org"}, {"email": "x@example.org"})

    once = _parted(records, identity)
    twice = _parted(records.union(records), identity)

    assert once.sort_by("record_key") == twice.sort_by("record_key")
