"""Which landing files are new, and what became of each: decided from the file ledger, by content before name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdp_lib.io.landing import Inspection, LandingFile

FINAL = ("ingested", "empty", "resent", "refused")


@dataclass(frozen=True)
class FileLedger:
    """What `ops.source_file` says of one source."""

    rows: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], source_id: str) -> "FileLedger":
        """The rows of one source."""
        return cls(tuple(row for row in rows if row["source_system"] == source_id))

    def is_settled(self, file: LandingFile, contract_hash: str) -> bool:
        """Whether this very file was dealt with.

        A refused one is tried again under another contract, and so is the twin of a file that was never ingested.
        """
        return any(
            row["status"] in FINAL
            and (row["status"] != "refused" or row["contract_hash"] == contract_hash)
            and (row["status"] != "resent" or self.has_content(row["content_hash"]))
            and not _is_unread(row)
            for row in self._of_file(file)
        )

    def is_unread(self, file: LandingFile) -> bool:
        """Whether this very file could not be opened or read to its end so far: the next run tries again."""
        own = self._of_file(file)
        return bool(own) and all(_is_unread(row) for row in own)

    def knows(self, contract_hash: str) -> bool:
        """Whether any file was dealt with under the contract."""
        return any(row["contract_hash"] == contract_hash for row in self.rows)

    def has_content(self, content_hash: str, *, but_run: str | None = None) -> bool:
        """Whether a run, other than `but_run`, ingested these bytes, under whatever name."""
        return any(
            row["content_hash"] == content_hash
            and row["status"] == "ingested"
            and (but_run is None or row["run_id"] != but_run)
            for row in self.rows
        )

    def had_other_content(self, path: str, content_hash: str) -> bool:
        """Whether the name stood for other bytes before."""
        return any(row["content_hash"] != content_hash and row["status"] in FINAL for row in self._of_path(path))

    def planned(self, run_id: str) -> dict[str, str]:
        """Path: content hash of the files that the run set out to ingest; empty where it had not come so far."""
        return {row["path"]: row["content_hash"] for row in self._of_run(run_id, "planned")}

    def planned_under(self, run_id: str) -> frozenset[str]:
        """Hashes of the contracts under which the run set out to ingest files."""
        return frozenset(row["contract_hash"] for row in self._of_run(run_id, "planned"))

    def ingested(self, run_id: str) -> set[str]:
        """Paths that the run has already ingested whole."""
        return {row["path"] for row in self._of_run(run_id, "ingested")}

    def _of_run(self, run_id: str, status: str) -> list[Mapping[str, Any]]:
        return [row for row in self.rows if row["run_id"] == run_id and row["status"] == status]

    def _of_path(self, path: str) -> list[Mapping[str, Any]]:
        return [row for row in self.rows if row["path"] == path]

    def _of_file(self, file: LandingFile) -> list[Mapping[str, Any]]:
        own = self._of_path(file.path)
        return [row for row in own if row["byte_count"] == file.byte_count and row["modified_at"] == file.modified_at]


def _is_unread(row: Mapping[str, Any]) -> bool:
    """A file of which not all bytes were read has no hash."""
    return row["status"] == "refused" and not row["content_hash"]


def still_refused(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of rows of ops.source_file, the newest of each file whose newest says that it was refused; by source and path."""
    newest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["run_number"], row["status"] != "planned")):
        newest[row["source_system"], row["path"]] = row
    return [newest[file] for file in sorted(newest) if newest[file]["status"] == "refused"]


@dataclass(frozen=True)
class Verdict:
    """What becomes of one inspected file."""

    inspection: Inspection
    status: str
    reason: str | None

    def ledger_row(
        self, *, run_id: str, run_number: int, source_id: str, contract_hash: str, at: datetime
    ) -> dict[str, Any]:
        """A row of ops.source_file."""
        file = self.inspection.file
        return {
            "run_id": run_id,
            "run_number": run_number,
            "source_system": source_id,
            "path": file.path,
            "content_hash": self.inspection.content_hash,
            "byte_count": file.byte_count,
            "modified_at": file.modified_at,
            "status": self.status,
            "reason": self.reason,
            "contract_hash": contract_hash,
            "recorded_at": at,
        }


def judge(inspections: Sequence[Inspection], ledger: FileLedger, run_id: str) -> tuple[Verdict, ...]:
    """One verdict per file, in order of path: refused, empty, resent (bytes ingested before), or planned."""
    verdicts: list[Verdict] = []
    in_this_run: dict[str, str] = {}
    for inspection in sorted(inspections, key=lambda one: one.file.path):
        path, content = inspection.file.path, inspection.content_hash
        if inspection.problem:
            verdicts.append(Verdict(inspection, "refused", inspection.problem))
        elif inspection.is_empty:
            verdicts.append(Verdict(inspection, "empty", inspection.note or "no rows"))
        elif ledger.has_content(content, but_run=run_id):
            verdicts.append(Verdict(inspection, "resent", "the same bytes were ingested before"))
        elif content in in_this_run:
            verdicts.append(Verdict(inspection, "resent", f"the same bytes as {in_this_run[content]}"))
        else:
            in_this_run[content] = path
            notes = [
                inspection.note,
                "changed: same name, other content" if ledger.had_other_content(path, content) else None,
            ]
            verdicts.append(Verdict(inspection, "planned", "; ".join(filter(None, notes)) or None))
    return tuple(verdicts)
