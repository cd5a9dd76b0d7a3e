"""The gate over real frames: what it refuses, what it lets pass, and that no value of a row ever leaves it."""

import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chispa.dataframe_comparer import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.table import AppendOnce, MergeByKey, ReplaceAll, Table, text
from cdp_lib.errors import ContractError, QualityError
from quality.figures import CHECK_COLUMN, duplicate_count, FIGURE_COLUMN, key_rows
from quality.gate import Gate
from quality.report import build_data_docs, history_of, result_rows
from quality.suites import COMPLETE, CONDITION, suite_for, UNIQUE
from quality.verdict import Check
from tests.builders import rows
from tests.integration.visits import AS_OF, candidate, FACTS, failed, judge, rule, SECRET, VISIT, visits


def test_good_rows_pass_and_nulls_break_no_condition(spark: SparkSession) -> None:
    verdict = judge(visits(spark, {}, {"email": None, "paid_amount": None, "guest_count": 3, "seat_count": None}))

    assert [(result.observed, result.row_count) for result in verdict.results] == [(0.0, 2)] * 6 + [(0.0, None)]
    assert verdict.success


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"paid_amount": "-0.01"}, [(CONDITION, ("paid_amount",), 1.0)]),
        ({"status": "ajar"}, [(CONDITION, ("status",), 1.0)]),
        ({"email": "nobody"}, [(CONDITION, ("email",), 1.0)]),
        ({"guest_count": 3, "seat_count": 2}, [("guests_have_seats", (), 1.0)]),
        ({"visit_id": "v0"}, [(UNIQUE, ("visit_id",), 1.0)]),
        ({"visit_id": "v0", "status": "ajar"}, [(CONDITION, ("status",), 1.0), (UNIQUE, ("visit_id",), 1.0)]),
    ],
)
def test_a_bad_row_fails_just_the_checks_that_it_breaks(
    spark: SparkSession, change: Mapping[str, Any], expected: list[tuple[str, tuple[str, ...], float]]
) -> None:
    assert failed(judge(visits(spark, {}, change))) == expected


def test_a_required_column_with_a_null_fails(spark: SparkSession) -> None:
    batch = visits(spark, {}, {}).selectExpr(
        "visit_id", "email", "nullif(visit_id, 'v1') AS status", *VISIT.column_names[3:]
    )

    verdict = Gate(suite=lambda _: tuple(c for c in suite_for(VISIT) if c.name == COMPLETE))(candidate(batch))

    assert failed(verdict) == [(COMPLETE, ("status",), 1.0)]


def test_a_seeded_bad_row_is_refused_until_its_expectation_is_removed(spark: SparkSession) -> None:
    batch = visits(spark, {}, {"paid_amount": "-5.00"})

    def without_amounts(table: Table) -> tuple[Check, ...]:
        return tuple(check for check in suite_for(table) if check.columns != ("paid_amount",))

    assert Gate(suite=without_amounts)(candidate(batch)).success
    assert not Gate()(candidate(batch)).success


def test_the_message_says_what_was_seen_what_is_allowed_and_what_to_do(spark: SparkSession) -> None:
    verdict = judge(visits(spark, {}, {"paid_amount": "-5.00"}))

    assert verdict.message == (
        "silver.visit was not published: 1 of 7 checks failed.\n"
        "  silver.visit: expect_condition_to_hold: paid_amount >= 0 holds wherever it is known: "
        "observed 1 of 2 rows, allowed 0 rows. "
        "Correct or null the values before this table, or relax the CHECK of paid_amount in its contract."
    )


def test_row_checks_look_at_the_batch_and_table_checks_at_the_table_after(spark: SparkSession) -> None:
    batch = visits(spark, {"visit_id": "new"})
    after = batch.unionByName(visits(spark, {"visit_id": "new", "status": "ajar"}))

    assert failed(judge(batch, rule(volume={"at_least": 5}), after=after)) == [
        (UNIQUE, ("visit_id",), 1.0),
        ("the_rule", (), 2.0),
    ]


def test_an_empty_table_passes_every_check_that_needs_rows(spark: SparkSession) -> None:
    empty = visits(spark)
    rules = [
        rule(freshness={"column": "visited_at", "at_most_days": 1}),
        rule(drift={"nulls": "email", "at_most": 0.1}),
        rule(drift={"share": "status = 'open'", "at_most": 0.1}),
        rule(drift={"psi": "paid_amount", "at_most": 0.1}),
        rule(referential={"columns": ["visit_id"], "found_in": "silver.visit"}),
        rule(coverage={"columns": ["visit_id"], "of": "silver.visit"}),
    ]
    named = [one.model_copy(update={"id": f"rule_{place}"}) for place, one in enumerate(rules)]
    verdict = judge(empty, *named, neighbours={"silver.visit": empty}, previous=empty, history={"rule_1": (0.5,)})

    assert [result.message for result in verdict.errors] == []
    assert [result.observed for result in verdict.results] == [0.0] * 7 + [None] * 6


@pytest.mark.parametrize(
    ("requirement", "history", "observed", "holds"),
    [
        ({"freshness": {"column": "visited_at", "at_most_days": 2}}, (), 2.0, True),
        ({"freshness": {"column": "visited_at", "at_most_days": 1.9}}, (), 2.0, False),
        ({"volume": {"at_least": 4, "at_most": 4}}, (), 4.0, True),
        ({"volume": {"at_most": 3}}, (), 4.0, False),
        ({"volume": {"relative_at_least": 0.5}}, (), 4.0, True),
        ({"volume": {"relative_at_least": 0.5}}, (100.0, 8.0), 4.0, True),
        ({"volume": {"relative_at_least": 0.5}}, (8.0, 100.0), 4.0, False),
        ({"volume": {"relative_at_least": 0.5, "of_last_runs": 2}}, (1.0, 7.0, 9.0), 4.0, True),
        ({"volume": {"relative_at_least": 0.5, "of_last_runs": 2}}, (1.0, 7.0, 9.2), 4.0, False),
        ({"volume": {"relative_at_most": 2}}, (1.0,), 4.0, False),
        ({"volume": {"at_most": 3, "relative_at_most": 9}}, (1.0,), 4.0, False),
        ({"drift": {"nulls": "email", "at_most": 0.1}}, (), 0.25, True),
        ({"drift": {"nulls": "email", "at_most": 0.1}}, (0.2,), 0.25, True),
        ({"drift": {"nulls": "email", "at_most": 0.1}}, (0.2, 0.4), 0.25, False),
        ({"drift": {"share": "status = 'open'", "at_most": 0.2}}, (0.9,), 0.75, True),
        ({"drift": {"share": "status = 'open'", "at_most": 0.2}}, (0.5,), 0.75, False),
        ({"distinct": {"columns": ["status"], "at_least": 2, "at_most": 2}}, (), 2.0, True),
        ({"distinct": {"columns": ["status"], "at_most": 1}}, (), 2.0, False),
        ({"distinct": {"columns": ["status", "email"], "at_least": 3}}, (), 2.0, False),
    ],
)
def test_a_rule_over_one_table_holds_within_its_bounds_only(
    spark: SparkSession, requirement: dict[str, Any], history: tuple[float, ...], observed: float, *, holds: bool
) -> None:
    batch = visits(spark, {}, {"email": None}, {"status": "closed"}, {"visited_at": None})

    verdict = judge(batch, rule(**requirement), history={"the_rule": history})

    assert (verdict.results[-1].observed, verdict.success) == (observed, holds)


@pytest.mark.parametrize(
    ("requirement", "observed", "holds"),
    [
        (
            {"referential": {"columns": ["guest_count"], "found_in": "silver.shop", "found_columns": ["id"]}},
            0.75,
            False,
        ),
        (
            {
                "referential": {
                    "columns": ["guest_count"],
                    "found_in": "silver.shop",
                    "found_columns": ["id"],
                    "at_least": 0.75,
                }
            },
            0.75,
            True,
        ),
        (
            {
                "referential": {
                    "columns": ["guest_count"],
                    "found_in": "silver.shop",
                    "found_columns": ["id"],
                    "at_least": 0.75,
                    "null_is_missing": True,
                }
            },
            0.6,
            False,
        ),
        ({"coverage": {"columns": ["guest_count"], "of": "silver.shop", "of_columns": ["id"]}}, 0.5, False),
        (
            {"coverage": {"columns": ["guest_count"], "of": "silver.shop", "of_columns": ["id"], "at_least": 0.5}},
            0.5,
            True,
        ),
    ],
)
def test_a_rule_over_two_tables_tells_the_share_of_rows_found(
    spark: SparkSession, requirement: dict[str, Any], observed: float, *, holds: bool
) -> None:
    counts = [{"guest_count": count, "seat_count": 99} for count in (1, 1, 2, 3, None)]
    shops = spark.createDataFrame([(1,), (2,), (2,), (None,), (7,), (8,)], "id bigint")

    verdict = judge(visits(spark, *counts), rule(**requirement), neighbours={"silver.shop": shops})

    assert (verdict.results[-1].observed, verdict.success) == (observed, holds)


def test_a_distribution_like_the_published_one_passes_and_a_shifted_one_does_not(spark: SparkSession) -> None:
    def amounts(first: int) -> DataFrame:
        return spark.range(first, first + 1000).selectExpr(
            "CAST(id AS STRING) AS visit_id",
            "'open' AS status",
            "CAST(id AS DECIMAL(18,2)) AS paid_amount",
            *(f"CAST(NULL AS {VISIT.column(name).type}) AS {name}" for name in VISIT.column_names if name not in given),
        )

    given = ("visit_id", "status", "paid_amount")
    stable = rule(drift={"psi": "paid_amount", "at_most": 0.25})

    same = judge(amounts(0), stable, previous=amounts(0)).results[-1]
    near = judge(amounts(0), stable, previous=amounts(50)).results[-1]
    far = judge(amounts(0), stable, previous=amounts(500)).results[-1]
    first = judge(amounts(0), stable).results[-1]
    few = judge(amounts(0).limit(499), stable, previous=amounts(500)).results[-1]

    assert (same.observed, same.success) == (0.0, True)
    # Deciles of 50..1049: the lowest holds 150 of 0..999, the highest 50, the others 100 each.
    assert near.observed == pytest.approx(0.05 * 0.405465 + 0.05 * 0.693147, abs=1e-2)
    assert (near.success, far.success) == (True, False)
    assert (first.observed_text, first.success) == ("nothing to judge", True)
    assert (few.observed_text, few.success) == ("nothing to judge", True)


def test_a_table_without_any_instant_is_not_fresh(spark: SparkSession) -> None:
    verdict = judge(visits(spark, {"visited_at": None}), rule(freshness={"column": "visited_at", "at_most_days": 9}))

    assert failed(verdict) == [("the_rule", ("visited_at",), AS_OF.timestamp() / 86_400)]


def test_a_warning_is_told_and_does_not_stop_the_publication(spark: SparkSession) -> None:
    verdict = judge(visits(spark, {}), rule("warn", volume={"at_least": 5}))

    assert verdict.success
    assert [result.check.name for result in verdict.warnings] == ["the_rule"]


@pytest.mark.parametrize(
    ("requirement", "obstacle"),
    [
        (
            {"referential": {"columns": ["visit_id"], "found_in": "silver.shop"}},
            "silver.shop was not handed to the gate as a neighbour",
        ),
        ({"freshness": {"column": "absent_at", "at_most_days": 1}}, "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
        ({"distinct": {"columns": ["absent"], "at_most": 1}}, "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
    ],
)
def test_a_rule_that_cannot_be_asked_fails_and_the_other_checks_are_judged(
    spark: SparkSession, requirement: dict[str, Any], obstacle: str
) -> None:
    verdict = judge(visits(spark, {}, {"status": "ajar"}), rule(**requirement))

    assert [(result.check.name, result.obstacle) for result in verdict.errors] == [
        (CONDITION, ""),
        ("the_rule", obstacle),
    ]


def test_freshness_of_a_personal_column_is_not_told(spark: SparkSession) -> None:
    columns = tuple(
        replace(column, pii="birth_date" if column.name == "born_at" else column.pii) for column in VISIT.columns
    )
    born = rule(freshness={"column": "born_at", "at_most_days": 9})

    verdict = judge(visits(spark, {"born_at": AS_OF}), born, table=replace(VISIT, columns=columns))

    assert [(result.observed, result.obstacle) for result in verdict.errors] == [
        (None, "born_at is personal: its newest value tells of one person")
    ]


def test_an_as_of_without_zone_and_checks_of_one_name_are_refused(spark: SparkSession) -> None:
    batch = visits(spark, {})

    with pytest.raises(QualityError, match=r"silver\.visit: as_of .* has no time zone; give an instant"):
        judge(batch, as_of=AS_OF.replace(tzinfo=None))
    with pytest.raises(ContractError, match=r"silver\.visit: checks share a name: the_rule\(\).*once"):
        judge(batch, rule(volume={"at_least": 1}), rule(volume={"at_most": 9}))


@pytest.mark.parametrize("write", [MergeByKey(newest_by=("seat_count",)), AppendOnce()])
@pytest.mark.parametrize("seed", range(3))
def test_looking_only_at_touched_keys_finds_the_same_duplicates(
    spark: SparkSession, seed: int, write: MergeByKey | AppendOnce
) -> None:
    dice = random.Random(seed)
    table = replace(VISIT, key=("guest_count", "visit_id"), write=write)
    schema = "guest_count bigint, visit_id string"
    published = sorted({(dice.randrange(3), f"v{dice.randrange(40)}") for _ in range(60)})
    written = [(dice.randrange(3), f"v{dice.randrange(40)}") for _ in range(20)]
    batch = spark.createDataFrame(written, schema)
    after = spark.createDataFrame([*published, *written], schema)

    touched = duplicate_count("k", key_rows(table, batch, after))
    whole = duplicate_count("k", key_rows(table, after, after))

    expected = float(len(published) + len(written) - len({*published, *written}))
    assert_df_equality(touched, whole, ignore_nullable=True)
    assert [row[FIGURE_COLUMN] for row in touched.where(f"{CHECK_COLUMN} = 'k'").collect()] == [expected]


def test_a_table_that_is_replaced_is_looked_at_whole(spark: SparkSession) -> None:
    twice = visits(spark, {"visit_id": "old"}, {"visit_id": "old"}, {"visit_id": "new"})

    verdict = judge(twice.where("visit_id = 'new'"), table=replace(VISIT, write=ReplaceAll()), after=twice)

    assert failed(verdict) == [(UNIQUE, ("visit_id",), 1.0)]


def seeded(spark: SparkSession) -> tuple[Table, DataFrame]:
    """A table whose e-mail column breaks, duplicates or defeats every kind of check."""
    unreadable = text("source_id", "Id.", pii="online_id", check="CAST(source_id AS INT) > 0")
    table = replace(VISIT, key=("email",), columns=(*VISIT.columns, unreadable))
    change = {"email": SECRET, "source_id": SECRET, "status": SECRET, "paid_amount": "-1.00"}
    return table, rows(spark, table, change, change)


def test_no_value_of_a_row_reaches_verdict_rows_logs_or_data_docs(
    spark: SparkSession, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    table, batch = seeded(spark)
    rules = (
        rule(distinct={"columns": ["email"], "at_least": 9}),
        rule(referential={"columns": ["email"], "found_in": "silver.visit"}).model_copy(update={"id": "refers"}),
        rule(drift={"share": "CAST(email AS DATE) > '2020-01-01'", "at_most": 0.1}).model_copy(update={"id": "shares"}),
    )
    others = {"silver.visit": batch.where("false")}

    verdict = judge(batch, *rules, table=table, after=batch.where("true"), neighbours=others)
    folder = tmp_path / "docs"
    build_data_docs(verdict.documents, folder, FACTS)

    assert sorted(result.obstacle for result in verdict.errors if result.obstacle) == ["CAST_INVALID_INPUT"] * 2
    assert {result.check.expectation for result in verdict.errors} >= {CONDITION, UNIQUE}
    kept = [
        repr(verdict),
        verdict.message,
        json.dumps(verdict.documents, default=str),
        str(result_rows(verdict, FACTS)),
    ]
    pages = [page.read_text("utf-8") for page in folder.rglob("*") if page.suffix in (".html", ".json")]
    said = capfd.readouterr()
    leaks = [text for text in (*kept, *pages, said.out, said.err, caplog.text) if SECRET in text]
    assert leaks == []
    assert len(pages) >= 2


def test_data_docs_are_built_from_kept_json_without_spark_and_read_without_a_network(
    spark: SparkSession, tmp_path: Path
) -> None:
    verdict = judge(visits(spark, {}, {"status": "ajar"}))
    kept = json.loads(json.dumps(verdict.documents))
    other = {**kept[0], "suite_name": "gold.customer"}

    index = build_data_docs([*kept, other], tmp_path / "docs", FACTS)

    pages = {page.stem: page.read_text("utf-8") for page in (tmp_path / "docs" / "validations").rglob("*.html")}
    assert index.is_file()
    assert sorted(pages) == ["gold.customer", "silver.visit"]
    assert "status IN ('open', 'closed') holds wherever it is known; allowed: 0 rows" in pages["silver.visit"]
    links = re.findall(r'href="([^"]+)"', index.read_text("utf-8"))
    assert [(index.parent / link).stem for link in links if (index.parent / link).is_file()] == sorted(pages)
    shown = [*pages.values(), index.read_text("utf-8")]
    assert [page for page in shown if "https://" in page or "<script" in page] == []


def test_history_of_stored_results_feeds_the_next_verdict(spark: SparkSession) -> None:
    shrunk = rule(volume={"relative_at_least": 0.5})
    first = judge(visits(spark, {}, {}, {}, {}, {}), shrunk)

    second = judge(visits(spark, {}, {}), shrunk, history=history_of(result_rows(first, FACTS), "silver.visit"))

    assert [result.observed_text for result in (first.results[-1], second.results[-1])] == ["5 rows", "2 rows"]
    assert [first.success, second.success] == [True, False]
    assert "allowed at least 2.5 rows" in second.message


def test_more_row_checks_cost_no_more_spark_jobs(spark: SparkSession) -> None:
    batch = visits(spark, {}, {})

    def jobs_of(suite: Callable[[Table], tuple[Check, ...]]) -> int:
        group = f"gate-{suite.__name__}"
        spark.sparkContext.setJobGroup(group, group)
        Gate(suite=suite)(candidate(batch))
        spark.sparkContext.setJobGroup("", "")
        return len(spark.sparkContext.statusTracker().getJobIdsForGroup(group))

    def one_row_check(table: Table) -> tuple[Check, ...]:
        return suite_for(table)[:1]

    def all_row_checks(table: Table) -> tuple[Check, ...]:
        return tuple(check for check in suite_for(table) if check.scope == "row")

    assert jobs_of(all_row_checks) == jobs_of(one_row_check) <= 2
