"""A card for each segment: how many customers are in it, their medians, and these in words."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, functions as F, Window as W

_EVERYBODY = "everybody"


def segment_cards(members: DataFrame, figures: DataFrame, words: Mapping[str, str]) -> DataFrame:
    """One row per segment of `members` (golden_id, segment, segment_name): counts, share, `figures`, `description`.

    `figures` has golden_id and a double column per key of `words`, which says how a card calls it; a customer may be
    absent. Medians are exact; a feature that nobody of the segment has is absent from its map and its words.
    """
    known = members.select("golden_id", "segment", "segment_name").join(figures, "golden_id", "left")
    of_all = known.select("golden_id", F.lit(None).cast("string").alias("segment"), *words)
    both = known.select("golden_id", "segment", *words).unionByName(of_all)
    medians = both.groupBy("segment").agg(
        F.count(F.lit(1)).alias("customer_count"), *[F.median(name).alias(name) for name in words]
    )
    names = members.groupBy("segment").agg(F.min("segment_name").alias("segment_name"))
    whole = W.partitionBy(F.lit(_EVERYBODY))
    is_all = F.col("segment").isNull()
    beside = medians.select(
        "*",
        F.max(F.when(is_all, F.col("customer_count"))).over(whole).alias("everybody_count"),
        *[F.max(F.when(is_all, F.col(name))).over(whole).alias(f"all_{name}") for name in words],
    ).where(~is_all)
    share = F.col("customer_count") / F.col("everybody_count")
    entries = F.array(*[F.struct(F.lit(name).alias("name"), F.col(name).alias("value")) for name in words])
    present = F.map_from_entries(F.filter(entries, lambda entry: entry["value"].isNotNull()))
    return beside.join(names, "segment", "inner").select(
        "segment",
        "segment_name",
        "customer_count",
        share.alias("customer_share"),
        present.alias("figures"),
        _description(share, words).alias("description"),
    )


def _description(share: Column, words: Mapping[str, str]) -> Column:
    """E.g. `12.0% of customers. Median: 9 days since the last purchase (all: 60), ...`."""
    told = [
        F.when(
            F.col(name).isNotNull(), F.format_string(f"%s {called} (all: %s)", _figure(name), _figure(f"all_{name}"))
        )
        for name, called in words.items()
    ]
    listed = F.array_join(F.array_compact(F.array(*told)), ", ")
    sentence = F.format_string("%.1f%% of customers.", share * 100)
    return F.when(listed == "", sentence).otherwise(F.concat(sentence, F.lit(" Median: "), listed, F.lit(".")))


def _figure(name: str) -> Column:
    value = F.col(name)
    is_round = (F.abs(value) >= 10) | (value == F.floor(value))
    return F.when(is_round, F.format_string("%,.0f", value)).otherwise(F.format_string("%.2f", value))
