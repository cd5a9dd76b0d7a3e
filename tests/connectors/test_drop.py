"""Files in a local folder, and on a real SFTP server on loopback."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

import asyncssh
import pandas as pd
import pyarrow.csv as pa_csv
import pytest
from pydantic import ValidationError

from cdp_lib.connectors.drop import csv_of, DropConnector, DropSettings, harmless
from cdp_lib.connectors.kit.bench import intent_of
from cdp_lib.connectors.kit.file_server import file_server, PASSWORD, USER
from cdp_lib.connectors.kit.script import Behaviour, Script
from cdp_lib.connectors.protocol import Batch, Item, Refused, Retryable

GOLDEN = json.loads((Path(__file__).parent / "golden" / "drop.json").read_text())
BATCH = Batch("add", "spring", tuple(Item(intent_of(n), person=who) for n, who in enumerate(GOLDEN["people"])))
BOTH = {GOLDEN["csv_name"]: GOLDEN["csv"], GOLDEN["manifest_name"]: GOLDEN["manifest"]}


@contextmanager
def connected(path: Path | str, **settings: Any) -> Iterator[DropConnector]:
    given = DropSettings(**{**GOLDEN["settings"], "path": str(path), **settings})
    with closing(DropConnector(given, lambda: datetime.fromisoformat(GOLDEN["at"]))) as connector:
        yield connector


def drop(connector: DropConnector, key: str = GOLDEN["key"]) -> list[str]:
    return [one.status for one in connector.deliver(BATCH, idempotency_key=key).outcomes]


def read_by_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def read_by_pandas(content: bytes) -> list[dict[str, str]]:
    frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    return [{str(name): str(value) for name, value in row.items()} for row in frame.to_dict("records")]


def read_by_pyarrow(content: bytes) -> list[dict[str, str]]:
    texts = pa_csv.ConvertOptions(column_types={"golden_id": "string"})
    parse = pa_csv.ParseOptions(newlines_in_values=True)
    return pa_csv.read_csv(io.BytesIO(content), parse_options=parse, convert_options=texts).to_pylist()


def content(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_file_and_manifest_are_the_golden_ones_to_the_byte(tmp_path: Path) -> None:
    with connected(tmp_path) as connector:
        assert drop(connector) == ["accepted", "accepted"]
    assert content(tmp_path) == BOTH


def test_the_same_key_drops_nothing_twice(tmp_path: Path) -> None:
    with connected(tmp_path) as connector:
        drop(connector)
    later = {"prefix": "later"}
    with connected(tmp_path, **later) as connector:
        assert drop(connector) == ["accepted", "accepted"]
        assert content(tmp_path) == BOTH
        drop(connector, "another-key")
    assert len(content(tmp_path)) == 4


EARLIER = f".cdp__20250101T000000Z__{GOLDEN['key']}.csv.part"


@pytest.mark.parametrize("left", [GOLDEN["csv_name"], f".{GOLDEN['csv_name']}.part", EARLIER])
def test_a_drop_that_a_crash_cut_off_is_made_whole_and_leaves_nothing_behind(tmp_path: Path, left: str) -> None:
    others = {".cdp__20250101T000000Z__another-key.csv.part": "of another request"}
    for name, text in {left: "golden_id,act", **others}.items():
        (tmp_path / name).write_text(text)
    with connected(tmp_path) as connector:
        drop(connector)
    assert content(tmp_path) == BOTH | others


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        (None, ""),
        ("", ""),
        ("Anna", "Anna"),
        ("=1+1", "'=1+1"),
        ("+1+1", "'+1+1"),
        ("-cmd", "'-cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\n=1"),
        ("\n=1", "'\n=1"),
        ("Anna\r=1", "Anna\n=1"),
        ("Anna\r\nLee", "Anna\nLee"),
        ("+66812345678", "+66812345678"),
        ("-12.50", "-12.50"),
        ("+66812345678\n=1", "'+66812345678\n=1"),
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(text: str | None, cell: str) -> None:
    assert harmless(text) == cell


@pytest.mark.parametrize("read", [read_by_csv, read_by_pandas, read_by_pyarrow])
def test_no_value_forges_a_row_or_a_column(read: Callable[[bytes], list[dict[str, str]]]) -> None:
    names = ["Anna\r=HYPERLINK(1)", "Bo\r\nLee", 'C"d,e', "\rx", "\n", "é\u2028f"]
    people = tuple(Item(intent_of(n), person={"golden_id": str(n), "city": name}) for n, name in enumerate(names))
    rows = read(csv_of(Batch("add", "spring", people), ["city"]))
    assert [row["golden_id"] for row in rows] == [str(number) for number in range(len(names))]
    assert [row["city"] for row in rows] == ["Anna\n=HYPERLINK(1)", "Bo\nLee", 'C"d,e', "'\nx", "'\n", "é\u2028f"]


def test_a_folder_that_is_missing_stops_the_destination(tmp_path: Path) -> None:
    with connected(tmp_path / "none") as connector, pytest.raises(Refused, match=r"missing or closed to us \(ENOENT"):
        drop(connector)


def test_files_go_to_an_sftp_server_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with file_server(tmp_path) as server:
        login = {"host": "127.0.0.1", "port": server.port, "user": USER, "host_key": server.host_key}
        for _ in range(2):
            with connected("/in", **login, password=PASSWORD) as connector:
                assert drop(connector) == ["accepted", "accepted"]
        with connected("/none", **login, password=PASSWORD) as connector, pytest.raises(Refused, match="ENOENT"):
            drop(connector)
        with connected("/in", **login, password="wrong") as connector, pytest.raises(Refused, match="refuses the user"):
            drop(connector)
    assert content(tmp_path / "in") == BOTH


def test_a_half_done_drop_on_a_server_is_made_whole(tmp_path: Path) -> None:
    (tmp_path / GOLDEN["csv_name"]).write_text("golden_id,act")
    with file_server(tmp_path) as server:
        login = {"host": "127.0.0.1", "port": server.port, "user": USER, "host_key": server.host_key}
        with connected("/", **login, password=PASSWORD) as connector:
            drop(connector)
    assert content(tmp_path) == BOTH


def test_a_private_key_lets_in(tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    with file_server(tmp_path, key) as server:
        login = {"host": "127.0.0.1", "port": server.port, "user": USER, "host_key": server.host_key}
        with connected("/", **login, private_key=key.export_private_key().decode()) as connector:
            drop(connector)
    assert content(tmp_path) == BOTH


@pytest.mark.parametrize(
    ("kind", "said"), [("ssh-ed25519", "another host key"), ("ssh-rsa", r"type \(ssh-rsa\)")], ids=["other", "type"]
)
def test_a_server_without_the_pinned_key_gets_no_password_and_no_file(tmp_path: Path, kind: str, said: str) -> None:
    other = asyncssh.generate_private_key(kind).export_public_key().decode()
    with file_server(tmp_path) as server:
        login = {"host": "127.0.0.1", "port": server.port, "user": USER, "host_key": other}
        with connected("/", **login, password=PASSWORD) as connector, pytest.raises(Refused, match=said):
            drop(connector)
    assert content(tmp_path) == {}


@pytest.mark.parametrize(
    ("others", "pinned"),
    [(["ssh-ed25519"], "ssh-rsa"), (["ssh-ed25519", "ssh-rsa"], "ecdsa-sha2-nistp256"), (["ssh-rsa"], "ssh-ed25519")],
)
def test_a_server_that_has_keys_of_several_types_is_known_by_the_pinned_one(
    tmp_path: Path, others: list[str], pinned: str
) -> None:
    keys = [asyncssh.generate_private_key(kind) for kind in (*others, pinned)]
    with file_server(tmp_path, host_keys=keys) as server:
        login = {"host": "127.0.0.1", "port": server.port, "user": USER, "host_key": server.host_key}
        with connected("/", **login, password=PASSWORD) as connector:
            drop(connector)
    assert content(tmp_path) == BOTH


class Mute(asyncssh.SSHServerSession[bytes]):
    """Opens and never says a word."""

    def subsystem_requested(self, subsystem: str) -> bool:
        return True


class Deaf(asyncssh.SSHServerSession[bytes]):
    """Does not even say whether it opens: the server stands still."""

    released = Event()

    def subsystem_requested(self, subsystem: str) -> bool:
        return self.released.wait(10)


@pytest.mark.parametrize("session", [Mute, Deaf])
def test_a_server_that_falls_silent_while_it_opens_is_waited_for_no_longer_than_told(
    tmp_path: Path, session: type[asyncssh.SSHServerSession[bytes]]
) -> None:
    with file_server(tmp_path, session=session) as server:
        login = {"host": "127.0.0.1", "port": server.port, "user": USER, "host_key": server.host_key}
        began = time.monotonic()
        with (
            connected("/", **login, password=PASSWORD, timeout_seconds=0.5) as connector,
            pytest.raises(Retryable, match="cannot be reached") as caught,
        ):
            drop(connector)
        Deaf.released.set()
    assert caught.value.nothing_taken
    assert time.monotonic() - began < 5.0


def test_a_server_that_is_not_there_may_be_tried_again(tmp_path: Path) -> None:
    with file_server(tmp_path) as server:
        login = {"host": "127.0.0.1", "port": server.port, "user": USER, "host_key": server.host_key}
    with (
        connected("/", **login, password=PASSWORD) as connector,
        pytest.raises(Retryable, match="cannot be reached") as caught,
    ):
        drop(connector)
    assert caught.value.nothing_taken


@pytest.mark.parametrize(("behaviour", "nothing_taken"), [("429", True), ("5xx_before", False), ("cut_after", False)])
def test_nothing_is_taken_until_the_manifest_gets_its_name(
    tmp_path: Path, behaviour: Behaviour, nothing_taken: bool
) -> None:
    script = Script()
    script.will([behaviour])
    with file_server(tmp_path, script=script) as server:
        login = {"host": "127.0.0.1", "port": server.port, "user": USER, "host_key": server.host_key}
        with connected("/", **login, password=PASSWORD) as connector:
            with pytest.raises(Retryable) as caught:
                drop(connector)
            drop(connector)
    assert caught.value.nothing_taken == nothing_taken
    assert content(tmp_path) == BOTH


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"host": "sftp.example.com", "user": "me", "password": "secret-of-nobody"}, "host_key is missing"),
        ({"host": "sftp.example.com", "user": "me"}, "either password or private_key"),
        (
            {"host": "sftp.example.com", "user": "me", "password": "secret-of-nobody", "host_key": "ssh-ed25519 !"},
            "host_key is no public key",
        ),
        ({"columns": ["golden_id"]}, "name each column once"),
        ({"prefix": "../up"}, "prefix"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_showing_them(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        DropSettings(path="/in", **wrong)
    assert "secret-of-nobody" not in str(caught.value)
