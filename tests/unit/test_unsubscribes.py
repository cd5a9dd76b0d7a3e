"""`cdp unsubscribe`: used links become a landing file; what cannot be read is told by count and reason alone."""

import hashlib
import hmac
import io
import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import datetime, timedelta, UTC
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cdp_lib.contracts import ops
from cdp_lib.contracts.activation import DELIVERY
from cdp_lib.errors import ConfigError
from cdp_lib.messages.tokens import Subscription, unsubscribe_token
from jobs.__main__ import app
from jobs.compose import build_suite, Place, Suite
from jobs.deliveries import folder_of
from jobs.unsubscribes import unsubscribe

AT = "2025-02-22T12:00:00+07:00"
ANN = Subscription("ann", "email", "c01_reward_regulars", "i1")
TOLD = {"intent_id": "i1", "activation_id": ANN.activation_id, "channel": "email", "at": "2025-02-22T05:00:00+00:00"}
NOON = datetime(2025, 2, 1, 12, tzinfo=UTC)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return build_suite(Place("coffee_shop", str(tmp_path / "landing"), str(tmp_path / "lake")))


def told(suite: Suite, *lines: str) -> tuple[list[dict[str, str]], str]:
    """Rows of the landing file, and what the screen says."""
    screen = io.StringIO()
    written = unsubscribe(Console(file=screen, width=300), suite, [f"{line}\n" for line in lines])
    rows = [] if written is None else [json.loads(line) for line in written.read_text().splitlines()]
    return rows, screen.getvalue()


def token(suite: Suite, of: Subscription = ANN) -> str:
    return unsubscribe_token(folder_of(suite).key(), of)


def test_used_links_become_a_landing_file_of_the_packs_source(suite: Suite) -> None:
    ben = replace(ANN, golden_id="ben", intent_id="i2", channel="sms")
    later = "2025-02-23T00:00:00Z"
    rows, said = told(suite, f"{later} {token(suite)}", f"{AT} {token(suite)}", "", f"{AT} {token(suite, ben)}")
    assert rows == [{**TOLD, "at": "2025-02-23T00:00:00+00:00"}, {**TOLD, "intent_id": "i2", "channel": "sms"}]
    assert "2 unsubscribed" in said
    (file,) = Path(suite.landing).glob("unsubscribe_link/*.jsonl")
    assert file.stat().st_mode & 0o077 == 0
    (deed,) = suite.ledger.rows(ops.AUDIT)
    assert (deed["action"], deed["subject"], deed["detail"]) == ("unsubscribe", "coffee_shop", "2 taken, 0 refused")


def test_what_is_refused_is_told_by_count_and_reason(suite: Suite) -> None:
    forged = unsubscribe_token("another key", ANN)
    lines = [token(suite), f"2025-02-22T12:00:00 {token(suite)}", f"{AT} {forged}", f"{AT} {forged}", f"{AT} nonsense"]
    rows, said = told(suite, *lines)
    assert rows == []
    assert "2 refused: no time with a zone stands before the token" in said
    assert "2 refused: unsubscribe token: its signature is wrong" in said
    assert "1 refused: unsubscribe token: it is not whole" in said
    assert "Nobody to unsubscribe." in said
    assert "ann" not in said
    assert not Path(suite.landing).exists()


def test_a_token_of_an_earlier_version_stands_for_the_last_message(suite: Suite) -> None:
    fixed = {"destination": "cafe_mail", "operation": "send", "arm": "all", "attempt": 1, "run_id": "r"}
    sent = {"golden_id": "ann", "channel": "email", "activation_id": ANN.activation_id, "status": "sent", **fixed}
    rows = [
        {**sent, "intent_id": name, "occasion": name, "planned_at": NOON + timedelta(days=days), "recorded_at": NOON}
        for name, days in (("i1", 9), ("i0", 1))
    ]
    suite.ledger.append(DELIVERY, [*rows, {**rows[0], "intent_id": "x", "activation_id": "other"}])
    assert told(suite, f"{AT} {_signed(suite, 'ann', 'email', ANN.activation_id)}")[0] == [TOLD]
    of_nobody = _signed(suite, "ben", "email", ANN.activation_id)
    assert "1 refused: no message of it is known any more" in told(suite, f"{AT} {of_nobody}")[1]


def test_a_pack_that_reads_no_such_files_is_told_what_to_add(tmp_path: Path) -> None:
    suite = build_suite(Place("fashion_shop", str(tmp_path / "landing"), str(tmp_path / "lake")))
    with pytest.raises(ConfigError, match=r"no source 'unsubscribe_link'.*Copy the one of conf/packs/coffee_shop"):
        told(suite, f"{AT} {token(suite)}")


def test_the_command_reads_standard_input(suite: Suite, tmp_path: Path) -> None:
    places = ["--landing", suite.landing, "--lakehouse", str(tmp_path / "lake")]
    found = CliRunner().invoke(
        app, ["unsubscribe", "-", "--pack", "coffee_shop", *places], input=f"{AT} {token(suite)}\n"
    )
    assert found.exit_code == 0
    assert "1 unsubscribed" in found.output


def _signed(suite: Suite, *named: str) -> str:
    """A token as a version signed it that named no message."""
    body = json.dumps(named).encode()
    signature = hmac.new(folder_of(suite).key().encode(), b"unsubscribe|" + body, hashlib.sha256).digest()
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in (body, signature))
