"""Why two records weigh what they weigh: every part of the sum apart, the vetoes, and the blocks that both are in."""

from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.matching import Matching, Veto
from cdp_lib.transforms.identity.blocking import block_keys, cap_of_key, rule_of_key
from cdp_lib.transforms.identity.comparison import compare_pairs
from cdp_lib.transforms.identity.scoring import is_vetoed, score_pairs
from cdp_lib.transforms.identity.weights import Weights


@dataclass(frozen=True)
class Scale:
    """What pairs are weighed with: the settings, a model's weights, and the largest block that each rule compares."""

    matching: Matching
    weights: Weights
    caps: tuple[int, ...]


def explain_pairs(
    pairs: DataFrame, comparable: DataFrame, all_keys: DataFrame, term_weights: pa.Table, scale: Scale
) -> DataFrame:
    """One row per pair asked about, whether or not a rule brought it together: the parts of its weight and their sum.

    record_l, record_r, blocking_rule (the first rule that compares them; null: none does), per field `<field>_level`,
    `<field>_level_bits` (0 where a record says nothing of it) and `<field>_rarity_bits` (what the value agreed on adds
    or takes), prior_weight, rival_weight, match_weight (the sum of these, as `score_pairs` has it), match_probability,
    is_vetoed, vetoes (names of those that apply), blocks (rule, record_count, max_records of every rule whose key both
    have; it compares them if record_count is at most max_records).

    `pairs` (record_l < record_r, unique) are a few; `comparable` are their records, `all_keys` the `block_keys` of all
    records under no caps, which tell how large the blocks are.
    """
    matching = scale.matching
    met = pairs.select("record_l", "record_r").join(
        F.broadcast(_blocks_of_pairs(pairs, comparable, all_keys, scale)), ["record_l", "record_r"], "left"
    )
    compared = compare_pairs(met.select("record_l", "record_r", "rule"), comparable, matching)
    scored = score_pairs(compared, term_weights, scale.weights, matching)
    return scored.join(F.broadcast(met.select("record_l", "record_r", "blocks")), ["record_l", "record_r"]).select(
        "record_l",
        "record_r",
        "blocking_rule",
        *(F.col(f"{field}_level") for field in matching.fields),
        *(_level_bits(field, scale.weights).alias(f"{field}_level_bits") for field in matching.fields),
        *(
            (F.col(f"{field}_weight") - _level_bits(field, scale.weights)).alias(f"{field}_rarity_bits")
            for field in matching.fields
        ),
        F.lit(scale.weights.prior).alias("prior_weight"),
        "rival_weight",
        "match_weight",
        "match_probability",
        "is_vetoed",
        _vetoes(matching).alias("vetoes"),
        F.coalesce("blocks", F.array().cast("array<struct<rule:string,record_count:bigint,max_records:int>>")).alias(
            "blocks"
        ),
    )


def veto_name(veto: Veto) -> str:
    """The veto in words."""
    said = f"same {', '.join(veto.same)}, but another {' or '.join(veto.different)}"
    return f"{said} (unless {' or '.join(veto.unless)} agrees)" if veto.unless else said


def _blocks_of_pairs(pairs: DataFrame, comparable: DataFrame, all_keys: DataFrame, scale: Scale) -> DataFrame:
    """One row per pair that shares a key: rule (the first that compares it; null: none) and blocks, by rule."""
    own = block_keys(comparable, scale.matching).select("record_key", "key")
    left = own.select(F.col("record_key").alias("record_l"), "key")
    right = own.select(F.col("record_key").alias("record_r"), "key")
    shared = pairs.select("record_l", "record_r").join(left, "record_l", "inner").join(right, ["record_r", "key"])
    of_pairs = F.broadcast(shared.select("key").distinct())
    sizes = all_keys.join(of_pairs, "key", "left_semi").groupBy("key").agg(F.count(F.lit(1)).alias("record_count"))
    placed = shared.join(F.broadcast(sizes), "key", "left").select(
        "record_l",
        "record_r",
        rule_of_key().alias("rule"),
        F.coalesce("record_count", F.lit(0)).alias("record_count"),
        cap_of_key(scale.caps).alias("max_records"),
    )
    block = F.struct("rule", "record_count", "max_records")
    is_compared = F.col("record_count") <= F.col("max_records")
    named = placed.select("record_l", "record_r", "rule", block.alias("block"), is_compared.alias("is_compared"))
    met = named.groupBy("record_l", "record_r").agg(
        F.min(F.when(F.col("is_compared"), F.col("rule"))).alias("first_rule"),
        F.sort_array(F.collect_list("block")).alias("blocks"),
    )
    return met.select("record_l", "record_r", F.col("first_rule").alias("rule"), _named(scale.matching).alias("blocks"))


def _named(matching: Matching) -> Column:
    """The blocks with their rules by name."""
    names = F.array(*(F.lit(rule.name) for rule in matching.blocking))
    return F.transform(
        "blocks",
        lambda block: F.struct(
            F.get(names, block.rule).alias("rule"),
            block.record_count.alias("record_count"),
            block.max_records.alias("max_records"),
        ),
    )


def _level_bits(field: str, weights: Weights) -> Column:
    levels = F.array(*(F.lit(float(bits)) for bits in weights.levels[field]))
    return F.coalesce(F.get(levels, F.col(f"{field}_level")), F.lit(0.0))


def _vetoes(matching: Matching) -> Column:
    """Names of the vetoes that apply, each judged as the only one."""
    apply = [
        F.when(is_vetoed(matching.model_copy(update={"vetoes": (veto,)})), F.lit(veto_name(veto)))
        for veto in matching.vetoes
    ]
    return F.array_compact(F.array(*apply)) if apply else F.array().cast("array<string>")
