"""Weights of pairs, and the counts that a model and a threshold are learnt from."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.core.broadcast import Broadcast
from pyspark.sql import Column, DataFrame, functions as F, types as T, Window as W
from pyspark.sql.pandas.functions import arrow_udf

from cdp_lib.settings.matching import Matching, Veto
from cdp_lib.transforms.identity.blocking import rule_name
from cdp_lib.transforms.identity.comparison import compared_blocks, PLACES
from cdp_lib.transforms.identity.grading import LEVELS
from cdp_lib.transforms.identity.held_blocks import HeldBlocks
from cdp_lib.transforms.identity.held_records import HeldRecords, term_key
from cdp_lib.transforms.identity.pairing import Ints
from cdp_lib.transforms.identity.weights import PairWeigher, Weights

BIN_BITS = 0.25
"""Width of the bins that a threshold is chosen from."""

_MOST_BITS = 60.0


def pattern_counts(compared: DataFrame, matching: Matching) -> DataFrame:
    """One row per pattern of levels: `<field>_level`, is_vetoed, pair_count, random_count. A few thousand rows.

    `compared` are `candidate_and_random_pairs`, compared: pair_count of them are candidates, random_count drawn at
    random; a pair may be both.
    """
    levels = [f"{field}_level" for field in matching.fields]
    patterns = compared.groupBy(*levels).agg(
        F.count("rule").alias("pair_count"), F.count_if("is_random").alias("random_count")
    )
    return patterns.select(*levels, is_vetoed(matching).alias("is_vetoed"), "pair_count", "random_count")


LEAST_HELD = 5
"""Records that hold a value before its frequency is told apart: the hash of a value that one person or household holds
could be guessed from the model, and would tell that it is here."""


def term_counts(comparable: DataFrame, matching: Matching) -> DataFrame:
    """How often values occur: field, term, record_count, square_sum, value_count.

    One row per field and frequent value (`max_terms` of them, held by at least LEAST_HELD records), and one with a null
    term for the rest: record_count records hold value_count values, and square_sum is the sum of their squared counts.
    """
    values = [F.when(F.col(field).isNotNull(), term_key(F.col(field))) for field in matching.fields]
    # Fields travel as their place, and are named at the end.
    held = comparable.select(F.array(*values).cast("array<bigint>").alias("terms"))
    terms = held.select(F.posexplode_outer("terms").alias("place", "term")).where(F.col("term").isNotNull())
    counted = terms.groupBy("place", "term").agg(F.count(F.lit(1)).alias("record_count"))
    # Values of few records are never frequent, and most: summed first, they need not be ranked.
    folded = _summed(counted, F.col("record_count") >= LEAST_HELD, F.lit(1))
    by_count = W.partitionBy("place").orderBy(F.col("term").isNull(), F.col("record_count").desc(), "term")
    ranked = folded.select("*", F.row_number().over(by_count).alias("rank"))
    summed = _summed(ranked, F.col("rank") <= matching.max_terms, F.col("value_count"))
    field = F.get(F.array(*(F.lit(field) for field in matching.fields)), F.col("place")).alias("field")
    return summed.select(field, "term", "record_count", "square_sum", "value_count")


def held_term_counts(records: HeldRecords, matching: Matching) -> pa.Table:
    """What `term_counts` says of held records."""
    of_fields = [_counted(field, records.terms(field), matching.max_terms) for field in matching.fields]
    return pa.concat_tables(of_fields)


def _counted(field: str, terms: Ints, max_terms: int) -> pa.Table:
    """The frequent values of a field, and all others in one row: by numpy, what `term_counts` does by Spark."""
    values, counts = np.unique(terms, return_counts=True)
    frequent = np.flatnonzero(counts >= LEAST_HELD)
    kept = frequent[np.lexsort((values[frequent], -counts[frequent]))][:max_terms]
    others = np.delete(counts, kept)
    told = pa.table(
        {
            "field": pa.array([field] * len(kept), pa.string()),
            "term": values[kept],
            "record_count": counts[kept],
            "square_sum": counts[kept] ** 2,
            "value_count": np.ones(len(kept), dtype=np.int64),
        }
    )
    summed = [[field], [None], [int(others.sum())], [int((others**2).sum())], [len(others)]]
    return pa.concat_tables([told, pa.table(summed, schema=told.schema)]) if len(others) else told


def _summed(counted: DataFrame, is_kept: Column, value_count: Column) -> DataFrame:
    """Counts by place and term; the terms not kept are summed into one row of the place, whose term is null."""
    count = F.col("record_count")
    square = F.col("square_sum") if "square_sum" in counted.columns else count * count
    return counted.groupBy("place", F.when(is_kept, F.col("term")).alias("term")).agg(
        F.sum(count).alias("record_count"), F.sum(square).alias("square_sum"), F.sum(value_count).alias("value_count")
    )


def score_pairs(compared: DataFrame, term_weights: pa.Table, weights: Weights, matching: Matching) -> DataFrame:
    """One row per pair with what each field weighs, the sum, and whether a veto forbids it.

    record_l, record_r, blocking_rule, `<field>_level`, `<field>_weight`, rival_weight, match_weight, match_probability,
    is_vetoed. `compared` is what `compare_pairs` returns for candidate pairs. `term_weights` (field, term, weight;
    unique; at most max_terms a field) tells what agreeing on a frequent value adds to its level. A field that a record
    says nothing of weighs 0. rival_weight, 0 or less, takes back what a household or namesakes explain as well:
    -log2(1 + odds of the rivals against strangers). match_weight is the prior plus these weights as they stand.
    """
    weigher = PairWeigher(term_weights, weights, matching)
    # By joins with the frequent values each field would be a query of its own.
    # Spark asks for type hints in place of the second argument, but its stub does not know that form.
    bits = T.StructType([T.StructField(name, T.DoubleType()) for name in weigher.outputs])
    weigh = arrow_udf(weigher.weigh, bits)  # type: ignore[call-overload]
    levels = [f"{field}_level" for field in matching.fields]
    weighed = compared.select("record_l", "record_r", "rule", *levels, weigh(*weigher.inputs).alias("weighed"))
    return _judged(weighed.select("*", "weighed.*").drop("weighed"), weigher.outputs, matching)


def score_held_pairs(
    compared: DataFrame, held: Broadcast[HeldRecords], term_weights: pa.Table, weights: Weights, matching: Matching
) -> DataFrame:
    """What `score_pairs` returns but for the parts of the sum, of pairs of held records, compared."""
    weigher = PairWeigher(term_weights, weights, matching)
    asked = compared.select(*PLACES, "rule", *(f"{field}_level" for field in matching.fields))
    weighed = asked.mapInArrow(partial(_weighed, held, weigher), _weighed_columns(matching))
    return _judged(weighed, ["match_weight"], matching)


def score_held_blocks(
    tasks: DataFrame, blocks: Broadcast[HeldBlocks], held: Broadcast[HeldRecords], weigher: PairWeigher, above: float
) -> DataFrame:
    """What `score_held_pairs` returns of the pairs that `compare_held_blocks` finds, but for those of `above` or less.

    By one pass: a pair that is not kept never leaves the worker that made it. `blocks` are those of rules alone.
    """
    matching = weigher.matching
    weighed = tasks.mapInArrow(partial(_met, blocks, held, weigher, above), _weighed_columns(matching))
    return _judged(weighed, ["match_weight"], matching)


def _met(
    blocks: Broadcast[HeldBlocks],
    held: Broadcast[HeldRecords],
    weigher: PairWeigher,
    above: float,
    tasks: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    compared = compared_blocks(blocks, held, weigher.matching, tasks)
    for batch in _weighed(held, weigher, (pairs.drop_columns(["is_random"]) for pairs in compared)):
        yield batch.filter(pc.greater(batch["match_weight"], above))


def _weighed_columns(matching: Matching) -> T.StructType:
    """What `_weighed` yields."""
    names = [T.StructField(side, T.BinaryType()) for side in ("record_l", "record_r")]
    levels = [T.StructField(f"{field}_level", T.ByteType()) for field in matching.fields]
    rule, weight = T.StructField("rule", T.IntegerType()), T.StructField("match_weight", T.DoubleType())
    return T.StructType([*names, rule, *levels, weight])


def _weighed(
    held: Broadcast[HeldRecords], weigher: PairWeigher, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The pairs with the keys of their records, and their weight."""
    records = held.value
    for batch in batches:
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        left, right = (columns.pop(name).to_numpy() for name in PLACES)
        inputs = [columns[name] if name in columns else records.values(name, left) for name in weigher.inputs]
        names = {"record_l": records.values("record_key", left), "record_r": records.values("record_key", right)}
        weight = weigher.weigh(*inputs).field("match_weight")
        yield pa.RecordBatch.from_pydict(names | columns | {"match_weight": weight})


def _judged(weighed: DataFrame, bits: Sequence[str], matching: Matching) -> DataFrame:
    return weighed.select(
        "record_l",
        "record_r",
        rule_name(matching).alias("blocking_rule"),
        *(f"{field}_level" for field in matching.fields),
        is_vetoed(matching).alias("is_vetoed"),
        *bits,
        match_probability(F.col("match_weight")).alias("match_probability"),
    )


def match_probability(weight: Column) -> Column:
    """The probability that bits of weight stand for."""
    return 1 / (1 + F.pow(F.lit(2.0), -F.greatest(F.least(weight, F.lit(_MOST_BITS)), F.lit(-_MOST_BITS))))


def weight_counts(scored: DataFrame) -> DataFrame:
    """What a threshold is chosen from: match_weight in bins of a quarter bit, pair_count, false_pairs (expected).

    `match_weight` is the bin's lower end. Pairs under a veto are left out.
    """
    lower = (F.floor(F.col("match_weight") / BIN_BITS) * BIN_BITS).alias("match_weight")
    binned = scored.where(~F.col("is_vetoed")).select(lower, (1 - F.col("match_probability")).alias("doubt"))
    return binned.groupBy("match_weight").agg(
        F.count(F.lit(1)).alias("pair_count"), F.sum("doubt").alias("false_pairs")
    )


def is_vetoed(matching: Matching) -> Column:
    """Whether a veto says that the pair is two people."""
    answer = F.lit(False)
    for veto in matching.vetoes:
        answer = answer | _veto(veto, matching)
    return answer


def named_pairs(scored: DataFrame) -> DataFrame:
    """The same pairs with record_l and record_r as text: the first 32 hex digits of the records' hashes."""
    return scored.withColumns({side: F.lower(F.hex(side)) for side in ("record_l", "record_r")})


def _veto(veto: Veto, matching: Matching) -> Column:
    highest = {entry.field: len(LEVELS[entry.kind]) - 1 for entry in matching.comparisons}

    def agrees(field: str) -> Column:
        return F.coalesce(F.col(f"{field}_level") == highest[field], F.lit(False))

    answer = F.lit(False)
    for field in veto.different:
        answer = answer | F.coalesce(F.col(f"{field}_level") == 0, F.lit(False))
    for field in veto.same:
        answer = answer & agrees(field)
    for field in veto.unless:
        answer = answer & ~agrees(field)
    return answer
