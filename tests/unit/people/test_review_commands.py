"""`cdp review`: uncertain pairs go out for people to judge; all verdicts come back, or none."""

import csv
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from cdp_lib.contracts.matching import REVIEW_PAIR
from cdp_lib.errors import LockedError
from cdp_lib.io.lock import run_lock
from jobs.decisions import read_book
from jobs.review import import_verdicts
from tests.unit.people.conftest import Deli, mode_of, record, told

Rows = list[dict[str, str]]


@pytest.fixture
def doubtful(deli: Deli) -> Deli:
    """Two pairs wait for a verdict."""
    deli.doubt(("crm:1", "shop:1"), ("crm:2", "crm:3"))
    return deli


@pytest.fixture
def exported(doubtful: Deli, tmp_path: Path) -> Path:
    """Their file."""
    path = tmp_path / "out" / "pairs.csv"
    result = doubtful.review("export", "--out", str(path))
    assert result.exit_code == 0, result.output
    return path


def rows_of(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def rewrite(path: Path, rows: Iterable[dict[str, str]], *, delimiter: str = ",", mark: str = "") -> None:
    kept = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(mark)
        writer = csv.DictWriter(file, list(kept[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(kept)


def judge(path: Path, *verdicts: str, **more: str) -> None:
    """Fill in the verdicts, row by row."""
    rows = [{**row, "verdict": verdict, **more} for row, verdict in zip(rows_of(path), verdicts, strict=True)]
    rewrite(path, rows)


def test_both_records_stand_side_by_side_the_most_uncertain_pair_first(exported: Path) -> None:
    first, second = rows_of(exported)
    assert (first["place"], second["place"]) == ("1", "2")
    assert (first["first_name_l"], first["first_name_r"], first["birth_date_l"]) == ("Ann", "Ann", "1990-01-02")
    assert (first["verdict"], first["reason"], first["email_l"]) == ("", "", "")
    assert (first["agreement"], first["match_probability"], first["is_together"]) == ("email: same", "0.667", "no")
    assert {first["source_system_l"], first["source_system_r"]} == {"crm", "shop"}


def test_only_its_owner_may_read_the_file_and_is_told_so(doubtful: Deli, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    said = doubtful.review("export", "--out", str(path))
    assert mode_of(path) == 0o600
    assert "2 pairs. It holds personal data and only you may read it: delete it when you are done." in said.stdout
    assert f"cdp review import {path} --pack" in said.stdout
    assert [file.name for file in tmp_path.glob(".*.part")] == []


def test_a_file_with_verdicts_is_not_overwritten(doubtful: Deli, exported: Path) -> None:
    judge(exported, "link", "")
    assert "exists and may hold verdicts" in told(doubtful.review("export", "--out", str(exported)))
    assert rows_of(exported)[0]["verdict"] == "link"


def test_pairs_judged_since_the_run_or_of_records_that_are_gone_are_not_asked_again(deli: Deli, tmp_path: Path) -> None:
    deli.doubt(("crm:1", "crm:2"), ("crm:1", "crm:gone"), ("crm:3", "crm:4"))
    deli.say("unlink", "crm:2", "crm:1")
    path = tmp_path / "pairs.csv"
    deli.review("export", "--out", str(path))
    assert [row["place"] for row in rows_of(path)] == ["3"]


def test_where_no_pair_waits_there_is_no_file(deli: Deli, tmp_path: Path) -> None:
    deli.doubt(("crm:1", "crm:gone"))
    said = deli.review("export", "--out", str(tmp_path / "pairs.csv"))
    assert "No pair waits for a verdict: no file was written." in said.stdout
    assert not (tmp_path / "pairs.csv").exists()


def test_what_lacks_for_a_review_is_told(bare_deli: Callable[..., Deli], tmp_path: Path) -> None:
    out = str(tmp_path / "pairs.csv")
    assert "review_pair does not exist. First: cdp run daily" in told(bare_deli().review("export", "--out", out))
    exact_only = bare_deli("kind: identity\n").review("export", "--out", out)
    assert "identity.yml: identity.matching: is missing: without it no pair is uncertain" in told(exact_only)


def test_a_name_that_a_spreadsheet_would_run_is_marked_as_text(deli: Deli, tmp_path: Path) -> None:
    deli.know("crm:=1+1", last_name='=HYPERLINK("x")', phone="+4930123456", city="-x")
    deli.doubt(("crm:=1+1", "crm:1"))
    path = tmp_path / "pairs.csv"
    deli.review("export", "--out", str(path))
    (row,) = rows_of(path)
    side = "l" if row["source_record_id_l"] == "'=1+1" else "r"
    assert (row[f"last_name_{side}"], row[f"phone_{side}"], row[f"city_{side}"]) == (
        '\'=HYPERLINK("x")',
        "+4930123456",
        "'-x",
    )
    judge(path, "link")
    assert deli.review("import", str(path)).exit_code == 0
    assert "=1+1" in {deli.overrides()[0][f"source_record_id_{side}"] for side in "lr"}


def test_verdicts_become_decisions_with_one_deed_and_a_count_of_each_kind(doubtful: Deli, exported: Path) -> None:
    doubtful.doubt(("crm:4", "shop:1"))
    exported.unlink()
    doubtful.review("export", "--out", str(exported))
    judge(exported, " Link ", "unlink", "", reason="looked at both")
    said = doubtful.review("import", str(exported))

    assert "1 linked, 1 unlinked, 1 left open, 0 already so. The next run carries it out" in said.stdout
    rows = doubtful.overrides()
    assert sorted(row["decision"] for row in rows) == ["link", "unlink"]
    assert {(row["origin"], row["reason"]) for row in rows} == {("review", "looked at both")}
    *exports, deed = doubtful.deeds()
    assert [(one["action"], one["subject"], one["detail"]) for one in exports] == [
        ("review_export", "silver.review_pair", "2 pairs"),
        ("review_export", "silver.review_pair", "3 pairs"),
    ]
    assert deed["action"] == "review_import"
    assert deed["detail"] == "1 linked, 1 unlinked, 1 left open, 0 already so"


def test_importing_a_file_again_changes_nothing(doubtful: Deli, exported: Path) -> None:
    judge(exported, "link", "unlink")
    doubtful.review("import", str(exported))
    before = doubtful.overrides()
    again = doubtful.review("import", str(exported))

    assert "0 linked, 0 unlinked, 0 left open, 2 already so. Nothing was written." in again.stdout
    assert doubtful.overrides() == before
    assert [one["action"] for one in doubtful.deeds()] == ["review_export", "review_import"]


@pytest.mark.parametrize("word", ["unlink", "withdraw"])
def test_a_file_imported_again_leaves_what_was_decided_since(doubtful: Deli, exported: Path, word: str) -> None:
    judge(exported, "link", "unlink")
    doubtful.review("import", str(exported))
    doubtful.say(word, "crm:1", "shop:1")
    before = doubtful.overrides()
    said = doubtful.review("import", str(exported)).stdout
    assert "1 already so, 1 left as cdp identity has decided since the export. Nothing was written." in said
    assert doubtful.overrides() == before


def test_a_verdict_of_a_later_export_takes_a_commands_place(doubtful: Deli, tmp_path: Path) -> None:
    doubtful.say("link", "crm:1", "shop:1")
    doubtful.say("withdraw", "crm:1", "shop:1")
    path = tmp_path / "pairs.csv"
    doubtful.review("export", "--out", str(path))
    judge(path, "link", "")
    assert "1 linked" in doubtful.review("import", str(path)).stdout
    judge(path, "unlink", "")
    assert "1 unlinked" in doubtful.review("import", str(path)).stdout


def test_a_file_that_does_not_say_when_it_was_exported_is_older_than_any_command(
    doubtful: Deli, exported: Path
) -> None:
    doubtful.say("unlink", "crm:1", "shop:1")
    judge(exported, "link", "", exported_at="01/12/2026")
    assert "1 left as cdp identity has decided" in doubtful.review("import", str(exported)).stdout


def test_a_file_without_a_verdict_writes_nothing(doubtful: Deli, exported: Path) -> None:
    said = doubtful.review("import", str(exported))
    assert "0 linked, 0 unlinked, 2 left open, 0 already so. Nothing was written." in said.stdout
    assert doubtful.overrides() == []


def test_one_wrong_row_keeps_all_verdicts_out_and_every_wrong_row_is_told(doubtful: Deli, exported: Path) -> None:
    rows = rows_of(exported)
    rewrite(
        exported,
        [
            {**rows[0], "verdict": "link"},
            {**rows[1], "verdict": "ulink"},
            {**rows[0], "verdict": "same"},
            {**rows[1], "verdict": "link", "source_record_id_l": "77"} | {"record_l": record("crm:78").hash},
        ],
    )
    said = told(doubtful.review("import", str(exported)))

    assert f"{exported}: line 3: unknown verdict 'ulink'. Did you mean 'unlink'?" in said
    assert f"{exported}: line 4: unknown verdict 'same'. Choices: link, unlink." in said
    assert f"{exported}: line 5: record_l, record_r and the ids do not belong together" in said
    assert "3 faults." in said
    assert doubtful.overrides() == []
    assert [one["action"] for one in doubtful.deeds()] == ["review_export"]


def test_two_verdicts_about_one_pair_are_refused(doubtful: Deli, exported: Path) -> None:
    rows = rows_of(exported)
    rewrite(exported, [{**rows[0], "verdict": "link"}, {**rows[0], "verdict": "unlink"}])
    said = told(doubtful.review("import", str(exported)))
    assert "line 3: says unlink of the two records of which line 2 says link." in said


def test_verdicts_that_contradict_each_other_or_earlier_decisions_are_told_without_ids(
    deli: Deli, tmp_path: Path
) -> None:
    deli.know("crm:ann@example.com", "crm:eve@example.com")
    deli.doubt(("crm:ann@example.com", "crm:1"), ("crm:1", "crm:eve@example.com"), ("crm:ann@example.com", "crm:2"))
    deli.say("unlink", "crm:ann@example.com", "crm:eve@example.com")
    path = tmp_path / "pairs.csv"
    deli.review("export", "--out", str(path))
    judge(path, "link", "link", "")
    said = told(deli.review("import", str(path)))

    assert "line 3: crm:" in said
    assert "cannot be one person: decisions in force make them two." in said
    assert "(not written yet)" in said
    assert "example.com" not in said
    assert len(deli.overrides()) == 1


def test_a_verdict_about_a_record_that_is_gone_is_refused(doubtful: Deli, exported: Path) -> None:
    rows = rows_of(exported)
    gone = record("crm:gone")
    row = {**rows[0], "verdict": "link", "source_system_l": "crm", "source_record_id_l": "gone", "record_l": gone.hash}
    rewrite(exported, [row])
    said = told(doubtful.review("import", str(exported)))
    assert f"line 2: {gone.hidden}: silver.customer_record has no such record" in said
    assert "crm:gone" not in said


def test_ids_that_a_spreadsheet_has_changed_are_found_again_by_their_hashes(deli: Deli, tmp_path: Path) -> None:
    deli.know("crm:007")
    deli.doubt(("crm:007", "crm:1"))
    path = tmp_path / "pairs.csv"
    deli.review("export", "--out", str(path))
    changed = [{name: "7" if text == "007" else text for name, text in row.items()} for row in rows_of(path)]
    rewrite(path, changed)
    judge(path, "link")
    # A run since then may leave the pair in doubt no longer.
    shutil.rmtree(deli.ledger.path(REVIEW_PAIR))
    assert deli.review("import", str(path)).exit_code == 0
    assert "007" in {deli.overrides()[0][f"source_record_id_{side}"] for side in "lr"}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_a_mark_of_utf8_blank_lines_and_another_order_are_understood(
    doubtful: Deli, exported: Path, delimiter: str
) -> None:
    judge(exported, "link", "")
    rows = [dict(sorted(row.items())) for row in rows_of(exported)]
    rewrite(exported, rows, delimiter=delimiter, mark="\ufeff")
    exported.write_text(exported.read_text(encoding="utf-8") + "\n" + delimiter + "\n", encoding="utf-8")
    assert "1 linked, 0 unlinked, 1 left open" in doubtful.review("import", str(exported)).stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: column 'verdict' is missing."),
        (b"verdikt,record_l\n", "line 1: column 'verdict' is missing. Did you mean 'verdikt'? Keep the header"),
        (b"verdict,record_l\n", "line 1: column 'record_r' is missing. Did you mean 'record_l'?"),
        (b"verdict,verdict\n", "line 1: column 'verdict' stands there twice."),
        (b"verdict\n\xe4\n", "not UTF-8 text (byte 8); save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_review_is_refused(deli: Deli, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    assert message in told(deli.review("import", str(path)))


def test_a_broken_row_is_told_with_its_line(doubtful: Deli, exported: Path) -> None:
    text = exported.read_text(encoding="utf-8")
    exported.write_text(text + "1,link\n", encoding="utf-8")
    assert "line 4: has 2 columns, the header" in told(doubtful.review("import", str(exported)))
    exported.write_text(text + '1,"link\n', encoding="utf-8")
    assert "line 4: not CSV: unexpected end of data" in told(doubtful.review("import", str(exported)))


def test_a_line_is_counted_where_its_row_begins(doubtful: Deli, exported: Path) -> None:
    first, second = rows_of(exported)
    rewrite(exported, [{**first, "reason": "two\nlines"}, {**second, "verdict": "lnik"}])
    assert "line 4: unknown verdict 'lnik'. Did you mean 'link'?" in told(doubtful.review("import", str(exported)))


def test_a_missing_file_is_told_with_how_to_get_one(deli: Deli, tmp_path: Path) -> None:
    said = told(deli.review("import", str(tmp_path / "pairs.csv")))
    assert "pairs.csv: no such file. Export the pairs first: cdp review export --out" in said


def test_a_running_job_keeps_verdicts_out(doubtful: Deli, exported: Path) -> None:
    judge(exported, "link", "link")
    with run_lock(doubtful.lakehouse, "daily of deli"), pytest.raises(LockedError, match="is in use by"):
        import_verdicts(doubtful.suite, exported)
    assert read_book(doubtful.ledger).held == {}
