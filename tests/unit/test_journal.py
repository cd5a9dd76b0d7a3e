"""What a journal keeps through a crash, and what it refuses to guess."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta, UTC
from pathlib import Path

import pytest

from cdp_lib.errors import StorageError
from cdp_lib.io.journal import IntentJournal, NotedOutcome, OpenBatch, read_open


@dataclass(frozen=True)
class Thing:
    """An item, as far as a journal looks at it."""

    intent_id: str
    attempt: int | None = None


@dataclass(frozen=True)
class Group:
    """A batch, as far as a journal looks at it."""

    items: tuple[Thing, ...]
    operation: str = "send"
    campaign: str = "spring"


def group(*names: str) -> Group:
    return Group(tuple(map(Thing, names)))


Opens = Callable[[Path], IntentJournal]


@pytest.fixture
def opened() -> Iterator[Opens]:
    """Opens journals as processes do, which all end with the test."""
    with ExitStack() as stack:
        yield lambda folder: stack.enter_context(IntentJournal(folder))


def accepted(name: str) -> NotedOutcome:
    return NotedOutcome(name, "accepted", "", f"id-{name}")


def test_a_folder_without_journals_is_empty(tmp_path: Path) -> None:
    state = read_open(tmp_path / "none")
    assert (state.outcomes, state.open_batches) == ((), ())


def test_ended_requests_come_back_as_outcomes_in_their_order(opened: Opens, tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for name in ("b", "a"):
        journal.begin(f"key-{name}", group(name))
        journal.end((accepted(name),))
    state = read_open(tmp_path)
    assert state.outcomes == (accepted("b"), accepted("a"))
    assert state.open_batches == ()


def test_a_request_without_an_end_is_open_with_its_items_in_order(opened: Opens, tmp_path: Path) -> None:
    opened(tmp_path).begin("key", group("b", "a"))
    assert read_open(tmp_path).open_batches == (OpenBatch("key", "send", "spring", ("b", "a")),)


def test_parts_take_the_place_of_a_request_all_at_once_or_not_at_all(opened: Opens, tmp_path: Path) -> None:
    whole, parts = group("a", "b"), {"key-a": group("a"), "key-b": group("b")}
    journal = opened(tmp_path)
    journal.begin("key", whole)
    journal.part(list(parts.items()))
    left = [OpenBatch(key, "send", "spring", (key[-1],)) for key in parts]
    assert list(read_open(tmp_path).open_batches) == left
    journal.begin("key-a", parts["key-a"])
    journal.end((accepted("a"),))
    assert list(read_open(tmp_path).open_batches) == left[1:]
    (file,) = tmp_path.iterdir()
    begun, parted, *_ = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(begun + parted[:-9])
    assert read_open(tmp_path).open_batches == (OpenBatch("key", "send", "spring", ("a", "b")),)


def test_an_outcome_says_which_try_it_ends_and_a_request_when_it_began_first(tmp_path: Path) -> None:
    noon = datetime(2025, 2, 1, 12, tzinfo=UTC)
    for hours, attempt in ((0, 2), (5, 2)):
        with IntentJournal(tmp_path, lambda at=noon + timedelta(hours=hours): at) as journal:
            journal.begin("key", Group((Thing("a", attempt), Thing("b"))))
    assert [one.begun_at for one in read_open(tmp_path).open_batches] == [noon]
    with IntentJournal(tmp_path) as journal:
        journal.begin("key", Group((Thing("a", 2), Thing("b"))))
        journal.end((accepted("a"), accepted("b")))
    assert [(one.intent_id, one.attempt) for one in read_open(tmp_path).outcomes] == [("a", 2), ("b", None)]


def test_lines_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    (tmp_path / "000001.jsonl").write_text(
        '{"begin":"k1","operation":"send","campaign":"spring","intents":["a"]}\n'
        '{"end":"k1","outcomes":[{"intent_id":"a","status":"accepted","reason":"","provider_id":"id-a"}]}\n'
        '{"begin":"k2","operation":"send","campaign":"spring","intents":["b"]}\n'
    )
    state = read_open(tmp_path)
    assert state.outcomes == (accepted("a"),)
    assert [(one.intent_ids, one.begun_at) for one in state.open_batches] == [(("b",), None)]


def test_a_request_that_took_nothing_leaves_no_trace(opened: Opens, tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.begin("key", group("a"))
    journal.end(())
    state = read_open(tmp_path)
    assert (state.outcomes, state.open_batches) == ((), ())


def test_beginning_again_under_the_same_key_adds_nothing(opened: Opens, tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.begin("key", group("a"))
    size = (tmp_path / "000001.jsonl").stat().st_size
    journal.begin("key", group("a"))
    assert (tmp_path / "000001.jsonl").stat().st_size == size


def test_every_cut_of_the_file_is_read_and_never_forgets_a_whole_line(opened: Opens, tmp_path: Path) -> None:
    journal = opened(tmp_path / "whole")
    journal.begin("key-a", group("a"))
    journal.end((accepted("a"),))
    journal.begin("key-b", group("b"))
    journal.end((accepted("b"),))
    content = (tmp_path / "whole" / "000001.jsonl").read_bytes()
    cut = tmp_path / "cut"
    cut.mkdir()
    for length in range(len(content) + 1):
        (cut / "000001.jsonl").write_bytes(content[:length])
        lines = content[:length].count(b"\n")
        state = read_open(cut)
        assert (len(state.outcomes), len(state.open_batches)) == (lines // 2, lines % 2)


def test_a_later_process_writes_a_file_of_its_own_and_settles_what_was_open(opened: Opens, tmp_path: Path) -> None:
    opened(tmp_path).begin("key", group("a", "b"))
    with (tmp_path / "000001.jsonl").open("ab") as file:
        file.write(b'{"end":"key","outco')
    later = opened(tmp_path)
    later.begin("key", group("a", "b"))
    later.end((accepted("a"), accepted("b")))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["000001.jsonl", "000002.jsonl"]
    state = read_open(tmp_path)
    assert state.outcomes == (accepted("a"), accepted("b"))
    assert state.open_batches == ()


def test_outcomes_without_a_request_close_the_open_one_of_the_same_items(opened: Opens, tmp_path: Path) -> None:
    opened(tmp_path).begin("key", group("a", "b"))
    later = opened(tmp_path)
    later.end((accepted("a"),))
    assert len(read_open(tmp_path).open_batches) == 1
    later.end((accepted("b"), accepted("a")))
    assert read_open(tmp_path).open_batches == ()


def test_a_line_that_cannot_be_read_in_the_middle_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "000001.jsonl").write_bytes(b'{"begin":"k\n{"end":null,"outcomes":[]}\n')
    with pytest.raises(StorageError, match=r"000001.jsonl: line 1 is no journal entry"):
        read_open(tmp_path)


def test_what_is_in_the_ledger_is_forgotten_and_the_journal_goes_on(opened: Opens, tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    journal = opened(folder)
    journal.begin("key-a", group("a"))
    journal.end((accepted("a"),))
    journal.settled()
    assert not folder.exists()
    journal.begin("key-b", group("b"))
    journal.end((accepted("b"),))
    assert read_open(folder).outcomes == (accepted("b"),)


def test_a_journal_with_an_open_request_is_not_removed(opened: Opens, tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.begin("key", group("a"))
    with pytest.raises(StorageError, match="1 requests have no end yet"):
        journal.settled()
    assert len(read_open(tmp_path).open_batches) == 1


def test_begin_is_on_the_disk_before_it_returns(opened: Opens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync

    def counted(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    opened(tmp_path).begin("key", group("a"))
    assert synced[-1] == (tmp_path / "000001.jsonl").stat().st_size > 0


def test_a_folder_that_takes_no_journal_is_an_error_before_the_request(opened: Opens) -> None:
    journal = opened(Path("/dev/null/journal"))
    with pytest.raises(StorageError, match=r"the journal cannot be written .*nothing more is sent"):
        journal.begin("key", group("a"))
