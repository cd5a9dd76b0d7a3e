"""How pairs and people are told on a terminal: tables of fields, with personal values masked unless asked for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isinf

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from cdp_lib.contracts.silver import CUSTOMER_RECORD
from jobs.decisions import Record
from jobs.explanation.lookup import StoredPair
from jobs.explanation.reasons import NO_WEIGHT
from jobs.explanation.weighed import PRIOR, RIVALS, shown_bits, signed, WeighedPair

_PLAIN = frozenset(column.name for column in CUSTOMER_RECORD.columns if not column.pii)
_SAME_BITS = 1e-6


@dataclass(frozen=True)
class Discretion:
    """What may be named openly: records as the person typed them, and everything where values are to be shown."""

    typed: Collection[str]
    shows_values: bool

    def name(self, record: Record) -> str:
        """The record's id, or the digits that stand for it."""
        return str(record) if self.shows_values or str(record) in self.typed else record.hidden

    def value(self, field: str, value: object) -> str:
        """The value; of personal data the first letter."""
        if value is None:
            return ""
        return str(value) if self.shows_values or field in _PLAIN else masked(value)


@dataclass(frozen=True)
class Compared:
    """A pair to be told: both records, its weight in parts, their values by field, what the last run stored of it."""

    first: Record
    second: Record
    weighed: WeighedPair
    values: Mapping[Record, Mapping[str, object]]
    stored: StoredPair | None
    threshold: float


def masked(value: object) -> str:
    """The first letter alone."""
    return f"{str(value)[:1]}***"


def tell(console: Console, text: str, indent: int = 0) -> None:
    """A line of plain text, as long as it is."""
    console.print(f"{' ' * indent}{text}", highlight=False, markup=False, soft_wrap=True)


def table(title: str, *headers: str, right: Collection[str] = ()) -> Grid:
    """An empty table without lines."""
    grid = Grid(title=title, title_justify="left", title_style="bold", header_style="dim", pad_edge=False, box=None)
    grid.padding = (0, 2)
    for header in headers:
        grid.add_column(header, justify="right" if header in right else "left")
    return grid


def show_pair(console: Console, pair: Compared, discretion: Discretion) -> None:
    """The two records field by field: how well each agrees and what that weighs, down to the sum."""
    both = [discretion.name(record) for record in (pair.first, pair.second)]
    title = f"{both[0]} and {both[1]}"
    grid = table(escape(title), "field", "agreement", *map(escape, both), "bits", "rarity", right=("bits", "rarity"))
    weighed = pair.weighed
    prior, *of_fields, rival = shown_bits(weighed.addends, weighed.total)
    grid.add_row("", PRIOR, "", "", prior, "")
    for place, one in enumerate(weighed.fields):
        values = [
            escape(discretion.value(one.field, pair.values.get(record, {}).get(one.field)))
            for record in (pair.first, pair.second)
        ]
        rarity = of_fields[2 * place + 1] if one.rarity else ""
        grid.add_row(one.field, one.words, *values, of_fields[2 * place], rarity)
    grid.add_row("", RIVALS, "", "", rival, "")
    grid.add_section()
    grid.add_row("sum", f"probability {weighed.probability:.2%}", "", "", signed(weighed.total), "")
    console.print(grid)
    for line in pair_notes(pair):
        tell(console, line, indent=2)
    console.print()


def pair_notes(pair: Compared) -> tuple[str, ...]:
    """What stands below the table: threshold, what was stored, vetoes, blocks."""
    weighed = pair.weighed
    side = "above" if weighed.total >= pair.threshold else "below"
    distance = f"threshold {pair.threshold:.2f}: {abs(weighed.total - pair.threshold):.2f} bits {side}"
    lines = [
        f"no threshold: {NO_WEIGHT}" if isinf(pair.threshold) else distance,
        _stored(pair.stored, weighed),
        *(f"veto: {veto}" for veto in weighed.vetoes),
    ]
    for block in weighed.blocks:
        limit = "a rule left out as too loose" if block.max_records == 0 else f"at most {block.max_records:,} compared"
        verdict = "" if block.is_compared else ": NOT compared"
        lines.append(f"rule {block.rule}: {block.record_count:,} records, {limit}{verdict}")
    if not weighed.blocks:
        lines.append("no blocking rule brings them together")
    return tuple(lines)


def _stored(stored: StoredPair | None, weighed: WeighedPair) -> str:
    if stored is None:
        return "stored: nothing, no rule compared them or the weight is far below the threshold"
    said = f"stored: {signed(stored.match_weight)} bits by {stored.model_version}"
    if abs(stored.match_weight - weighed.total) <= _SAME_BITS:
        return f"{said}, the same"
    return f"{said}; a record or the model changed since, the next run stores the sum above"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
