"""Which record wins each field of a person, and that it is said."""

from datetime import date, datetime, UTC

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F, types as T

from cdp_lib.contracts.identity import GOLDEN_RECORD
from cdp_lib.contracts.silver import CUSTOMER_RECORD
from cdp_lib.settings.identity import Identity
from cdp_lib.transforms.identity.survivorship import golden_records
from tests.builders import rows
from tests.unit.identity.steps import schema_of

SCHEMA = schema_of(GOLDEN_RECORD)
IDENTITY = Identity(kind="identity", source_priority=("crm", "web"))


def _day(number):
    return datetime(2025, 1, number, tzinfo=UTC)


def _records(spark, *given):
    """(source, id, day of update, other columns) each."""
    return rows(
        spark,
        CUSTOMER_RECORD,
        *[
            {"source_system": source, "source_record_id": record, "source_updated_at": _day(number)} | columns
            for source, record, number, columns in given
        ],
    )


def _one_person(records):
    return records.select("source_system", "source_record_id", F.lit("g").alias("golden_id"))


def _expected(spark, **columns):
    filled = {"golden_id": "g", "field_sources": {}} | columns
    return spark.createDataFrame([tuple(filled.get(name) for name in SCHEMA.names)], SCHEMA)


def _with_sortable_maps(frame):
    """Rows are compared in sorted order, and Spark cannot sort maps."""
    maps = [field.name for field in frame.schema if isinstance(field.dataType, T.MapType)]
    return frame.withColumns({name: F.array_sort(F.map_entries(name)) for name in maps})


def _assert_same(actual, expected):
    assert_df_equality(actual, expected, transforms=[_with_sortable_maps], ignore_row_order=True, ignore_nullable=True)


def test_each_field_comes_from_the_first_source_that_has_it(spark):
    records = _records(
        spark,
        ("web", "1", 9, {"first_name": "Ann", "email": "w@example.org", "birth_date": date(1990, 1, 2)}),
        ("crm", "7", 1, {"first_name": "Anna", "email": None}),
    )
    expected = _expected(
        spark,
        first_name="Anna",
        email="w@example.org",
        birth_date=date(1990, 1, 2),
        source_system="crm",
        source_record_id="7",
        field_sources={"first_name": "crm:7", "email": "web:1", "birth_date": "web:1"},
        record_count=2,
        source_systems=["crm", "web"],
    )

    _assert_same(golden_records(records, _one_person(records), IDENTITY), expected)


ANN, BEA = {"first_name": "Ann"}, {"first_name": "Beatrix"}


@pytest.mark.parametrize(
    ("rules", "given", "winner"),
    [
        (("source_priority",), [("web", "1", 9, ANN), ("crm", "1", 1, BEA)], ("Beatrix", "crm:1")),
        (("source_priority",), [("zoo", "1", 1, ANN), ("app", "2", 1, BEA)], ("Beatrix", "app:2")),
        (("source_priority",), [("app", "1", 1, ANN), ("web", "2", 1, BEA)], ("Beatrix", "web:2")),
        (("newest",), [("crm", "1", 8, ANN), ("web", "1", 9, BEA)], ("Beatrix", "web:1")),
        (("oldest",), [("crm", "1", 9, ANN), ("web", "1", 8, BEA)], ("Beatrix", "web:1")),
        (("longest",), [("crm", "1", 9, ANN), ("web", "1", 1, BEA)], ("Beatrix", "web:1")),
        (
            ("most_frequent",),
            [("crm", "1", 9, ANN), ("web", "2", 1, BEA), ("web", "1", 1, BEA), ("web", "3", 1, {})],
            ("Beatrix", "web:1"),
        ),
        (
            ("most_frequent", "newest"),
            [("crm", "1", 1, ANN), ("crm", "2", 2, ANN), ("web", "1", 3, BEA), ("web", "2", 1, BEA)],
            ("Beatrix", "web:1"),
        ),
        (("source_priority", "newest"), [("crm", "1", 1, ANN), ("crm", "2", 2, BEA)], ("Beatrix", "crm:2")),
        (("newest",), [("crm", "2", 1, ANN), ("crm", "1", 1, BEA)], ("Beatrix", "crm:1")),
        (("newest",), [("web", "1", 1, ANN), ("crm", "2", 1, BEA)], ("Beatrix", "crm:2")),
        ((), [("web", "1", 1, ANN), ("app", "2", 1, BEA)], ("Beatrix", "app:2")),
    ],
)
def test_rules_decide_in_order_and_the_smallest_key_breaks_the_tie(spark, rules, given, winner):
    identity = IDENTITY.model_copy(update={"survivorship": {"first_name": rules}})
    records = _records(spark, *given)

    golden = golden_records(records, _one_person(records), identity)

    _assert_same(
        golden.select("first_name", F.col("field_sources")["first_name"].alias("source")),
        spark.createDataFrame([winner], "first_name string, source string"),
    )


def test_maps_are_merged_key_by_key_and_nulls_never_win(spark):
    records = _records(
        spark,
        ("web", "1", 1, {"identifiers": {"line_id": "l", "member_id": "9"}, "attributes": {"job": "cook"}}),
        ("crm", "1", 1, {"identifiers": {"member_id": "7"}, "attributes": {"job": None}}),
        ("crm", "2", 1, {"identifiers": None, "attributes": {}}),
    )
    expected = _expected(
        spark,
        source_system="crm",
        source_record_id="1",
        identifiers={"line_id": "l", "member_id": "7"},
        attributes={"job": "cook"},
        record_count=3,
        source_systems=["crm", "web"],
    )

    _assert_same(golden_records(records, _one_person(records), IDENTITY), expected)


@pytest.mark.parametrize(("rule", "expected"), [("most_frequent", "b"), ("longest", "long")])
def test_maps_follow_the_default_rules_of_the_pack(spark, rule, expected):
    identity = IDENTITY.model_copy(update={"default_survivorship": (rule, "newest")})
    jobs = ["b", "b", "long"]
    records = _records(spark, *[("crm", str(place), 1, {"attributes": {"job": job}}) for place, job in enumerate(jobs)])

    golden = golden_records(records, _one_person(records), identity)

    _assert_same(
        golden.select(F.col("attributes")["job"].alias("job")), spark.createDataFrame([(expected,)], "job string")
    )


def test_surviving_record_is_of_the_first_source_then_the_newest_whatever_the_default_rules(spark):
    identity = IDENTITY.model_copy(update={"default_survivorship": ("oldest",)})
    records = _records(spark, ("web", "1", 9, {}), ("crm", "1", 1, {}), ("crm", "3", 5, {}), ("crm", "2", 5, {}))
    expected = _expected(
        spark, source_system="crm", source_record_id="2", record_count=4, source_systems=["crm", "web"]
    )

    _assert_same(golden_records(records, _one_person(records), identity), expected)


def test_records_without_link_and_links_without_record_make_nobody(spark):
    records = _records(spark, ("crm", "1", 1, {}), ("crm", "2", 1, {}))
    links = spark.createDataFrame(
        [("crm", "1", "g"), ("crm", "3", "h")], "source_system string, source_record_id string, golden_id string"
    )
    expected = _expected(spark, source_system="crm", source_record_id="1", record_count=1, source_systems=["crm"])

    _assert_same(golden_records(records, links, IDENTITY), expected)


def test_no_records_make_nobody(spark):
    records = _records(spark)

    _assert_same(golden_records(records, _one_person(records), IDENTITY), spark.createDataFrame([], SCHEMA))


def _town(spark):
    """Forty records of about thirteen people, full of ties."""
    return _records(
        spark,
        *[
            (
                ("crm", "web", "app")[n % 3],
                str(n),
                1 + n % 2,
                {"first_name": "AB"[n % 2], "attributes": {"k": str(n % 5)}},
            )
            for n in range(40)
        ],
    )


def _people(records):
    golden_id = F.concat(F.lit("g"), F.col("source_record_id").cast("int") % 13)
    return records.select("source_system", "source_record_id", golden_id.alias("golden_id"))


@pytest.mark.parametrize("partitions", [1, 7])
def test_row_order_and_partitions_change_nothing(spark, partitions):
    records = _town(spark)
    stirred = records.orderBy(F.rand(seed=2)).repartition(partitions)

    _assert_same(
        golden_records(stirred, _people(stirred), IDENTITY), golden_records(records, _people(records), IDENTITY)
    )


def test_some_people_alone_come_out_as_they_do_among_all(spark):
    records = _town(spark)
    is_asked = F.col("golden_id").isin("g1", "g5")

    some = golden_records(records, _people(records).where(is_asked), IDENTITY)

    _assert_same(some, golden_records(records, _people(records), IDENTITY).where(is_asked))
