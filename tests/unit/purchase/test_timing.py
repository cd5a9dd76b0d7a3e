from pyspark.sql import SparkSession

from cdp_lib.transforms.purchase.timing import basket_times, purchase_gaps
from tests.unit.purchase.counter import baskets, PATTERN, pattern
from tests.unit.recommendation.grocer import assert_rows


def test_baskets_by_hour_and_weekday_with_their_shares(spark: SparkSession) -> None:
    frame = baskets(
        spark, ("ann", "2025-01-06 00:00", ["tea"]), (None, "2025-01-06 09:59", ["tea"]),
        ("bob", "2025-01-12 09:00", ["tea"]), ("bob", "2025-01-12 23:59", ["tea"]),
    )  # fmt: skip
    counts = [("hour", "00", 1), ("hour", "09", 2), ("hour", "23", 1), ("weekday", "monday", 2)]
    counts.append(("weekday", "sunday", 2))
    assert_rows(
        basket_times(frame), PATTERN,
        *[pattern(f"basket_{of}", subject, "all", "baskets", support_count=count, basis_count=4,
                  support_share=count / 4, unit="baskets") for of, subject, count in counts],
    )  # fmt: skip


def gaps(pattern_type: str, subject: str, people: int, *values: float) -> list[tuple[object, ...]]:
    return [
        pattern(pattern_type, subject, "all", measure, support_count=people, value=value, unit="days")
        for measure, value in zip(("mean", "median", "p90"), values, strict=True)
    ]


def test_a_person_counts_once_by_the_mean_gap_between_purchase_days(spark: SparkSession) -> None:
    given = [
        ("ann", "2025-01-01 10:00", ["food/tea"]), ("ann", "2025-01-01 18:00", ["bath/soap"]),
        ("ann", "2025-01-03 10:00", ["food/tea"]), ("ann", "2025-01-08 10:00", ["food/tea", "bath/soap"]),
        ("bob", "2025-01-01 10:00", ["food/tea"]), ("bob", "2025-01-11 10:00", ["food/rye"]),
        ("cy", "2025-01-01 10:00", ["food/tea"]), ("cy", "2025-01-01 11:00", ["food/tea"]),
        (None, "2025-01-01 10:00", ["food/tea"]), (None, "2025-01-20 10:00", ["food/tea"]),
        ("dee", "2025-01-01 10:00", ["loose"]), ("dee", "2025-01-21 10:00", ["loose"]),
    ]  # fmt: skip
    expected = [
        *gaps("purchase_gap", "all", 3, (3.5 + 10 + 20) / 3, 10.0, 18.0),
        *gaps("purchase_gap_by_category", "food", 2, 6.75, 6.75, 9.35),
        *gaps("purchase_gap_by_category", "bath", 1, 7.0, 7.0, 7.0),
    ]
    for frame in (baskets(spark, *given), baskets(spark, *given[::-1], *given).repartition(3)):
        assert_rows(purchase_gaps(frame), PATTERN, *expected)


def test_no_baskets_have_no_times(spark: SparkSession) -> None:
    nothing = baskets(spark)
    assert_rows(basket_times(nothing).unionByName(purchase_gaps(nothing)), PATTERN)
