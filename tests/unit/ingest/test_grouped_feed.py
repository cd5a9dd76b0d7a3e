"""A feed that groups: one entity row per group, whatever its columns are called."""

from datetime import datetime, UTC

from pyspark.sql import SparkSession

from cdp_lib.settings.pack import PackInfo
from cdp_lib.settings.source import Source
from cdp_lib.transforms.ingest.conform import conform_feed

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


def test_a_group_column_may_be_called_like_the_entitys_own(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [("1", "a", AT, 2, "f", AT, 1), ("2", "a", AT, 3, "f", AT, 2), ("3", "b", AT, 4, "f", AT, 3)],
        "line string, order_id string, at timestamp, amount int, _source_file string, _ingested_at timestamp, "
        "_row_number bigint",
    )
    found = conform_feed(rows, SOURCE, SOURCE.feeds[0], INFO)

    orders = sorted((row["order_id"], str(row["paid_amount"]), row["_row_number"]) for row in found.collect())
    assert orders == [("a", "5.00", 2), ("b", "4.00", 3)]
