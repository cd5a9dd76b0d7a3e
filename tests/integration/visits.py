"""A table of visits, rules about it, and the gate's word on its rows."""

from collections.abc import Mapping
from datetime import datetime, timedelta, UTC
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.table import amount, instant, MergeByKey, number, one_of, Table, text
from cdp_lib.settings.rule import Rule
from quality.gate import Gate
from quality.report import RunFacts
from quality.verdict import Candidate, Verdict
from tests.builders import rows

AS_OF = datetime(2025, 2, 1, tzinfo=UTC)
FACTS = RunFacts("r1", "silver_conform", AS_OF)
SECRET = "seeded.person@example.test"

VISIT = Table(
    name="silver.visit",
    purpose="One row per visit.",
    key=("visit_id",),
    columns=(
        text("visit_id", "Id.", required=True),
        text("email", "Address.", pii="email", check="email LIKE '%@%' AND length(email) < 20"),
        one_of("status", "State.", ("open", "closed"), required=True),
        amount("paid_amount", "Paid.", check="paid_amount >= 0"),
        instant("visited_at", "When."),
        instant("born_at", "Birth."),
        number("guest_count", "Guests."),
        number("seat_count", "Seats."),
    ),
    write=MergeByKey(newest_by=("visited_at",)),
    checks=(("guests_have_seats", "guest_count <= seat_count"),),
)
GOOD: Mapping[str, Any] = {
    "visit_id": "v1",
    "email": "a@b.test",
    "status": "open",
    "visited_at": AS_OF - timedelta(days=2),
}


def judge(batch: DataFrame, *rules: Rule, **given: Any) -> Verdict:
    return Gate(rules)(candidate(batch, **given))


def candidate(batch: DataFrame, **given: Any) -> Candidate:
    return Candidate(**{"table": VISIT, "batch": batch, "after": batch, "as_of": AS_OF} | given)


def rule(severity: str = "error", **requirement: Any) -> Rule:
    body = {"kind": "rule", "id": "the_rule", "tables": ["silver.*"], "severity": severity}
    return Rule.model_validate(body | requirement)


def failed(verdict: Verdict) -> list[tuple[str, tuple[str, ...], float | None]]:
    return [(result.check.name, result.check.columns, result.observed) for result in verdict.errors]


def visits(spark: SparkSession, *changes: Mapping[str, Any]) -> DataFrame:
    return rows(spark, VISIT, *(GOOD | {"visit_id": f"v{place}"} | change for place, change in enumerate(changes)))
