"""What the file ledger says of a file that is seen again."""

from datetime import datetime, UTC
from typing import Any

import pytest

from cdp_lib.io.arrivals import FileLedger
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
    ],
    ids=["new", "cut off", "ingested", "refused", "contract changed", "not readable then", "readable since"],
)
def test_a_file_is_settled_once_all_its_bytes_were_judged(rows: list[dict[str, Any]], is_settled: bool) -> None:
    assert FileLedger.of(rows, "crm").is_settled(FILE, "now") is is_settled


def test_only_a_file_that_never_could_be_read_is_unread() -> None:
    assert FileLedger.of([seen("refused", content_hash="")], "crm").is_unread(FILE)
    assert not FileLedger.of([seen("refused", content_hash=""), seen("ingested")], "crm").is_unread(FILE)
    assert not FileLedger.of([], "crm").is_unread(FILE)
