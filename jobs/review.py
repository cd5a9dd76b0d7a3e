"""`cdp review`: uncertain pairs go out as a file for people to judge, and their verdicts come back."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cdp_lib.contracts import matching, silver
from cdp_lib.errors import ConfigError, Fault, StorageError
from cdp_lib.io.lock import run_lock
from cdp_lib.io.private_file import private_file
from cdp_lib.io.selection import select_rows
from jobs.audit import note_deed
from jobs.compose import build_suite, Place, Suite
from jobs.decisions import judge, Pair, read_book, Record, write_decisions
from jobs.options import EnvOption, LakehouseOption, PackOption, told_plainly
from jobs.verdicts import Find, IDS, PAIR, read_verdicts, records_in, refusals, TEXT_MARK

app = typer.Typer(help="Uncertain pairs: export them, judge them, import the verdicts.", no_args_is_help=True)
console = Console()

FIELDS = ("first_name", "last_name", "birth_date", "gender", "email", "phone", "address", "city", "postcode")
"""What a person judges a record by."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


@app.command()
def export(
    pack: PackOption,
    out: Annotated[Path, typer.Option(help="The CSV file; it must not exist yet.")],
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Write the uncertain pairs, the most uncertain first, both records side by side; `verdict` is yours to fill."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        count = export_pairs(suite, out)
        if not count:
            console.print("No pair waits for a verdict: no file was written.", highlight=False)
            return
        pairs = "pair" if count == 1 else "pairs"
        console.print(
            f"{out}: {count:,} {pairs}. It holds personal data and only you may read it: delete it when you are done.\n"
            f"Write link or unlink into `verdict`, or leave it empty; then: cdp review import {out} --pack {pack}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="The exported CSV file with verdicts.")],
    pack: PackOption,
    lakehouse: LakehouseOption = None,
    env: EnvOption = "local",
) -> None:
    """Take the verdicts of a judged file: all of them, or none where a row is wrong."""
    with told_plainly():
        suite = build_suite(Place(pack, None, lakehouse, env))
        console.print(import_verdicts(suite, file), highlight=False, markup=False, soft_wrap=True)


def export_pairs(suite: Suite, path: Path) -> int:
    """Write the pairs that nobody has judged yet to a new file that only its owner may read; their number.

    Without a pair there is no file. Raises ConfigError where the pack has no `matching`, StorageError where there is
    nothing to export yet or the file exists.
    """
    if suite.pack.identity.matching is None:
        file, place = suite.pack.place("identity", suite.pack.identity.id)
        raise ConfigError([Fault(file, f"{place}.matching", "is missing: without it no pair is uncertain")])
    if suite.store.version(matching.REVIEW_PAIR) is None:
        missing = suite.store.path(matching.REVIEW_PAIR)
        raise StorageError(f"{missing} does not exist. First: cdp run daily --pack {suite.place.pack}")
    if path.exists():
        raise StorageError(f"{path} exists and may hold verdicts. Import it and delete it, or name another file.")
    rows = list(_exported(suite))
    if rows:
        _write_private(path, rows)
        note_deed(suite, "review_export", matching.REVIEW_PAIR.name, f"{len(rows)} pairs")
    return len(rows)


def _exported(suite: Suite) -> Iterator[dict[str, Any]]:
    """Rows of the file. Pairs judged since the last run, and pairs of records that are gone, are left out."""
    pairs = select_rows(suite.store.path(matching.REVIEW_PAIR), matching.REVIEW_PAIR.content_columns)
    named = {record for pair in pairs for record in records_in(pair)}
    wanted = {name: {getattr(record, name) for record in named} for name in silver.RECORD_KEY}
    found = select_rows(suite.store.path(silver.CUSTOMER_RECORD), (*silver.RECORD_KEY, *FIELDS), wanted)
    by_record = {Record(row["source_system"], row["source_record_id"]): row for row in found}
    decided, exported_at = read_book(suite.ledger).held, suite.ledger.clock().isoformat()
    for pair in sorted(pairs, key=lambda pair: int(pair["place"])):
        left, right = (by_record.get(record) for record in records_in(pair))
        if left is None or right is None or (pair["record_l"], pair["record_r"]) in decided:
            continue
        yield {
            "place": pair["place"],
            "verdict": None,
            "reason": None,
            "is_together": "yes" if pair["is_together"] else "no",
            "match_probability": f"{pair['match_probability']:.3f}",
            **{f"{field}_{side}": row[field] for field in FIELDS for side, row in (("l", left), ("r", right))},
            "agreement": "; ".join(f"{field}: {words}" for field, words in sorted(pair["agreement"])),
            **{name: pair[name] for name in (*IDS, *PAIR, "blocking_rule", "match_weight", "model_version")},
            "exported_at": exported_at,
        }


def _write_private(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    # Without the mark at its head Excel takes the file for one of Windows' own letters.
    with private_file(path, newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: _inert(value) for name, value in row.items()} for row in rows)


def _inert(value: object) -> object:
    """Text that a spreadsheet would run is marked as text; numbers of phones are not."""
    if isinstance(value, str) and value.startswith(_FORMULA) and not value[1:].isdigit():
        return f"{TEXT_MARK}{value}"
    return value


def import_verdicts(suite: Suite, path: Path) -> str:
    """Write the file's verdicts as decisions; how many of which kind, in words.

    Raises ConfigError with every row that is wrong; then nothing is written.
    """
    with run_lock(suite.lakehouse, f"review import of {suite.pack.name}"):
        book = read_book(suite.ledger)
        given = read_verdicts(path, _finder(suite))
        standing = [row.decision for row in given.rows if not row.is_overruled(book)]
        judged = judge(suite, standing, book)
        faults = [*given.faults, *refusals(given, judged)]
        if faults:
            raise ConfigError([Fault(str(path), where, message) for _, where, message in sorted(faults)])
        counts = Counter(decision.verdict for decision in judged.fresh)
        told = (
            f"{counts['link']} linked, {counts['unlink']} unlinked, {given.open_count} left open, "
            f"{len(judged.already_so)} already so"
        )
        if len(standing) < len(given.rows):
            told += f", {len(given.rows) - len(standing)} left as cdp identity has decided since the export"
        if not judged.fresh:
            return f"{told}. Nothing was written."
        write_decisions(suite, judged.fresh, book, origin="review")
        note_deed(suite, "review_import", f"file {given.content_hash}", told)
    return f"{told}. The next run carries it out: cdp run daily --pack {suite.place.pack}"


def _finder(suite: Suite) -> Find:
    """Finds records by their hashes: in today's pairs, else among all records, which takes a while and is done once."""

    @cache
    def listed() -> dict[Pair, tuple[Record, Record]]:
        if suite.store.version(matching.REVIEW_PAIR) is None:
            return {}
        rows = select_rows(suite.store.path(matching.REVIEW_PAIR), (*PAIR, *IDS))
        return {(row["record_l"], row["record_r"]): records_in(row) for row in rows}

    @cache
    def known() -> dict[str, Record]:
        rows = select_rows(suite.store.path(silver.CUSTOMER_RECORD), silver.RECORD_KEY)
        return {record.hash: record for record in (Record(**row) for row in rows)}

    def find(pair: Pair) -> tuple[Record, Record] | None:
        if pair in listed():
            return listed()[pair]
        left, right = (known().get(one) for one in pair)
        return None if left is None or right is None else (left, right)

    return find
