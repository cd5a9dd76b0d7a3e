"""The gate: judges a table as it would be after the write, before it is published. It never writes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from great_expectations.expectations.expectation import BatchExpectation
from pyspark.sql import DataFrame, functions as F

from cdp_lib.errors import ContractError, QualityError
from cdp_lib.settings.rule import Rule
from quality.expectations import expectation_of
from quality.figures import (
    CHECK_COLUMN,
    distinct_count,
    duplicate_count,
    FIGURE_COLUMN,
    found_share,
    key_rows,
    plain_figures,
    stability_index,
    stack_figures,
)
from quality.report import document_of
from quality.suites import BETWEEN, check_of, rules_of, Suite, suite_for
from quality.validation import error_condition, FRAME_FAULTS, Outcome, quiet_logs, validate
from quality.verdict import Candidate, Check, CheckResult, Verdict

Prepared = tuple[DataFrame, list[BatchExpectation]]
Rules = Mapping[str, Rule]
"""Key of a check -> the rule that made it."""

_ROWS_WRITTEN = Check(
    name="rows_written",
    expectation=BETWEEN,
    statement="the rows written are counted",
    kwargs={"expression": "count(1)", "min_value": 0},
    scope="table",
)
"""Asked in the same aggregation as the row checks, so that their figures can say `3 of 1000 rows`."""


@dataclass(frozen=True)
class Gate:
    """Judges candidates by the suite of their contract and by the rules that name them.

    Two Great Expectations validations a table: one of the rows about to be written, one of prepared figures of the
    table as it would be. The caller persists a frame that is dear to compute: each is read more than once.
    """

    rules: tuple[Rule, ...] = ()
    suite: Suite = suite_for

    def __call__(self, candidate: Candidate) -> Verdict:
        """The verdict on the candidate; a check that cannot be evaluated fails and names its obstacle.

        Raises QualityError when `as_of` has no zone, ContractError when two checks of the table have one name.
        """
        if candidate.as_of.tzinfo is None:
            raise QualityError(f"{candidate.table.name}: as_of {candidate.as_of} has no time zone; give an instant.")
        of_rules = [(check_of(rule, candidate), rule) for rule in rules_of(candidate.table.name, self.rules)]
        checks = (*self.suite(candidate.table), *(check for check, _ in of_rules))
        _refuse_twins(candidate.table.name, checks)
        with quiet_logs():
            outcomes, row_count = _outcomes(candidate, checks, {check.key: rule for check, rule in of_rules})
        results = tuple(_result(candidate.table.name, check, outcomes[check.key], row_count) for check in checks)
        return Verdict(candidate.table.name, results, (document_of(candidate, results, outcomes),))


def _refuse_twins(table_name: str, checks: Sequence[Check]) -> None:
    keys = [check.key for check in checks]
    twins = sorted({key for key in keys if keys.count(key) > 1})
    if twins:
        raise ContractError(f"{table_name}: checks share a name: {', '.join(twins)}. Name each CHECK and rule once.")


def _outcomes(candidate: Candidate, checks: Sequence[Check], rules: Rules) -> tuple[dict[str, Outcome], int]:
    """The outcome of every check, and the number of rows of the batch."""
    settled = {check.key: outcome for check in checks if (outcome := _unasked(candidate, rules.get(check.key)))}
    asked = [check for check in checks if check.key not in settled]
    # Where the batch is the whole table, its one aggregation answers the plain figures of the table too.
    whole = candidate.batch is candidate.after
    on_batch = [check for check in asked if check.scope == "row" or (whole and _is_plain(check))]
    of_batch = _evaluate([_ROWS_WRITTEN, *on_batch], partial(_batch_frame, candidate.batch))
    on_figures = [check for check in asked if check not in on_batch]
    of_figures = _evaluate(on_figures, partial(_figure_frame, candidate, rules))
    row_count = of_batch.pop(_ROWS_WRITTEN.key).figure
    return settled | of_batch | of_figures, int(row_count or 0)


def _is_plain(check: Check) -> bool:
    """Whether one aggregation of the table's own rows answers the check."""
    return "expression" in check.kwargs


def _unasked(candidate: Candidate, rule: Rule | None) -> Outcome | None:
    """The outcome of a check that lacks what it compares with; None when it can be asked."""
    if rule is None:
        return None
    if rule.other_table and rule.other_table not in candidate.neighbours:
        return Outcome(success=False, obstacle=f"{rule.other_table} was not handed to the gate as a neighbour")
    if rule.freshness and rule.freshness.column in candidate.table.personal_columns:
        return Outcome(
            success=False, obstacle=f"{rule.freshness.column} is personal: its newest value tells of one person"
        )
    if rule.drift and rule.drift.psi and candidate.previous is None:
        return Outcome(success=True)
    return None


def _evaluate(checks: Sequence[Check], prepare: Callable[[Sequence[Check]], Prepared]) -> dict[str, Outcome]:
    """The outcome of every check: all in one validation, or one by one when they cannot be evaluated together."""
    if not checks:
        return {}
    try:
        return validate(*prepare(checks))
    except FRAME_FAULTS as problem:
        if len(checks) == 1:
            return {checks[0].key: Outcome(success=False, obstacle=error_condition(problem))}
    return {key: outcome for check in checks for key, outcome in _evaluate([check], prepare).items()}


def _batch_frame(batch: DataFrame, checks: Sequence[Check]) -> Prepared:
    return batch, [expectation_of(check) for check in checks]


def _figure_frame(candidate: Candidate, rules: Rules, checks: Sequence[Check]) -> Prepared:
    plain = [(check.key, str(check.kwargs["expression"])) for check in checks if _is_plain(check)]
    frames = [plain_figures(candidate.after, plain)] if plain else []
    frames += [_own_frame(candidate, rules.get(check.key), check) for check in checks if not _is_plain(check)]
    return stack_figures(frames), [
        expectation_of(check, f"max(CASE WHEN {CHECK_COLUMN} = '{check.key}' THEN {FIGURE_COLUMN} END)")
        for check in checks
    ]


def _own_frame(candidate: Candidate, rule: Rule | None, check: Check) -> DataFrame:
    """The one-row frame of a figure that takes more than one aggregation."""
    after, own = candidate.after, list(check.columns)
    if rule is None:
        return duplicate_count(check.key, key_rows(candidate.table, candidate.batch, after))
    if asked := rule.referential:
        known = _columns(candidate.neighbours[asked.found_in], asked.found_columns, own)
        return found_share(check.key, after.select(own), known, null_is_missing=asked.null_is_missing)
    if covered := rule.coverage:
        named = _columns(candidate.neighbours[covered.of], covered.of_columns, own)
        return found_share(check.key, named, after.select(own), null_is_missing=True)
    if rule.drift and candidate.previous is not None:
        sides = (_numbers(after, check.columns[0]), _numbers(candidate.previous, check.columns[0]))
        return stability_index(check.key, sides, rule.drift.bins, rule.drift.psi_at_least_rows)
    return distinct_count(check.key, after.select(own))


def _columns(rows: DataFrame, names_there: Sequence[str], names_here: list[str]) -> DataFrame:
    """The columns of another table under the names that they have in this one."""
    return rows.select(*(names_there or names_here)).toDF(*names_here)


def _numbers(rows: DataFrame, column: str) -> DataFrame:
    return rows.select(F.col(column).cast("double").alias("value"))


def _result(table_name: str, check: Check, outcome: Outcome, row_count: int) -> CheckResult:
    return CheckResult(
        table_name=table_name,
        check=check,
        success=outcome.success,
        observed=outcome.figure,
        row_count=row_count if check.scope == "row" else None,
        obstacle=outcome.obstacle,
    )
