"""A feed that groups: one entity row per group, whatever its columns are called."""

from datetime import datetime, UTC

from pyspark.sql import SparkSession

from cdp_lib.settings.pack import PackInfo
from cdp_lib.settings.source import Source
from cdp_lib.transforms.ingest.conform import conform_feed
from cdp_lib.transforms.ingest.versions import rows_of_groups, rows_that_count, touched_groups

INFO = PackInfo(kind="pack", id="deli", currency="EUR", time_zone="UTC")
AT = datetime(2025, 1, 1, tzinfo=UTC)
SOURCE = Source.model_validate(
    {
        "kind": "source",
        "id": "till",
        "read": {"format": "csv", "path": "*.csv"},
        "key": ["line"],
        "columns": {
            "line": {"type": "string"},
            "order_id": {"type": "string"},
            "at": {"type": "timestamp"},
            "amount": {"type": "decimal(18,2)"},
        },
        "feeds": [
            {
                "to": "order",
                "group_by": ["order_id"],
                "map": {
                    "order_id": "order_id",
                    "ordered_at": "min(at)",
                    "paid_amount": "sum(amount)",
                    "source_updated_at": "max(at)",
                },
            }
        ],
    }
)


SHAPE = (
    "line string, order_id string, at timestamp, amount int, _source_file string, _ingested_at timestamp, "
    "_row_number bigint"
)


def line(number: str, order: str, amount: int, day: int) -> tuple:
    return (number, order, AT, amount, f"day-{day}", AT, 1)


def paid(spark: SparkSession, bronze: list[tuple], changed: list[tuple] | None = None) -> dict[str, int]:
    """What each order that is looked at has been paid; all are where nothing is said of what changed."""
    feed, current = SOURCE.feeds[0], spark.createDataFrame(bronze, SHAPE)
    if changed is None:
        rows = rows_that_count(current, SOURCE, feed)
    else:
        groups = touched_groups(spark.createDataFrame(changed, SHAPE), current, SOURCE, feed)
        rows = rows_of_groups(current, groups, SOURCE, feed)
    return {row["order_id"]: int(row["paid_amount"]) for row in conform_feed(rows, SOURCE, feed, INFO).collect()}


def test_a_row_that_comes_in_another_group_leaves_its_former_one(spark: SparkSession) -> None:
    before = [line("1", "a", 2, 1), line("2", "a", 3, 1), line("3", "b", 4, 1)]
    moved = [line("2", "b", 3, 2)]

    assert paid(spark, before + moved, moved) == {"a": 2, "b": 7}
    assert paid(spark, before + moved) == {"a": 2, "b": 7}


def test_a_former_version_stays_gone_when_its_old_group_changes_again(spark: SparkSession) -> None:
    bronze = [line("1", "a", 2, 1), line("2", "a", 3, 1), line("3", "b", 4, 1), line("2", "b", 3, 2)]
    later = [line("1", "a", 5, 3)]

    assert paid(spark, bronze + later, later) == {"a": 5}


def test_a_group_column_may_be_called_like_the_entitys_own(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [("1", "a", AT, 2, "f", AT, 1), ("2", "a", AT, 3, "f", AT, 2), ("3", "b", AT, 4, "f", AT, 3)],
        SHAPE,
    )
    found = conform_feed(rows, SOURCE, SOURCE.feeds[0], INFO)

    orders = sorted((row["order_id"], str(row["paid_amount"]), row["_row_number"]) for row in found.collect())
    assert orders == [("a", "5.00", 2), ("b", "4.00", 3)]
