"""A business with a handful of records, written without Spark, on which people decide."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, UTC
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cdp_lib.contracts import identity, matching, ops, silver
from cdp_lib.io.ledger import OpsLedger
from jobs import identities, review
from jobs.compose import build_suite, Place, Suite
from jobs.decisions import Record

AT = datetime(2025, 1, 31, 12, 0, tzinfo=UTC)

_PACK = "kind: pack\nid: deli\ncurrency: EUR\ntime_zone: Europe/Berlin\n"
_SOURCE = """\
kind: source
id: {name}
read: {{format: csv, path: "{name}/*.csv"}}
key: [id]
columns:
  id: {{type: string}}
  changed_at: {{type: timestamp}}
feeds:
  - to: customer_record
    map: {{source_record_id: id, source_updated_at: changed_at}}
"""
_IDENTITY = "kind: identity\nmatching: {}\n"


def record(name: str) -> Record:
    """The record that `source:id` names."""
    source, _, record_id = name.partition(":")
    return Record(source, record_id)


@dataclass(frozen=True)
class Deli:
    """The business's suite, its folders, and `cdp` on them."""

    suite: Suite
    pack: Path
    lakehouse: Path

    @property
    def ledger(self) -> OpsLedger:
        return self.suite.ledger

    def know(self, *names: str, **fields: Any) -> None:
        """Add customer records of these names, all with the same fields."""
        filled = {"rejected": [], "source_updated_at": AT, "_source_file": "a.csv", "_ingested_at": AT}
        filled |= {"_row_number": 1, "_record_hash": "h", "_run_id": "r"}
        rows = [{**filled, **fields, **dict(zip(silver.RECORD_KEY, key_of(name), strict=True))} for name in names]
        self.ledger.append(silver.CUSTOMER_RECORD, rows)

    def doubt(self, *pairs: tuple[str, str], **fields: Any) -> None:
        """Add pairs to the review list, in this order."""
        filled = {"blocking_rule": "email", "agreement": [("email", "same")], "match_weight": 1.0, "_run_id": "r"}
        filled |= {"match_probability": 0.6667, "is_together": False, "model_version": "deli-match/1"}
        rows = []
        for place, pair in enumerate(pairs, start=1):
            left, right = sorted(map(record, pair), key=lambda one: one.hash)
            ids = {f"{name}_{side}": getattr(one, name) for side, one in (("l", left), ("r", right)) for name in KEY}
            rows.append({**filled, **fields, **ids, "place": place, "record_l": left.hash, "record_r": right.hash})
        self.ledger.append(matching.REVIEW_PAIR, rows)

    def say(self, *words: str) -> Result:
        """`cdp identity <words>`."""
        return self._invoke(identities.app, words)

    def review(self, *words: str) -> Result:
        """`cdp review <words>`."""
        return self._invoke(review.app, words)

    def _invoke(self, app: Any, words: Sequence[str]) -> Result:
        return CliRunner().invoke(app, [*words, "--pack", str(self.pack), "--lakehouse", str(self.lakehouse)])

    def overrides(self) -> list[dict[str, Any]]:
        return sorted(self.ledger.rows(identity.IDENTITY_OVERRIDE), key=lambda row: row["decided_at"])

    def decided(self) -> list[str]:
        """The decisions written down, oldest first."""
        return [row["decision"] for row in self.overrides()]

    def deeds(self) -> list[dict[str, Any]]:
        return sorted(self.ledger.rows(ops.AUDIT), key=lambda row: row["happened_at"])


KEY = silver.RECORD_KEY


def key_of(name: str) -> tuple[str, str]:
    source, _, record_id = name.partition(":")
    return source, record_id


def told(result: Result) -> str:
    """What an error says: exit code 1, no trace."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    return result.stderr


@pytest.fixture
def bare_deli(tmp_path: Path) -> Callable[..., Deli]:
    """A business whose first run is still to come."""

    def make(settings: str = _IDENTITY) -> Deli:
        pack = tmp_path / "deli"
        pack.mkdir(exist_ok=True)
        (pack / "pack.yml").write_text(_PACK)
        (pack / "sources.yml").write_text("---\n".join(_SOURCE.format(name=name) for name in ("crm", "shop")))
        (pack / "identity.yml").write_text(settings)
        lakehouse = tmp_path / "lake"
        return Deli(build_suite(Place(str(pack), None, str(lakehouse)), no_spark), pack, lakehouse)

    return make


def no_spark() -> Any:
    """These commands must not start a JVM."""
    raise AssertionError("a Spark session was asked for")


@pytest.fixture
def deli(bare_deli: Callable[..., Deli]) -> Deli:
    """A business that knows four records of crm and two of shop."""
    made = bare_deli()
    made.know(
        "crm:1", "crm:2", "crm:3", "crm:4", "shop:1", "shop:a:b'; --", first_name="Ann", birth_date=date(1990, 1, 2)
    )
    return made


def mode_of(path: Path) -> int:
    return os.stat(path).st_mode & 0o777
