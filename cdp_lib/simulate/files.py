"""Landing files: rows as CSV or JSON lines, plain or gzip, some late, some sent twice; always the same bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdp_lib.errors import StorageError
from cdp_lib.settings.simulator import Column, Delivery, File
from cdp_lib.simulate.draws import stream
from cdp_lib.simulate.text import column, join, Text, where

GZIP_LEVEL = 4
ON_TIME, LATE, RESENT = "on_time", "late", "resent"


@dataclass(frozen=True)
class Arrival:
    """One landing file: when it reached the folder, and the day it is about (days since 1970; -1 for none)."""

    source: str
    path: str
    arrived: int
    about: int
    how: str
    rows: int


@dataclass
class Landing:
    """The folder being written. Holds what has arrived and which single files are already begun."""

    out: Path
    delivery: Delivery
    seed: int
    last_day: int
    arrivals: list[Arrival] = field(default_factory=list)
    begun: dict[str, int] = field(default_factory=dict)

    def drop(self, source: str, system: File, cells: Mapping[str, Text], day: int) -> int:
        """Write the rows of one day, possibly late, twice, or with rows doubled. Returns the rows of the first copy."""
        lines = encode(cells, system)
        if not len(lines):
            return 0
        rng = stream(self.seed, source, "delivery", day)
        lines = _with_doubles(lines, self.delivery.duplicate_rows, rng)
        arrived, how = day + 1, ON_TIME
        name = iso(day)
        if rng.random() < self.delivery.late:
            arrived, how = day + 1 + int(rng.integers(1, self.delivery.late_days + 1)), LATE
            name = f"{iso(arrived)}_late_{iso(day)}"
        self._whole(system, name, lines, Arrival(source, "", arrived, day, how, len(lines)))
        if rng.random() < self.delivery.resent:
            self._whole(system, f"{name}_resent", lines, Arrival(source, "", arrived + 1, day, RESENT, len(lines)))
        return len(lines)

    def extend(self, source: str, system: File, cells: Mapping[str, Text]) -> int:
        """Add rows to a system's one file, which is complete on the last day. Returns the rows added."""
        lines = encode(cells, system)
        started = system.path in self.begun
        self._write(system.path, lines, system, append=started)
        self.begun[system.path] = self.begun.get(system.path, 0) + len(lines)
        return len(lines)

    def finish(self, sources: Mapping[str, str]) -> tuple[Arrival, ...]:
        """All arrivals by day and path, the single files (`sources`: path -> source id) included."""
        whole = [
            Arrival(sources[path], path, self.last_day + 1, -1, ON_TIME, rows) for path, rows in self.begun.items()
        ]
        return tuple(sorted((*self.arrivals, *whole), key=lambda a: (a.arrived, a.path)))

    def begin(self, source: str, system: File, cells: Mapping[str, Text], name: str, day: int) -> int:
        """Add rows to a named file that stands for a whole (a first export), whatever its size."""
        path = system.path.replace("{day}", name)
        lines = encode(cells, system)
        started = any(arrival.path == path for arrival in self.arrivals)
        self._write(path, lines, system, append=started)
        rows = len(lines)
        if started:
            former = self.arrivals.pop()
            rows += former.rows
        self.arrivals.append(Arrival(source, path, day + 1, day, ON_TIME, rows))
        return len(lines)

    def _whole(self, system: File, name: str, lines: Text, arrival: Arrival) -> None:
        path = system.path.replace("{day}", name)
        self._write(path, lines, system, append=False)
        self.arrivals.append(replace(arrival, path=path))

    def _write(self, path: str, lines: Text, system: File, *, append: bool) -> None:
        target = self.out / path
        header = b"" if append or ".csv" not in path else (",".join(system.columns) + "\n").encode()
        body = header + _bytes(lines)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("ab" if append else "wb") as file:
                file.write(_gzip(body) if path.endswith(".gz") else body)
        except OSError as error:
            raise StorageError(
                f"{target}: cannot be written ({error.strerror}). Free space or choose another --out."
            ) from error


def iso(day: int) -> str:
    """2025-01-31."""
    return str(np.datetime64(day, "D"))


def encode(cells: Mapping[str, Text], system: File) -> Text:
    """One line of text per row, line feed included. An empty CSV field or a JSON null means no value."""
    if ".csv" in system.path:
        fields = [_csv_field(cell, system.columns[name]) for name, cell in cells.items()]
        return join(join(*fields, separator=","), "\n")
    parts: list[Text | str] = []
    for i, (name, cell) in enumerate(cells.items()):
        parts += [("{" if i == 0 else ",") + f'"{name}":', _json_value(cell, system.columns[name])]
    return join(*parts, "}\n")


def _csv_field(cell: Text, spec: Column) -> Text:
    cell = column(cell.fill_null(""))
    if spec.type != "text":
        return cell
    quoted = np.asarray(pc.match_substring_regex(cell, '[",\n\r]'))
    if not quoted.any():
        return cell
    return where(quoted, join('"', column(pc.replace_substring(cell, '"', '""')), '"'), cell)


def _json_value(cell: Text, spec: Column) -> Text:
    if spec.type != "text":
        return column(cell.fill_null("null"))
    if np.asarray(pc.match_substring_regex(cell.fill_null(""), r'["\\]')).any():
        cell = column(pc.replace_substring(pc.replace_substring(cell, "\\", "\\\\"), '"', '\\"'))
    return column(join('"', cell, '"').fill_null("null"))


def _with_doubles(lines: Text, rate: float, rng: np.random.Generator) -> Text:
    again = np.flatnonzero(rng.random(len(lines)) < rate)
    return pa.concat_arrays([lines, lines.take(pa.array(again))]) if len(again) else lines


def _bytes(lines: Text) -> bytes:
    """The lines' text side by side: an array's own value buffer, so no row is touched."""
    if not len(lines):
        return b""
    offsets = np.frombuffer(lines.buffers()[1], dtype=np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return bytes(memoryview(lines.buffers()[2])[int(offsets[0]) : int(offsets[-1])])


def _gzip(body: bytes) -> bytes:
    """A gzip member by the compressor inside pyarrow (pinned with it), with no time and no system in its head."""
    packed = bytearray(pa.Codec("gzip", compression_level=GZIP_LEVEL).compress(body, asbytes=True))
    packed[4:10] = b"\x00\x00\x00\x00\x00\xff"
    return bytes(packed)
