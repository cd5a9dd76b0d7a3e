"""Every connector holds what the kit asks, and the kit finds each way to cheat."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from cdp_lib.connectors import drop, email
from cdp_lib.connectors.kit import checks
from cdp_lib.connectors.kit.bench import Bench
from cdp_lib.connectors.kit.checks import benches, check
from cdp_lib.connectors.protocol import Batch, Receipt, Unsure
from cdp_lib.errors import DeliveryError
from jobs import connectors as page
from tests.connectors import plain
from tests.connectors.packages import install_package

pytestmark = pytest.mark.slow

BENCHES = benches()


def failed(bench: Bench) -> dict[str, str]:
    return {finding.check: finding.detail for finding in check(bench) if not finding.ok}


@pytest.mark.parametrize("name", sorted(BENCHES))
def test_a_connector_withstands_its_channel(name: str) -> None:
    assert failed(BENCHES[name]) == {}


@pytest.mark.parametrize("connector", [plain.Plain, plain.PlainWithKeys])
def test_an_honest_connector_passes(connector: type[plain.Plain]) -> None:
    assert failed(plain.bench_of(connector)) == {}


@pytest.mark.parametrize(
    ("cheat", "name", "said"),
    [
        (plain.MarksAllAccepted, "one bad item among good ones", "1 accepted items were never taken"),
        (plain.TriesAgainInSecret, "5xx after the commit", "4 items were taken twice"),
        (plain.TriesAgainInSecret, "connection cut after the commit", "4 items were taken twice"),
        (plain.DropsARow, "all goes well", "3 items are unknown"),
        (plain.RejectsAllForOne, "one bad item among good ones", "3 that count as rejected"),
        (plain.NamesPeople, "says nothing of secrets and people", "an address or name"),
        (plain.TellsItsSecret, "says nothing of secrets and people", "a secret"),
        (plain.CallsSilenceRefusal, "5xx after the commit", "taken twice"),
        (plain.MakesNewKeys, "5xx after the commit", "4 items were taken twice"),
        (plain.MakesNewKeys, "the same items again under the same keys", "9 items were taken twice"),
        (plain.GoesOnWithoutCredentials, "credentials are refused", "it went on"),
        (plain.BlamesTheRows, "429 for good", "9 items have an outcome although nothing was taken"),
        (plain.BlamesTheRowsForAll, "account or list is gone", "9 items have an outcome although nothing was taken"),
        (plain.OverTheLimit, "the batch limit is kept", "refused and halved"),
    ],
)
def test_a_cheat_is_found(cheat: type[plain.Plain], name: str, said: str) -> None:
    assert said in failed(plain.bench_of(cheat)).get(name, "nothing was found")


class MailsAgain(email.EmailConnector):
    """Sends a message again whose receipt was cut off."""

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        try:
            return super().deliver(batch, idempotency_key=idempotency_key)
        except Unsure:
            return super().deliver(batch, idempotency_key=idempotency_key)


class NamesFilesAnew(drop.DropConnector):
    """Does not see that the file is there."""

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        return super().deliver(batch, idempotency_key=uuid4().hex)


@pytest.mark.parametrize(
    ("cheat", "name", "fault", "said"),
    [
        (MailsAgain, "email", "connection cut after the commit", "1 items were taken twice"),
        (MailsAgain, "email", "slower than the client waits", "1 items were taken twice"),
        (NamesFilesAnew, "drop", "5xx after the commit", "4 items were taken twice"),
        (NamesFilesAnew, "drop", "the same items again under the same keys", "9 items were taken twice"),
    ],
)
def test_a_cheat_is_found_by_a_real_server(cheat: type[Any], name: str, fault: str, said: str) -> None:
    bench = replace(BENCHES[name], kind=replace(BENCHES[name].kind, build=cheat))
    assert said in failed(bench).get(fault, "nothing was found")


def test_the_command_says_what_holds_and_fails_where_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def only(connector: type[plain.Plain]) -> Any:
        return lambda: {"webhook": plain.bench_of(connector)}

    monkeypatch.setattr(page, "benches", only(plain.Plain))
    fine = CliRunner().invoke(page.app, ["check", "webhook"])
    assert fine.exit_code == 0, fine.output
    assert "FAILED" not in fine.output
    monkeypatch.setattr(page, "benches", only(plain.MarksAllAccepted))
    wrong = CliRunner().invoke(page.app, ["check", "webhook"])
    assert wrong.exit_code == 1
    assert "FAILED" in wrong.output
    assert "checks failed." in wrong.output


def test_the_command_lists_and_names_what_it_does_not_check() -> None:
    listed = CliRunner().invoke(page.app, ["list"])
    assert listed.exit_code == 0, listed.output
    unknown = CliRunner().invoke(page.app, ["check", "emial"])
    assert unknown.exit_code == 1


def test_the_command_names_a_connector_without_a_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "benches", dict)
    unchecked = CliRunner().invoke(page.app, ["check", "sms"])
    assert "sms: not checked; it has no bench" in unchecked.output


def test_the_command_says_what_to_install_for_a_real_server(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = replace(BENCHES["email"], needs=("aiosmtpd", "no_such_library"))
    monkeypatch.setattr(page, "benches", lambda: {"email": bench})
    unchecked = CliRunner().invoke(page.app, ["check", "email"])
    assert "email: not checked; " in unchecked.output
    assert "Run: pip install no_such_library (" in unchecked.output
    assert unchecked.exit_code == 1


@pytest.mark.parametrize("name", ["email", "drop"])
def test_the_command_drives_a_connector_against_a_real_server(name: str) -> None:
    checked = CliRunner().invoke(page.app, ["check", name])
    assert checked.exit_code == 0, checked.output
    assert "connection cut after" in checked.output
    assert "not checked" not in checked.output


def test_every_built_in_has_a_bench() -> None:
    assert set(checks.BUILT_IN) == set(BENCHES)


def test_benches_are_found_where_no_server_library_is_installed() -> None:
    code = (
        "import sys; sys.modules.update(aiosmtpd=None, asyncssh=None); "
        "from cdp_lib.connectors.kit.checks import benches; "
        "print(sorted(name for name, bench in benches().items() if bench.needs))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['drop', 'email']"


OFFERED = """
from tests.connectors import plain
BENCH = plain.bench_of(plain.Plain)
NAME = "pigeon"
"""


def test_a_bench_of_an_installed_package_is_checked_like_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_package(tmp_path, monkeypatch, checks.GROUP, "pigeon = cdp_pigeon:BENCH", OFFERED)
    found = benches()
    assert set(found) == {*BENCHES, "pigeon"}
    assert failed(found["pigeon"]) == {}


def test_what_is_no_bench_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_package(tmp_path, monkeypatch, checks.GROUP, "pigeon = cdp_pigeon:NAME", OFFERED)
    with pytest.raises(DeliveryError, match=r"cdp\.connector_benches: pigeon names a str, not a Bench"):
        benches()
