"""When people buy: hours, weekdays, and the days between two purchases."""

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.transforms.purchase.baskets import ALL, as_patterns

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TENTHS = 10
"""A person's mean gap is kept to a tenth of a day: few values, so that exact percentiles cost little."""


def basket_times(baskets: DataFrame) -> DataFrame:
    """One pattern per hour (`basket_hour`, 00 to 23) and per weekday (`basket_weekday`, monday to sunday).

    `support_count` counts baskets then, in the zone's clock time; `support_share` is their share of all baskets.
    An hour or weekday without a basket is absent.
    """
    hour = F.struct(F.lit("basket_hour").alias("pattern_type"), F.date_format("local_at", "HH").alias("subject"))
    weekday = F.struct(F.lit("basket_weekday").alias("pattern_type"), weekday_name("local_at").alias("subject"))
    at = baskets.select(F.explode(F.array(hour, weekday)).alias("at")).groupBy("at.pattern_type", "at.subject")
    counted = at.agg(F.count("*").alias("support_count")).withColumn("basis_count", baskets.agg(F.count("*")).scalar())
    return as_patterns(
        counted.withColumns(
            {
                "object": F.lit(ALL),
                "measure": F.lit("baskets"),
                "support_share": F.col("support_count") / F.col("basis_count"),
                "unit": F.lit("baskets"),
            }
        )
    )


def weekday_name(at: str) -> Column:
    """monday to sunday."""
    return F.element_at(F.array(*[F.lit(name) for name in WEEKDAYS]), F.weekday(at) + 1)


def purchase_gaps(baskets: DataFrame) -> DataFrame:
    """Patterns `purchase_gap` (all purchases) and `purchase_gap_by_category` (subject: the category), in days.

    A person with purchases on at least two days counts once, by the mean of the gaps between them, to a tenth of a
    day. Measures `mean`, `median` and `p90` over people, in `value`; `support_count` counts the people.
    """
    of_people = baskets.filter(F.col("golden_id").isNotNull())
    overall = F.array(F.struct(F.lit("purchase_gap").alias("pattern_type"), F.lit(ALL).alias("subject")))
    by_category = F.transform(
        "categories",
        lambda name: F.struct(F.lit("purchase_gap_by_category").alias("pattern_type"), name.alias("subject")),
    )
    day = F.col("local_at").cast("date").alias("day")
    per_person = (
        of_people.select("golden_id", day, F.explode(F.concat(overall, by_category)).alias("of"))
        .groupBy("golden_id", "of.pattern_type", "of.subject")
        .agg(F.count_distinct("day").alias("days"), F.datediff(F.max("day"), F.min("day")).alias("span"))
        .filter(F.col("days") > 1)
    )
    tenths = F.round(F.col("span") * _TENTHS / (F.col("days") - 1)).cast("bigint")
    measures = {
        "mean": F.sum(tenths) / F.count("*"),
        "median": F.percentile(tenths, F.lit(0.5)),
        "p90": F.percentile(tenths, F.lit(0.9)),
    }
    over_people = per_person.groupBy("pattern_type", "subject").agg(
        F.count("*").alias("support_count"),
        F.array(
            *[F.struct(F.lit(name).alias("measure"), (of / _TENTHS).alias("value")) for name, of in measures.items()]
        ).alias("measures"),
    )
    told = over_people.select("pattern_type", "subject", "support_count", F.explode("measures").alias("one"))
    return as_patterns(told.select("*", "one.*").withColumns({"object": F.lit(ALL), "unit": F.lit("days")}))
