"""What the file ledger says of a file that is seen again."""

from datetime import datetime, UTC
from typing import Any

import pytest

from cdp_lib.io.arrivals import FileLedger, still_refused
from cdp_lib.io.landing import LandingFile

AT = datetime(2025, 1, 1, tzinfo=UTC)
FILE = LandingFile("in/a.csv", "landing", 10, AT)


def seen(status: str, content_hash: str = "c0ffee", contract: str = "now") -> dict[str, Any]:
    return {
        "source_system": "crm",
        "path": FILE.path,
        "byte_count": FILE.byte_count,
        "modified_at": FILE.modified_at,
        "status": status,
        "content_hash": content_hash,
        "contract_hash": contract,
    }


@pytest.mark.parametrize(
    ("rows", "is_settled"),
    [
        ([], False),
        ([seen("planned")], False),
        ([seen("planned"), seen("ingested")], True),
        ([seen("refused")], True),
        ([seen("refused", contract="before")], False),
        ([seen("refused", content_hash="")], False),
        ([seen("refused", content_hash=""), seen("ingested")], True),
        ([seen("resent"), seen("planned") | {"path": "in/twin.csv"}], False),
        ([seen("resent"), seen("ingested") | {"path": "in/twin.csv"}], True),
    ],
    ids=[
        "new", "cut off", "ingested", "refused", "contract changed", "not readable then", "readable since",
        "twin never ingested", "twin ingested",
    ],
)  # fmt: skip
def test_a_file_is_settled_once_all_its_bytes_were_judged(rows: list[dict[str, Any]], is_settled: bool) -> None:
    assert FileLedger.of(rows, "crm").is_settled(FILE, "now") is is_settled


def test_only_a_file_that_never_could_be_read_is_unread() -> None:
    assert FileLedger.of([seen("refused", content_hash="")], "crm").is_unread(FILE)
    assert not FileLedger.of([seen("refused", content_hash=""), seen("ingested")], "crm").is_unread(FILE)
    assert not FileLedger.of([], "crm").is_unread(FILE)


def told(run_number: int, status: str, path: str = "a.csv") -> dict[str, Any]:
    return seen(status) | {"source_system": "till", "path": path, "run_number": run_number}


def test_a_file_is_refused_as_long_as_nothing_else_became_of_it_since() -> None:
    cured = [told(1, "refused"), told(2, "planned"), told(2, "ingested")]
    broken = [told(1, "planned", "b.csv"), told(1, "ingested", "b.csv"), told(2, "refused", "b.csv")]
    rows = [*cured, *broken]
    for given in (rows, rows[::-1]):
        assert [(row["path"], row["run_number"]) for row in still_refused(given)] == [("b.csv", 2)]
