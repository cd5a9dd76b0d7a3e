"""What a source says of its files and columns that nobody could mean is a fault of the pack, not of the rows."""

import pytest

from cdp_lib.io.yaml_files import load_pack
from cdp_lib.settings.date_pattern import check_date_pattern
from tests.unit.settings.conftest import LoadFaults, SOURCES, WritePack
from tests.unit.settings.test_faults import spoiled

SOUND_PATTERNS = (
    "dd/MM/yyyy", "d.M.yy", "yyyyMMdd", "yyyyDDD", "dd MMM yyyy", "dd/MM/yyyy hh:mm a", "dd/MM/yyyy[ HH:mm[:ss]]",
    "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "dd.MM.yyyy HH:mm XXX", "yyyyMMddHHmmss", "yyyy-LL-dd HH 'o''clock' VV",
)  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("dd/mm/yyyy", "has minutes (m) without an hour; months are M. Did you mean 'dd/MM/yyyy'?"),
        ("mm/dd/yyyy hh:mm", "has an hour of half a day (h) without its half (a); hours of the whole day are H. "
                             "Did you mean 'MM/dd/yyyy HH:mm'?"),
        ("dd/mm/yyyy HH:mm", "names no whole day: year (y), month (M) and day (d) are needed, outside of brackets. "
                             "Did you mean 'dd/MM/yyyy HH:mm'?"),
        ("yyyy-MM-dd HH:MM", "has the month (M) twice; minutes are m. Did you mean 'yyyy-MM-dd HH:mm'?"),
        ("yyyy-MM-dd HH:mm:SS", "has fractions of a second (S) without seconds (s). "
                                "Did you mean 'yyyy-MM-dd HH:mm:ss'?"),
        ("%d/%m/%Y", "is written as in Python. Did you mean 'dd/MM/yyyy'?"),
        ("%Y-%m-%d %H:%M:%S", "is written as in Python. Did you mean 'yyyy-MM-dd HH:mm:ss'?"),
        ("YYYY-MM-DD", "has 'YYYY', which says nothing to Spark; text stands in single quotes. "
                       "Did you mean 'yyyy-MM-dd'?"),
        ("yyyy-MM-DD", "names no whole day: year (y), month (M) and day (d) are needed, outside of brackets. "
                       "Did you mean 'yyyy-MM-dd'?"),
        ("yyyy-MM-ddTHH:mm", "has 'T', which says nothing to Spark; text stands in single quotes. "
                             "Did you mean 'yyyy-MM-dd'T'HH:mm'?"),
        ("dd-MMMMM-yyyy", "has 'MMMMM': M stands 4 times at most. Patterns are Spark's: dd/MM/yyyy"),
        ("MM/yyyy", "names no whole day: year (y), month (M) and day (d) are needed, outside of brackets. Patterns"),
        ("dd/MM[/yyyy]", "names no whole day: year (y), month (M) and day (d) are needed, outside of brackets."),
        ("dd/MM/yyyy 'at", "has a quote or bracket that is not closed."),
        ("", "names no whole day"),
    ],
)  # fmt: skip
def test_a_pattern_that_misreads_days_is_refused_with_what_was_meant(pattern: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the message is compared below
        check_date_pattern(pattern)
    assert str(caught.value).startswith(f"{pattern!r} {said}")


@pytest.mark.parametrize("pattern", SOUND_PATTERNS)
def test_a_pattern_of_whole_days_is_none_of_our_business(pattern: str) -> None:
    check_date_pattern(pattern)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("./door/*.csv", "path './door/*.csv' has a part that names nothing; write it like desk/members_*.csv"),
        ("door//*.csv", "path 'door//*.csv' has a part that names nothing"),
        ("door/", "path 'door/' has a part that names nothing"),
        ("", "path '' has a part that names nothing"),
        ("door/*.{csv,txt}", "path 'door/*.{csv,txt}' is no glob: it may have *, **, ? and [a-z]; a bracket itself"),
        ("door/[z-a].csv", "path 'door/[z-a].csv' is no glob"),
        ("door/[].csv", "path 'door/[].csv' is no glob"),
        ("door/[a.csv", "path 'door/[a.csv' is no glob"),
    ],
)
def test_a_path_that_finds_nothing_by_its_form_is_a_fault(faults_of: LoadFaults, path: str, said: str) -> None:
    (fault,) = faults_of(sources=spoiled(SOURCES, "door/*.csv", path))
    assert fault.startswith(f"sources.yml: sources[0].read.path: {said}")


@pytest.mark.parametrize("path", ["**", "door/[!a-c_]*.csv", "door/[{]1[[].csv", "door/a b-(1).csv"])
def test_a_path_may_be_any_glob(write_pack: WritePack, path: str) -> None:
    folder = write_pack(sources=spoiled(SOURCES, "door/*.csv", path))
    assert load_pack(str(folder), folder.parent).sources[0].read.path == path


COLUMN = 'paid: {type: "decimal(18,2)", expect: ["paid >= 0"]}'


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        ("{type: date, format: dd/mm/yyyy}", ".format: 'dd/mm/yyyy' has minutes (m)"),
        ("{type: date, format: [dd/MM/yyyy, YYYY-MM-DD]}", ".format: 'YYYY-MM-DD' has 'YYYY'"),
        (
            "{type: string, format: dd/MM/yyyy}",
            ": format belongs to date, timestamp, timestamp_ntz, not to string: remove it, or change type",
        ),
        (
            "{type: string, era: buddhist}",
            ": era belongs to date, timestamp, timestamp_ntz, not to string: remove it, or change type",
        ),
        (
            "{type: date, time_zone: UTC}",
            ": time_zone belongs to timestamps, alone or nested, not to date: remove it",
        ),
        (
            "{type: timestamp, time_zone: Europe/Berlim}",
            ".time_zone: unknown time zone 'Europe/Berlim'. Did you mean 'Europe/Berlin'?",
        ),
    ],
)
def test_a_column_that_cannot_be_read_as_meant_is_a_fault(faults_of: LoadFaults, column: str, fault: str) -> None:
    found = faults_of(sources=spoiled(SOURCES, COLUMN, f"paid: {column}"))
    assert [line for line in found if line.startswith(f"sources.yml: sources[0].columns.paid{fault}")]
