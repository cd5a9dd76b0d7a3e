"""How pairs get at what their records say: from workers that hold all records, or by joins where those are too many."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from pyspark.core.broadcast import Broadcast
from pyspark.sql import DataFrame

from cdp_lib.models.identity.match_model import Model
from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.comparison import compare_held_pairs, compare_pairs
from cdp_lib.transforms.identity.held_records import held_columns, HeldRecords, record_number
from cdp_lib.transforms.identity.scoring import score_held_pairs, score_pairs
from cdp_lib.transforms.identity.weights import Weights

HELD_AT_MOST = 2_000_000
"""Records, of some 200 bytes, that each Python worker holds whole: joins would shuffle them, and their pairs twice."""


class Comparer(Protocol):
    """Compares pairs and weighs them, with one answer whatever way."""

    @property
    def numbered(self) -> bool:
        """Whether pairs name their records by `record_number`, not by their key."""

    def named(self, pairs: DataFrame) -> DataFrame:
        """Pairs that name their records by key, as `compare` takes them."""

    def compare(self, pairs: DataFrame) -> DataFrame:
        """The pairs, with the levels of their fields."""

    def weigh(self, compared: DataFrame, model: Model) -> DataFrame:
        """Compared pairs with their weights as `score_pairs` has them, but for the parts of the sum.

        Their records go by their keys.
        """


@dataclass(frozen=True)
class ByJoins:
    """Each pair is joined to its records."""

    comparable: DataFrame
    matching: Matching
    numbered: bool = False

    def named(self, pairs: DataFrame) -> DataFrame:
        """The pairs as they are."""
        return pairs

    def compare(self, pairs: DataFrame) -> DataFrame:
        """The pairs, with the levels of their fields and the values agreed on."""
        return compare_pairs(pairs, self.comparable, self.matching)

    def weigh(self, compared: DataFrame, model: Model) -> DataFrame:
        """Compared pairs with their weights, without what each field weighs: explanations show it."""
        scored = score_pairs(compared, model.term_weights(), weights_of(model), self.matching)
        return scored.drop(*(name for name in scored.columns if name.endswith("_weight") and name != "match_weight"))


@dataclass(frozen=True)
class ByLookup:
    """Workers hold the records."""

    held: Broadcast[HeldRecords]
    matching: Matching
    numbered: bool = True

    def named(self, pairs: DataFrame) -> DataFrame:
        """The pairs, their records by number."""
        return pairs.withColumns({side: record_number(side) for side in ("record_l", "record_r")})

    def compare(self, pairs: DataFrame) -> DataFrame:
        """The pairs, with the levels of their fields."""
        return compare_held_pairs(pairs, self.held, self.matching)

    def weigh(self, compared: DataFrame, model: Model) -> DataFrame:
        """Compared pairs with their weights."""
        return score_held_pairs(compared, self.held, model.term_weights(), weights_of(model), self.matching)


@contextmanager
def comparer(comparable: DataFrame, matching: Matching, *, record_count: int) -> Iterator[Comparer]:
    """What compares pairs of these records, as `comparable_records` returns them, while the block runs."""
    is_few = record_count <= HELD_AT_MOST
    records = HeldRecords(held_columns(comparable, matching).toArrow()) if is_few else None
    if records is None or not records.have_own_numbers:
        yield ByJoins(comparable, matching)
        return
    held = comparable.sparkSession.sparkContext.broadcast(records)
    try:
        yield ByLookup(held, matching)
    finally:
        held.destroy()


def weights_of(model: Model) -> Weights:
    """The model as scoring takes it."""
    return Weights(
        prior=model.prior_weight,
        levels=model.levels,
        rare=model.rare,
        rival_priors=model.rival_priors,
        rival_levels=model.rival_levels,
    )
