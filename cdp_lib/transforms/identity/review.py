"""Uncertain pairs for people to judge: those next to the threshold, in words."""

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.contracts.silver import RECORD_KEY
from cdp_lib.settings.matching import Comparison, Matching
from cdp_lib.transforms.identity.exact import ID_DIGITS, record_hash
from cdp_lib.transforms.identity.grading import LEVELS


def review_pairs(
    pairs: DataFrame, links: DataFrame, decisions: DataFrame, matching: Matching, *, threshold: float
) -> DataFrame:
    """Rows of silver.review_pair: the `review_pairs` most uncertain pairs within `review_bits` of the threshold.

    Left out are vetoed pairs, pairs that people decided (`decisions_in_force`), and pairs one of whose records no link
    knows. `pairs` is silver.match_pair, `links` silver.identity_link of the same records.
    """
    distance = F.abs(F.col("match_weight") - threshold)
    near = pairs.where((distance <= matching.review_bits) & ~F.col("is_vetoed"))
    decided = decisions.select(*(F.lower(F.hex(side)).alias(side) for side in ("record_l", "record_r")))
    open_pairs = near.join(decided, ["record_l", "record_r"], "left_anti").select(
        "record_l",
        "record_r",
        "blocking_rule",
        *(f"{field}_level" for field in matching.fields),
        "match_weight",
        "match_probability",
        "model_version",
        distance.alias("distance"),
    )
    chosen = open_pairs.orderBy("distance", "record_l", "record_r").limit(matching.review_pairs)
    # Every pair is one partition's work from here on: the settings bound their number.
    place = F.row_number().over(W.orderBy("distance", "record_l", "record_r"))
    return _with_records(chosen, links).select(
        place.cast("bigint").alias("place"),
        "record_l",
        "record_r",
        *(f"{name}_{side}" for side in "lr" for name in RECORD_KEY),
        "blocking_rule",
        _agreement(matching).alias("agreement"),
        "match_weight",
        "match_probability",
        "is_together",
        "model_version",
    )


def _with_records(chosen: DataFrame, links: DataFrame) -> DataFrame:
    """Adds both records' source ids, and whether they are one person; one pass over the links."""
    records = [F.struct(F.lit(side).alias("side"), F.col(f"record_{side}").alias("record")) for side in "lr"]
    wanted = chosen.select("*", F.explode(F.array(*records)).alias("held")).select(*chosen.columns, "held.*")
    named = links.select(F.substring(record_hash(), 1, ID_DIGITS).alias("record"), *RECORD_KEY, "golden_id")
    found = named.join(F.broadcast(wanted), "record", "inner")
    of_side = [
        F.max(F.when(F.col("side") == side, F.col(name))).alias(f"{name}_{side}")
        for side in "lr"
        for name in (*RECORD_KEY, "golden_id")
    ]
    both = found.groupBy(*chosen.columns).agg(*of_side)
    is_whole = F.col("golden_id_l").isNotNull() & F.col("golden_id_r").isNotNull()
    return both.where(is_whole).withColumn("is_together", F.col("golden_id_l") == F.col("golden_id_r"))


def _agreement(matching: Matching) -> Column:
    """Field: how well it agrees, in words; fields that a record says nothing of are absent."""
    said = [F.struct(F.lit(entry.field).alias("field"), _words(entry).alias("words")) for entry in matching.comparisons]
    return F.map_from_entries(F.filter(F.array(*said), lambda one: one["words"].isNotNull()))


def _words(entry: Comparison) -> Column:
    return F.get(F.array(*(F.lit(words) for words in LEVELS[entry.kind])), F.col(f"{entry.field}_level"))
