"""A sample turns an installed package's tables into landing files, split by the zone's days."""

import gzip
import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from cdp_lib.errors import ConfigError, SetupError, StorageError
from cdp_lib.settings.sample import Sample
from cdp_lib.simulate.sample import export_sample, MANIFEST, SampleSummary

BERLIN = "Europe/Berlin"
Export = Callable[..., SampleSummary]


def sample_of(*files: dict[str, object], package: str = "shop_year") -> Sample:
    """A sample of the test's own package."""
    return Sample.model_validate({"kind": "sample", "package": package, "files": list(files)})


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with sales around midnight, their shops, and nothing to import."""
    folder = tmp_path / "site" / "shop_year"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('must not be imported')\n")
    sales = pa.table(
        {
            "sale": [3, 1, 2, 4],
            "shop": [7, 8, 7, 9],
            "amount": [1.5, 2.0, None, 1.776357e-15],
            "sold_at": [
                datetime(2017, 6, 1, 21, 59, 59),  # noqa: DTZ001  the package stores UTC without saying so
                datetime(2017, 6, 1, 22, 0, 0),  # noqa: DTZ001
                datetime(2017, 12, 31, 22, 59, 59),  # noqa: DTZ001
                datetime(2017, 12, 31, 23, 0, 0),  # noqa: DTZ001
            ],
        }
    )
    shops = pa.table(
        {
            "shop": [9, 8, 7],
            "town": ["Ulm", 'Say "hi", Hof', None],
            "opened": pa.array([date(2016, 1, 2)] * 3).cast(pa.timestamp("us")),
        }
    )
    pq.write_table(sales, folder / "data" / "sales.parquet")
    pq.write_table(shops, folder / "data" / "shops.parquet")
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder


SALES = {"table": "data/sales.parquet", "path": "pos/%Y-%m-%d.csv", "day": {"column": "sold_at"}}
SHOPS = {"table": "data/shops.parquet", "path": "shops.csv", "dates": ["opened"]}


@pytest.fixture
def export(package: Path, tmp_path: Path) -> Export:
    """Export files of the test's package into `landing`."""
    out = tmp_path / "landing"
    return lambda *files, **bounds: export_sample(sample_of(*files), out, time_zone=BERLIN, **bounds)


def texts(summary: SampleSummary) -> dict[str, str]:
    """Path: text of every landing file."""
    return {
        str(path.relative_to(summary.out)): path.read_text(encoding="utf-8")
        for path in sorted(summary.out.rglob("*.*"))
        if path.is_file() and path.name != MANIFEST
    }


def test_rows_go_to_the_file_of_their_local_day_and_keep_their_order(export: Export) -> None:
    header = '"sale","shop","amount","sold_at"\n'
    assert texts(export(SALES)) == {
        "pos/2017-06-01.csv": f'{header}3,7,1.5,"2017-06-01T21:59:59Z"\n',
        "pos/2017-06-02.csv": f'{header}1,8,2,"2017-06-01T22:00:00Z"\n',
        "pos/2017-12-31.csv": f'{header}2,7,,"2017-12-31T22:59:59Z"\n',
        "pos/2018-01-01.csv": f'{header}4,9,1.776357e-15,"2017-12-31T23:00:00Z"\n',
    }


def test_a_coarser_pattern_makes_fewer_files(export: Export) -> None:
    assert sorted(texts(export(SALES | {"path": "pos/%Y-%m.csv"}))) == [
        "pos/2017-06.csv", "pos/2017-12.csv", "pos/2018-01.csv",
    ]  # fmt: skip


def test_a_local_clock_is_not_shifted(export: Export) -> None:
    local = SALES | {"day": {"column": "sold_at", "clock": "local"}, "columns": {"at": "sold_at"}}
    assert texts(export(local))["pos/2017-12-31.csv"] == '"at"\n"2017-12-31 22:59:59"\n"2017-12-31 23:00:00"\n'


def test_a_table_without_days_is_one_file_with_quotes_where_needed(export: Export) -> None:
    assert texts(export(SHOPS)) == {
        "shops.csv": '"shop","town","opened"\n9,"Ulm","2016-01-02"\n8,"Say ""hi"", Hof","2016-01-02"\n7,,"2016-01-02"\n'
    }


def test_columns_are_renamed_chosen_and_ordered(export: Export) -> None:
    file = {
        "table": "data/shops.parquet",
        "path": "shops.csv",
        "columns": {"place": "town", "id": "shop"},
        "only": {"shop": [9]},
    }
    assert texts(export(file)) == {"shops.csv": '"place","id"\n"Ulm",9\n'}


def test_a_lookup_adds_columns_and_keeps_rows_and_order(export: Export) -> None:
    file = {
        "table": "data/sales.parquet", "path": "sales.csv", "columns": {"sale": "sale", "town": "town"},
        "lookup": {"table": "data/shops.parquet", "by": ["shop"]},
    }  # fmt: skip
    assert texts(export(file)) == {"sales.csv": '"sale","town"\n3,\n1,"Say ""hi"", Hof"\n2,\n4,"Ulm"\n'}


def test_a_lookup_table_must_have_one_row_per_value(export: Export) -> None:
    file = {
        "table": "data/shops.parquet", "path": "shops.csv",
        "lookup": {"table": "data/sales.parquet", "by": ["shop"]},
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"sales\.parquet has several rows with the same shop"):
        export(file)


def test_json_lines_and_gzip(export: Export) -> None:
    summary = export(SHOPS | {"path": "shops.jsonl.gz"})
    lines = gzip.decompress((summary.out / "shops.jsonl.gz").read_bytes()).decode().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"shop": 9, "town": "Ulm", "opened": "2016-01-02"},
        {"shop": 8, "town": 'Say "hi", Hof', "opened": "2016-01-02"},
        {"shop": 7, "town": None, "opened": "2016-01-02"},
    ]


def test_parquet_keeps_the_tables_own_types(export: Export, package: Path) -> None:
    summary = export({"table": "data/sales.parquet", "path": "sales.parquet"})
    assert pq.read_table(summary.out / "sales.parquet").equals(pq.read_table(package / "data" / "sales.parquet"))


def test_bounds_hold_where_a_table_tells_days(export: Export) -> None:
    summary = export(SALES, SHOPS, first_day=date(2017, 6, 2), last_day=date(2017, 12, 31))
    assert sorted(texts(summary)) == ["pos/2017-06-02.csv", "pos/2017-12-31.csv", "shops.csv"]
    assert summary.rows == {"pos/%Y-%m-%d.csv": 2, "shops.csv": 3}


def test_a_second_export_writes_nothing(export: Export) -> None:
    first, second = export(SALES, SHOPS), export(SALES, SHOPS)
    assert (first.file_count, first.written_count) == (5, 5)
    assert (second.file_count, second.written_count, second.rows) == (5, 0, first.rows)


def test_a_new_day_leaves_the_other_files_and_their_times_alone(export: Export) -> None:
    summary = export(SALES, last_day=date(2017, 6, 1))
    before = (summary.out / "pos" / "2017-06-01.csv").stat().st_mtime_ns
    more = export(SALES, last_day=date(2017, 6, 2))
    assert (more.file_count, more.written_count) == (2, 1)
    assert (more.out / "pos" / "2017-06-01.csv").stat().st_mtime_ns == before


def test_narrower_bounds_remove_what_no_longer_belongs_but_not_others_files(export: Export) -> None:
    summary = export(SALES)
    (summary.out / "pos" / "mine.csv").write_text("kept\n")
    assert sorted(texts(export(SALES, last_day=date(2017, 6, 1)))) == ["pos/2017-06-01.csv", "pos/mine.csv"]


def test_a_lost_or_cut_file_is_made_again(export: Export) -> None:
    whole = texts(export(SALES))
    summary = export(SALES)
    (summary.out / "pos" / "2017-06-01.csv").write_text("cut")
    (summary.out / "pos" / "2017-06-02.csv").unlink()
    again = export(SALES)
    assert (again.written_count, texts(again)) == (2, whole)


def test_an_unreadable_manifest_only_costs_time(export: Export) -> None:
    summary = export(SALES)
    (summary.out / MANIFEST).write_text("not json")
    assert export(SALES).written_count == 0


def test_a_missing_package_names_the_cure(tmp_path: Path) -> None:
    sample = sample_of(SALES, package="no_such_package")
    with pytest.raises(
        SetupError, match=r"needs the package no-such-package, .* `uv sync --group demo`, or `pip install"
    ):
        export_sample(sample, tmp_path, time_zone=BERLIN)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"table": "data/sale.parquet"}, r"has no table data/sale\.parquet\. Did you mean 'data/sales\.parquet'\?"),
        ({"columns": {"id": "sael"}}, r"has no column sael\. Did you mean 'sale'\?"),
        ({"day": {"column": "sold"}}, r"has no column sold\. Did you mean 'sold_at'\?"),
        ({"only": {"shp": [1]}}, r"has no column shp\. Did you mean 'shop'\?"),
    ],
)
def test_what_the_package_lacks_is_named_with_a_near_miss(export: Export, change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        export(SALES | change)


def test_a_folder_that_cannot_be_written_is_named(package: Path, tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file, not a folder")
    with pytest.raises(StorageError, match=r"cannot write .*landing"):
        export_sample(sample_of(SHOPS), tmp_path / "landing", time_zone=BERLIN)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": "/etc/pos.csv"}, "leads out of the landing folder"),
        ({"path": "../pos.csv"}, "leads out of the landing folder"),
        ({"path": "pos/%Y.xls"}, r"names no format\. Choices: \.csv, \.jsonl, \.parquet"),
        ({"path": "pos/%H.csv"}, "splits by %H; choose among %Y"),
        ({"day": None}, "splits by day: name the column"),
        ({"table": "/data/sales.parquet"}, "String should match pattern"),
    ],
)
def test_a_sample_file_that_cannot_be_made_is_refused(change: dict[str, object], said: str) -> None:
    written = {key: value for key, value in (SALES | change).items() if value is not None}
    with pytest.raises(ValidationError, match=said):
        sample_of(written)


def test_two_tables_on_one_path_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"two tables are written to shops\.csv"):
        sample_of(SHOPS, SHOPS)
