"""Where every field of a person comes from: the record that won it, by which rules, and who else had a value."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from cdp_lib.contracts.identity import GOLDEN_FIELDS
from cdp_lib.settings.identity import Identity
from jobs.decisions import Record
from jobs.explanation.tables import Discretion, listed, table, tell

_SHOWN_OTHERS = 3


def show_survivorship(
    console: Console,
    golden: Mapping[str, Any],
    rows: Mapping[str, Mapping[str, Any]],
    identity: Identity,
    discretion: Discretion,
) -> None:
    """One line per field that has a value. `golden` is the surviving record, `rows` the person's records by hash."""
    if not golden:
        tell(console, "The person has no surviving record yet: the run that links the records writes it.")
        return
    grid = table("where each field comes from", "field", "value", "won by", "rules, in order", "who else had a value")
    for field in GOLDEN_FIELDS:
        source = golden["field_sources"].get(field)
        if source is None:
            continue
        winner = Record(*source.split(":", 1))
        cells = (
            field,
            discretion.value(field, golden[field]),
            discretion.name(winner),
            ", ".join(identity.survivorship.get(field, identity.default_survivorship)),
            _others(field, golden[field], winner, rows, discretion),
        )
        grid.add_row(*map(escape, cells))
    console.print(grid)
    if identity.source_priority:
        tell(console, f"source priority: {', '.join(identity.source_priority)}, then the others by name", indent=2)


def _others(
    field: str, value: object, winner: Record, rows: Mapping[str, Mapping[str, Any]], discretion: Discretion
) -> str:
    """Records that lost the field, those with another value first, since these are what the rules decided on."""
    lost = {name: row for name, row in sorted(rows.items()) if row[field] is not None and name != winner.hash}
    differs = [name for name, row in lost.items() if row[field] != value]
    if not lost:
        return "nobody"
    if not differs:
        return f"{len(lost):,} with the same"
    named = [
        discretion.name(Record(rows[name]["source_system"], rows[name]["source_record_id"]))
        for name in differs[:_SHOWN_OTHERS]
    ]
    more = [f"{len(differs) - _SHOWN_OTHERS:,} more"] if len(differs) > _SHOWN_OTHERS else []
    same = f"; {len(lost) - len(differs):,} with the same" if len(lost) > len(differs) else ""
    return f"another value: {listed([*named, *more])}{same}"
