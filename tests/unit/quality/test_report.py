"""Rows for ops.quality_result, messages, and figures read back from them."""

from dataclasses import replace
from datetime import datetime, timedelta, UTC
from pathlib import Path

import pytest

from cdp_lib.contracts.ops import QUALITY_RESULT
from cdp_lib.errors import QualityError
from quality.report import build_data_docs, history_of, result_rows, RunFacts
from quality.verdict import Check, CheckResult, plain_number, Verdict

UNREADABLE = {
    "suite_name": "silver.visit",
    "success": False,
    "statistics": {"evaluated_expectations": 1, "successful_expectations": 0, "unsuccessful_expectations": 1},
    "meta": {},
    "results": [
        {
            "success": False,
            "expectation_config": {
                "type": "expect_figure_to_be_between",
                "kwargs": {"expression": "count(1)", "statement": "rows are counted"},
                "meta": {},
            },
            "result": {},
            # GX takes the traceback for a text.
            "exception_info": {"raised_exception": True, "exception_message": None, "exception_traceback": None},
        }
    ],
}
NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
FACTS = RunFacts("r1", "silver_conform", NOON)
ROW_CHECK = Check(
    "complete", "expect_x", "email is never null", ("email",), {"max_value": 0}, unit="rows", cure="Map it."
)
VOLUME = Check(
    "volume", "expect_y", "the rows are many", (), {"min_value": 10, "max_value": 20.5}, "warn", "table", "rows"
)
BROKEN = CheckResult("silver.visit", ROW_CHECK, success=False, observed=3.0, row_count=1000)
COUNTED = CheckResult("silver.visit", VOLUME, success=True, observed=1474300.0)


def test_an_error_level_failure_refuses_and_a_warning_does_not() -> None:
    warned = replace(COUNTED, success=False)

    assert [Verdict("silver.visit", results).success for results in ((BROKEN, COUNTED), (warned,), ())] == [
        False,
        True,
        True,
    ]
    assert Verdict("silver.visit", (BROKEN, warned)).warnings == (warned,)


def test_a_message_names_table_check_observed_allowed_and_cure() -> None:
    assert Verdict("silver.visit", (BROKEN, COUNTED)).message == (
        "silver.visit was not published: 1 of 2 checks failed.\n"
        "  silver.visit: complete: email is never null: observed 3 of 1000 rows, allowed 0 rows. Map it."
    )
    assert Verdict("silver.visit", (COUNTED,)).message == ""
    assert "allowed at least 10 and at most 20.5 rows" in COUNTED.message


def test_figures_are_told_in_full_and_missing_ones_in_words() -> None:
    assert [plain_number(figure) for figure in (1474300.0, 0.996721, -0.5, 0.0)] == ["1474300", "0.996721", "-0.5", "0"]
    assert replace(COUNTED, observed=None).observed_text == "nothing to judge"
    assert replace(COUNTED, obstacle="CAST_INVALID_INPUT").observed_text == "not evaluated: CAST_INVALID_INPUT"


def test_a_result_row_has_the_columns_of_the_ops_table() -> None:
    rows = result_rows(Verdict("silver.visit", (BROKEN, COUNTED)), FACTS)

    assert [tuple(row) for row in rows] == [QUALITY_RESULT.column_names] * 2
    assert rows[0] == {
        "run_id": "r1",
        "job": "silver_conform",
        "table_name": "silver.visit",
        "expectation": "complete",
        "column_name": "email",
        "severity": "error",
        "success": False,
        "observed": "3 of 1000 rows",
        "checked_at": NOON,
    }


def test_a_page_that_cannot_be_rendered_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(QualityError, match=r"Data Docs of silver\.visit could not be rendered into .*docs"):
        build_data_docs([UNREADABLE], tmp_path / "docs", FACTS)


def test_history_reads_figures_of_published_runs_in_order_of_time() -> None:
    def run(run_id: str, day: int, count: float, *, good: bool) -> list[dict[str, object]]:
        results = (replace(BROKEN, success=good, observed=0.0 if good else 1.0), replace(COUNTED, observed=count))
        return result_rows(Verdict("silver.visit", results), RunFacts(run_id, "j", NOON + timedelta(days=day)))

    elsewhere = result_rows(Verdict("silver.order", (replace(COUNTED, observed=7.0),)), FACTS)
    unjudged = result_rows(Verdict("silver.visit", (replace(COUNTED, observed=None),)), FACTS)
    rows = [*run("r3", 3, 30.5, good=True), *run("r2", 2, 1.0, good=False), *run("r0", 0, 10.0, good=True)]

    history = history_of([*rows, *elsewhere, *unjudged], "silver.visit")

    assert history == {"complete": (0.0, 0.0), "volume": (10.0, 30.5)}
    assert history_of([], "silver.visit") == {}
