"""How pairs get at what their records say: from workers that hold all records, or by joins where those are too many."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
from pyspark.core.broadcast import Broadcast
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.io.caching import cached
from cdp_lib.io.early_start import start_python_workers
from cdp_lib.models.identity.match_model import Model
from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.blocking import (
    block_sizes,
    candidate_and_random_pairs,
    candidate_pairs,
    kept_keys,
    with_strangers,
    with_strangers_cap,
)
from cdp_lib.transforms.identity.comparison import compare_held_blocks, compare_held_pairs, compare_pairs
from cdp_lib.transforms.identity.held_blocks import HeldBlocks
from cdp_lib.transforms.identity.held_records import held_columns, held_keys, HeldRecords
from cdp_lib.transforms.identity.scoring import (
    held_term_counts,
    score_held_blocks,
    score_held_pairs,
    score_pairs,
    term_counts,
)
from cdp_lib.transforms.identity.weights import PairWeigher, Weights

HELD_AT_MOST, HELD_TOGETHER = 2_000_000, 8_000_000
"""Records, of some 350 bytes, that each Python worker holds whole, and that all workers of one executor hold together:
joins would shuffle them, and their pairs twice."""

PAIRS_EACH = 200_000
"""Pairs that a task makes and compares: a second or two."""


class Blocks(Protocol):
    """All records by the keys of their blocks."""

    def sizes(self, *, one_in: int) -> pa.Table:
        """What `block_sizes` says of the blocks."""

    def compared(self, caps: Sequence[int]) -> DataFrame:
        """The pairs of blocks that are not above their rule's cap: rule, and the levels of their fields.

        Where pairs are drawn at random too, those are among them, and is_random tells which.
        """

    def weighed(self, caps: Sequence[int], model: Model, *, above: float) -> DataFrame:
        """Those that weigh more than `above`, as `Comparer.weigh` returns them; where no pairs are drawn at random."""


class Comparer(Protocol):
    """Compares pairs and weighs them, with one answer whatever way."""

    def blocks(self, keyed: DataFrame, *, drawn_from: int | None) -> AbstractContextManager[Blocks]:
        """The blocks of the records, `keyed` (`with_block_keys`), while the block runs.

        With the number of records, `drawn_from`, pairs are drawn at random from them as well.
        """

    def term_counts(self) -> pa.Table:
        """What `term_counts` says of the records."""

    def compare(self, pairs: DataFrame) -> DataFrame:
        """Pairs of records (record_l, record_r), with the levels of their fields."""

    def weigh(self, compared: DataFrame, model: Model) -> DataFrame:
        """Compared pairs with their weights as `score_pairs` has them, but for the parts of the sum."""


@dataclass(frozen=True)
class ByJoins:
    """Each pair is joined to its records."""

    comparable: DataFrame
    matching: Matching

    @contextmanager
    def blocks(self, keyed: DataFrame, *, drawn_from: int | None) -> Iterator[Blocks]:
        """The blocks, made by a shuffle of their keys."""
        # Who learns asks for the sizes as well.
        with nullcontext(keyed) if drawn_from is None else cached(keyed):
            yield _JoinedBlocks(self, keyed, drawn_from)

    def term_counts(self) -> pa.Table:
        """How often values occur, counted by Spark."""
        return term_counts(self.comparable, self.matching).toArrow()

    def compare(self, pairs: DataFrame) -> DataFrame:
        """The pairs, with the levels of their fields and the values agreed on."""
        return compare_pairs(pairs, self.comparable, self.matching)

    def weigh(self, compared: DataFrame, model: Model) -> DataFrame:
        """Compared pairs with their weights, without what each field weighs: explanations show it."""
        scored = score_pairs(compared, model.term_weights(), weights_of(model), self.matching)
        return scored.drop(*(name for name in scored.columns if name.endswith("_weight") and name != "match_weight"))


@dataclass(frozen=True)
class _JoinedBlocks:
    by: ByJoins
    keyed: DataFrame
    drawn_from: int | None

    def sizes(self, *, one_in: int) -> pa.Table:
        return block_sizes(kept_keys(self.keyed, self.by.matching), one_in=one_in).toArrow()

    def compared(self, caps: Sequence[int]) -> DataFrame:
        matching = self.by.matching
        if self.drawn_from is None:
            return self.by.compare(candidate_pairs(kept_keys(self.keyed, matching), caps))
        keyed = with_strangers(self.keyed, matching, record_count=self.drawn_from)
        return self.by.compare(candidate_and_random_pairs(keyed, matching, caps))

    def weighed(self, caps: Sequence[int], model: Model, *, above: float) -> DataFrame:
        return self.by.weigh(self.compared(caps), model).where(F.col("match_weight") > above)


@dataclass(frozen=True)
class ByLookup:
    """Workers hold the records."""

    records: HeldRecords
    held: Broadcast[HeldRecords]
    matching: Matching

    @contextmanager
    def blocks(self, keyed: DataFrame, *, drawn_from: int | None) -> Iterator[Blocks]:
        """The blocks, made on the driver, for workers to hold as well."""
        all_keys = keyed if drawn_from is None else with_strangers(keyed, self.matching, record_count=drawn_from)
        found = _HeldBlocks(self, keyed.sparkSession, self._blocked(all_keys), [])
        try:
            yield found
        finally:
            for sent in found.sent:
                sent.destroy()

    def _blocked(self, keyed: DataFrame) -> HeldBlocks:
        """The rows that blocks are made of are many, and go once these are made."""
        rows = held_keys(keyed, self.matching).toArrow()
        return HeldBlocks.of_keys(rows, self.records.places_of(rows))

    def term_counts(self) -> pa.Table:
        """How often values occur, counted on the driver."""
        return held_term_counts(self.records, self.matching)

    def compare(self, pairs: DataFrame) -> DataFrame:
        """The pairs, with the levels of their fields; the places of their records stand for those."""
        return compare_held_pairs(pairs, self.held, self.matching)

    def weigh(self, compared: DataFrame, model: Model) -> DataFrame:
        """Compared pairs with their weights; their records go by their keys again."""
        return score_held_pairs(compared, self.held, model.term_weights(), weights_of(model), self.matching)


@dataclass(frozen=True)
class _HeldBlocks:
    by: ByLookup
    spark: SparkSession
    found: HeldBlocks
    sent: list[Broadcast[HeldBlocks]]

    def sizes(self, *, one_in: int) -> pa.Table:
        return self.found.counted(len(self.by.matching.blocking), one_in)

    def compared(self, caps: Sequence[int]) -> DataFrame:
        return compare_held_blocks(*self._sent(with_strangers_cap(caps)), self.by.held, self.by.matching)

    def weighed(self, caps: Sequence[int], model: Model, *, above: float) -> DataFrame:
        weigher = PairWeigher(model.term_weights(), weights_of(model), self.by.matching)
        return score_held_blocks(*self._sent(caps), self.by.held, weigher, above)

    def _sent(self, caps: Sequence[int]) -> tuple[DataFrame, Broadcast[HeldBlocks]]:
        """The blocks up to the caps, sent to the workers, and the tasks that their pairs are made in."""
        blocks = self.found.up_to(caps)
        self.sent.append(self.spark.sparkContext.broadcast(blocks))
        parts = max(-(-blocks.pair_count // PAIRS_EACH), self.spark.sparkContext.defaultParallelism)
        ranged = self.spark.range(parts, numPartitions=parts)
        return ranged.select(F.col("id").alias("part"), F.lit(parts).alias("parts")), self.sent[-1]


@contextmanager
def comparer(comparable: DataFrame, matching: Matching, *, record_count: int) -> Iterator[Comparer]:
    """What compares pairs of these records, as `comparable_records` returns them, while the block runs."""
    records = _held(comparable, matching) if _can_be_held(comparable.sparkSession, record_count) else None
    if records is None or not records.have_own_numbers:
        yield ByJoins(comparable, matching)
        return
    held = comparable.sparkSession.sparkContext.broadcast(records)
    try:
        yield ByLookup(records, held, matching)
    finally:
        held.destroy()


def _can_be_held(spark: SparkSession, record_count: int) -> bool:
    """Whether the memory of a machine does for it: each of its cores may have a worker of its own."""
    context = spark.sparkContext
    workers = workers_at_once(
        str(context.master), context.getConf().get("spark.executor.cores"), context.defaultParallelism
    )
    return record_count <= HELD_AT_MOST and record_count * workers <= HELD_TOGETHER


def workers_at_once(master: str, executor_cores: str | None, all_cores: int) -> int:
    """Python workers that may run side by side in one executor; too many rather than too few where nobody says."""
    if master.startswith("local"):
        return all_cores
    if executor_cores:
        return int(executor_cores)
    return 1 if master.startswith(("yarn", "k8s")) else all_cores


def _held(comparable: DataFrame, matching: Matching) -> HeldRecords:
    rows = held_columns(comparable, matching).toArrow()
    start_python_workers(comparable.sparkSession)  # while the driver is busy
    return HeldRecords(rows)


def weights_of(model: Model) -> Weights:
    """The model as scoring takes it."""
    return Weights(
        prior=model.prior_weight,
        levels=model.levels,
        rare=model.rare,
        rival_priors=model.rival_priors,
        rival_levels=model.rival_levels,
    )
