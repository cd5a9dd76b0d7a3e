"""A pair's weight as a person reads it: levels in words, and bits that add up as they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.grading import LEVELS

PRIOR, RIVALS = "two records of whom nothing is known", "household or namesake explains it too"
UNKNOWN = "not known on both sides"
SHOWN_DIGITS = 2


@dataclass(frozen=True)
class FieldWeight:
    """One compared field: how well it agrees in words, what that weighs, and what the value's rarity adds or takes."""

    field: str
    words: str
    bits: float
    rarity: float


@dataclass(frozen=True)
class Block:
    """A blocking rule whose key both records have: how many records have that key, and how many may."""

    rule: str
    record_count: int
    max_records: int

    @property
    def is_compared(self) -> bool:
        """Whether the rule brings the two together."""
        return self.record_count <= self.max_records


@dataclass(frozen=True)
class WeighedPair:
    """Two records' weight in parts, whose sum is `total`; `blocking_rule` is None where no rule compares the two."""

    fields: tuple[FieldWeight, ...]
    prior: float
    rival: float
    total: float
    probability: float
    vetoes: tuple[str, ...]
    blocks: tuple[Block, ...]
    blocking_rule: str | None

    @property
    def addends(self) -> tuple[float, ...]:
        """The prior, then of each field the level's bits and the rarity's, then the rivals'."""
        of_fields = (bits for one in self.fields for bits in (one.bits, one.rarity))
        return (self.prior, *of_fields, self.rival)

    def parts(self) -> tuple[tuple[str, float], ...]:
        """(what, bits) in the order in which they are added; rarity only where the value has one."""
        named: list[tuple[str, float]] = [(PRIOR, self.prior)]
        for one in self.fields:
            named.append((f"{one.field}: {one.words}", one.bits))
            if one.rarity:
                named.append((f"{one.field}: the value is {'rare' if one.rarity > 0 else 'frequent'}", one.rarity))
        return (*named, (RIVALS, self.rival))


def weighed_pair(row: Mapping[str, Any], matching: Matching) -> WeighedPair:
    """A row of `explain_pairs` for people."""
    fields = tuple(
        FieldWeight(
            field=entry.field,
            words=UNKNOWN if row[f"{entry.field}_level"] is None else LEVELS[entry.kind][row[f"{entry.field}_level"]],
            bits=row[f"{entry.field}_level_bits"],
            rarity=_nothing_if_tiny(row[f"{entry.field}_rarity_bits"]),
        )
        for entry in matching.comparisons
    )
    return WeighedPair(
        fields=fields,
        prior=row["prior_weight"],
        rival=_nothing_if_tiny(row["rival_weight"]),
        total=row["match_weight"],
        probability=row["match_probability"],
        vetoes=tuple(row["vetoes"]),
        blocks=tuple(Block(block["rule"], block["record_count"], block["max_records"]) for block in row["blocks"]),
        blocking_rule=row["blocking_rule"],
    )


def shown_bits(parts: Sequence[float], total: float) -> tuple[str, ...]:
    """The parts with two digits each, so that the figures as shown add up to the total as shown.

    Each is rounded up or down, the fewest against the rule: the largest remainders go up, as seats are given out.
    """
    unit = 10**SHOWN_DIGITS
    floors = [int(part * unit // 1) for part in parts]
    missing = round(total * unit) - sum(floors)
    by_remainder = sorted(range(len(parts)), key=lambda place: floors[place] - parts[place] * unit)
    up = set(by_remainder[: max(missing, 0)])
    return tuple(signed((floor + (place in up)) / unit) for place, floor in enumerate(floors))


def signed(bits: float) -> str:
    """Bits with their sign and two digits; nothing has no sign."""
    said = f"{bits:+.{SHOWN_DIGITS}f}"
    return said[1:] if float(said) == 0 else said


def _nothing_if_tiny(bits: float) -> float:
    """What only rounding in the sum leaves over is nothing."""
    return 0.0 if abs(bits) < 1e-9 else bits
