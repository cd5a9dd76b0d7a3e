"""The file of judged pairs, as people and their spreadsheets hand it back."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from cdp_lib.contracts import silver
from cdp_lib.errors import ConfigError, Fault, near_miss, StorageError
from jobs.decisions import Book, Decision, Judgement, Pair, Record, Verdict

PAIR = ("record_l", "record_r")
IDS = tuple(f"{name}_{side}" for side in "lr" for name in silver.RECORD_KEY)
TEXT_MARK = "'"
"""Before text that a spreadsheet would run as a formula."""

_VERDICTS = ("link", "unlink")
_NEEDED = ("verdict", *PAIR, *IDS)
_SHOWN_LETTERS = 20

Find = Callable[[Pair], tuple[Record, Record] | None]
"""The records that have these hashes, where both are known."""

_Fault = tuple[int, str, str]
"""(line for sorting, place, message)."""


@dataclass(frozen=True)
class JudgedRow:
    """A row with a verdict."""

    line: int
    decision: Decision
    exported_at: datetime | None
    """None: the file does not say."""

    def is_overruled(self, book: Book) -> bool:
        """Whether `cdp identity` has said otherwise since the pair was exported, be it that nothing holds."""
        commanded, held = book.commanded.get(self.decision.pair), book.held.get(self.decision.pair)
        is_otherwise = held is None or held.verdict != self.decision.verdict
        return commanded is not None and is_otherwise and (self.exported_at is None or commanded > self.exported_at)


@dataclass(frozen=True)
class VerdictFile:
    """What a file says: rows with a verdict, rows that are wrong, and how many were left open."""

    rows: tuple[JudgedRow, ...]
    faults: tuple[_Fault, ...]
    open_count: int
    content_hash: str


def records_in(row: Mapping[str, str]) -> tuple[Record, Record]:
    """The two records of a row of silver.review_pair, or of a file made from it."""
    left, right = (Record(row[f"source_system_{side}"], row[f"source_record_id_{side}"]) for side in "lr")
    return left, right


def read_verdicts(path: Path, find: Find) -> VerdictFile:
    """The judged file; `find` is asked for the records of a row whose ids a spreadsheet has changed.

    Commas, semicolons or tabs part its columns, whose order means nothing. Raises StorageError where there is no such
    file, ConfigError where it is no such table.
    """
    if not path.is_file():
        raise StorageError(f"{path}: no such file. Export the pairs first: cdp review export --out {path}")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ConfigError([Fault(str(path), "", f"not UTF-8 text (byte {problem.start}); save it as UTF-8")]) from None
    lines = _lines(text, str(path))
    header = next(lines, (1, []))[1]
    wrong = list(_header_faults(header))
    if wrong:
        raise ConfigError([Fault(str(path), "line 1", message) for message in wrong])
    return _read_rows(lines, header, find, hashlib.sha256(content).hexdigest())


def _lines(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """(line where it begins, cells) of every row that is not blank."""
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as problem:
        raise ConfigError([Fault(file, f"line {begins}", f"not CSV: {problem}")]) from None


def _header_faults(header: Sequence[str]) -> Iterator[str]:
    for name in _NEEDED:
        if name not in header:
            yield f"column '{name}' is missing.{near_miss(name, header)} Keep the header as it was exported."
        elif header.count(name) > 1:
            yield f"column '{name}' stands there twice."


def _read_rows(
    lines: Iterator[tuple[int, list[str]]],
    header: Sequence[str],
    find: Find,
    content_hash: str,
) -> VerdictFile:
    rows: dict[Pair, JudgedRow] = {}
    faults: list[_Fault] = []
    open_count = 0
    for line, cells in lines:
        row = dict(zip(header, cells, strict=False))
        verdict = row.get("verdict", "").strip().lower()
        records = _records(row, find) if len(cells) == len(header) else None
        if len(cells) != len(header):
            faults.append((line, f"line {line}", f"has {len(cells)} columns, the header {len(header)}."))
        elif not verdict:
            open_count += 1
        elif verdict not in _VERDICTS:
            said = row["verdict"].strip()[:_SHOWN_LETTERS]
            faults.append((line, f"line {line}", f"unknown verdict '{said}'.{near_miss(verdict, _VERDICTS)}"))
        elif records is None:
            message = "record_l, record_r and the ids do not belong together, and no records have these hashes. "
            faults.append((line, f"line {line}", f"{message}Export the pairs anew."))
        else:
            decision = Decision(*records, cast(Verdict, verdict), row.get("reason", "").strip() or None)
            other = rows.setdefault(decision.pair, JudgedRow(line, decision, _exported_at(row)))
            if other.decision.verdict != verdict:
                message = f"says {verdict} of the two records of which line {other.line} says {other.decision.verdict}."
                faults.append((line, f"line {line}", message))
    return VerdictFile(tuple(rows.values()), tuple(faults), open_count, content_hash)


def _exported_at(row: Mapping[str, str]) -> datetime | None:
    try:
        at = datetime.fromisoformat(row.get("exported_at", "").strip())
    except ValueError:
        return None
    return at if at.tzinfo else None


def _records(row: Mapping[str, str], find: Find) -> tuple[Record, Record] | None:
    """The records that the row is about; None where its ids contradict its hashes, which no records have."""
    pair = row["record_l"].strip(), row["record_r"].strip()
    as_written = records_in(row)
    as_meant = records_in({name: row[name].removeprefix(TEXT_MARK) for name in IDS})
    for records in (as_written, as_meant):
        if tuple(record.hash for record in records) == pair:
            return records
    return find(pair)


def refusals(given: VerdictFile, judged: Judgement) -> Iterator[_Fault]:
    """The decisions that cannot stand, by their line in the file."""
    line_of = {row.decision.pair: row.line for row in given.rows}
    for decision, message in judged.refused:
        line = line_of[decision.pair]
        yield line, f"line {line}", " ".join(part.strip() for part in message.splitlines())
