"""Audiences day by day through the job; and `cdp why`, answered from what a day's run read."""

import io
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, UTC
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from cdp_lib.contracts import activation, gold, identity, ops, silver
from cdp_lib.contracts.table import Table
from cdp_lib.errors import CdpError, ConfigError, IdentityError, WorkflowError
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.store import Stamp
from cdp_lib.settings.settings import MlflowSettings
from jobs.exports import write_exports
from jobs.why import Question, why
from tests.builders import rows
from tests.integration.shop import Shop, shop

DAYS = [date(2025, 1, 29) + timedelta(days=number) for number in range(3)]
TRAIT = "kind: trait\nname: favourite_city\nfrom: golden_record\nselect: city\n---\n"
RULES = """
kind: audience
id: regulars
where:
  all:
    - {trait: order_count, gte: 6}
    - {did: order, where: "channel = 'store'", window: 30d, gte: 1}
    - {any: [{trait: first_name, is_not: Zed}, {birthday_within: 7d}]}
exclude: [suppression]
---
kind: audience
id: best
where: {audience: regulars}
cap: {count: 1, by: total_amount}
---
kind: audience
id: drawn
exclude: [best]
draw: {count: 1, seed: spring, closes_on: 2025-01-28}
---
kind: audience
id: alike
lookalike: {seed: regulars, features: [order_count], count: 2}
"""

Person = tuple[int, str]
"""Orders and what they came to."""


class Cafe:
    """A café of which the single view, its orders and links are published as given, day by day."""

    def __init__(self, one: Shop) -> None:
        self.shop, self._number = one, 0

    def day(self, day: date, people: Mapping[str, Person], *, links: Mapping[str, str] | None = None) -> str:
        """Publish the people as of the day, run the job, and give how it ended."""
        self._number += 1
        view = [
            {
                "golden_id": one,
                "first_name": f"Name {one}",
                "record_count": 1,
                "order_count": count,
                "total_amount": amount,
            }
            for one, (count, amount) in people.items()
        ]
        self.write(gold.customer(self.shop.suite.pack), view)
        of_link = links or {one: one for one in people}
        self.write(identity.IDENTITY_LINK, [_link(record, golden_id) for record, golden_id in of_link.items()])
        at = datetime(2025, 1, 28, 12, tzinfo=UTC)
        orders = [
            {"source_system": "till", "order_id": f"o-{one}", "person_id": one, "ordered_at": at, "channel": "store",
             "paid_amount": "1.00", "source_updated_at": at}
            for one in of_link
        ]  # fmt: skip
        self.write(silver.ORDER, orders)
        return self.run(day)

    def run(self, day: date) -> str:
        """One run of the job as of the day."""
        return self.shop.run("gold_audience", as_of=day).outcomes[0].status

    def write(self, table: Table, given: list[dict[str, Any]]) -> None:
        """Publish rows of a table."""
        suite = self.shop.suite
        frame = rows(suite.session(), table, *given)
        fitted = fit_to_table(frame.drop("_run_id", "_record_hash"), table, run_id=f"given-{self._number}")
        with suite.store.batch(table, fitted) as batch:
            suite.store.write(batch, Stamp("given", f"given-{self._number}", self._number))

    def members(self, audience: str) -> list[tuple[str, str, date]]:
        """(golden_id, status, entered) of an audience."""
        stored = self.shop.collected(activation.AUDIENCE_MEMBER)
        return [
            (row["golden_id"], row["status"], row["entered_date"]) for row in stored if row["audience_id"] == audience
        ]

    def why(self, customer: str, audience: str = "regulars", on: date | None = None, *, shows: bool = False) -> str:
        """What `cdp why` prints, runs of spaces as one."""
        screen = io.StringIO()
        why(Console(file=screen, width=250), self.shop.suite, Question(customer, audience, on, shows))
        return re.sub(r"[ \n]+", " ", screen.getvalue())


def _link(record: str, golden_id: str) -> dict[str, Any]:
    return {"source_system": "till", "source_record_id": record, "golden_id": golden_id}


Open = Callable[..., Cafe]


@pytest.fixture
def open_cafe(spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings) -> Open:
    return lambda rules=RULES: Cafe(shop(spark, tmp_path / "cafe", tmp_path / "lake", mlflow_store, TRAIT + rules))


@pytest.mark.slow
def test_members_enter_stay_and_leave_and_a_run_with_nothing_new_changes_nothing(open_cafe: Open) -> None:
    cafe = open_cafe()
    cafe.day(DAYS[0], {"ann": (6, "9.00"), "bob": (8, "5.00"), "cat": (1, "1.00")})
    assert cafe.members("regulars") == [("ann", "enter", DAYS[0]), ("bob", "enter", DAYS[0])]
    assert cafe.members("best") == [("ann", "enter", DAYS[0])]
    assert cafe.members("alike") == []  # too few to learn from

    version = cafe.shop.suite.store.version(activation.AUDIENCE_MEMBER)
    assert cafe.run(DAYS[0]) == "nothing new"
    assert cafe.shop.suite.store.version(activation.AUDIENCE_MEMBER) == version

    cafe.day(DAYS[1], {"ann": (6, "9.00"), "bob": (5, "5.00"), "cat": (7, "20.00")})
    assert cafe.members("regulars") == [
        ("ann", "stay", DAYS[0]), ("bob", "exit", DAYS[0]), ("cat", "enter", DAYS[1]),
    ]  # fmt: skip
    assert cafe.members("best") == [("ann", "exit", DAYS[0]), ("cat", "enter", DAYS[1])]

    cafe.day(DAYS[2], {"ann": (6, "9.00"), "bob": (8, "5.00")})
    assert cafe.members("regulars") == [
        ("ann", "stay", DAYS[0]), ("bob", "enter", DAYS[2]), ("cat", "exit", DAYS[1]),
    ]  # fmt: skip
    stored = {row["golden_id"]: row for row in cafe.shop.collected(activation.AUDIENCE_MEMBER)
              if row["audience_id"] == "regulars"}  # fmt: skip
    versions = stored["ann"]["input_versions"]
    assert set(versions) == {"gold.customer", "silver.identity_link", "silver.order"}
    assert stored["cat"]["input_versions"]["gold.customer"] < versions["gold.customer"]
    assert stored["ann"]["config_hash"] == cafe.shop.suite.pack.audiences[0].content_hash()


@pytest.mark.slow
def test_an_audience_that_the_pack_no_longer_has_is_left_by_everybody(open_cafe: Open) -> None:
    people = {"ann": (6, "9.00")}
    open_cafe().day(DAYS[0], people)
    later = open_cafe("kind: audience\nid: everybody\n")
    later.run(DAYS[1])
    assert later.members("regulars") == [("ann", "exit", DAYS[0])]
    assert later.members("everybody") == [("ann", "enter", DAYS[1])]


@pytest.mark.slow
def test_lookalikes_resemble_the_seed(open_cafe: Open) -> None:
    cafe = open_cafe(RULES.replace("gte: 6", "gte: 50"))
    seeds = {f"s{number:02}": (50 + number, "1.00") for number in range(20)}
    others = {f"o{number:02}": (number, "1.00") for number in range(30)}
    cafe.day(DAYS[0], seeds | others)
    assert [one for one, _, _ in cafe.members("alike")] == ["o28", "o29"]


@pytest.fixture(scope="module")
def reopen(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_store: MlflowSettings) -> Open:
    """One café for all that is only asked."""
    folder = tmp_path_factory.mktemp("asked")
    return lambda rules=RULES: Cafe(shop(spark, folder / "cafe", folder / "lake", mlflow_store, TRAIT + rules))


@pytest.fixture(scope="module")
def told(reopen: Open) -> Cafe:
    """Three days; on the second bob has left, on the third ann has become dan, and bob is back."""
    cafe = reopen()
    cafe.day(DAYS[0], {"ann": (6, "9.00"), "bob": (8, "5.00"), "cat": (1, "1.00")})
    cafe.day(DAYS[1], {"ann": (6, "9.00"), "bob": (5, "5.00"), "cat": (1, "1.00")})
    merge = {"identity_event_id": "e1", "event_type": "merge", "golden_id": "ann", "into_golden_id": "dan"}
    cafe.write(identity.IDENTITY_EVENT, [merge])
    everyone = {"ann": "dan", "bob": "bob", "cat": "cat"}
    cafe.day(DAYS[2], {"dan": (1, "9.00"), "bob": (9, "5.00"), "cat": (1, "1.00")}, links=everyone)
    return cafe


@pytest.mark.slow
def test_why_and_why_not_are_answered_from_the_versions_of_the_day(told: Cafe) -> None:
    member = told.why("ann", on=DAYS[1])
    assert f"ann was in regulars as of {DAYS[1]}: a member since {DAYS[0]}." in member
    assert "trait order_count 6 gte 6 yes" in member
    assert "did order: count(*) where channel = 'store' in 30d 1 gte 1 yes" in member
    assert "trait first_name (hidden) is not Zed yes" in member
    assert "birthday_within (unknown) within 7d NO" in member
    assert "not suppression not a member member yes" in member
    assert "gold.customer 1," in told.why("ann", on=DAYS[0])
    assert "rules changed" not in member
    assert told.shop.suite.ledger.rows(ops.AUDIT) == []
    assert "trait first_name Name ann is not Zed yes" in told.why("ann", on=DAYS[1], shows=True)
    (deed,) = told.shop.suite.ledger.rows(ops.AUDIT)
    assert (deed["action"], deed["subject"]) == ("why_values", "regulars ann")

    left = told.why("bob", on=DAYS[1])
    assert f"bob left regulars in that run, a member since {DAYS[0]}." in left
    assert "trait order_count 5 gte 6 NO" in left
    assert "trait first_name (hidden) is not Zed yes" in left
    assert f"bob was in regulars as of {DAYS[2]}: entered on {DAYS[2]}." in told.why("bob")


@pytest.mark.slow
def test_why_not_names_the_bound_that_kept_a_customer_out(told: Cafe) -> None:
    capped = told.why("bob", "best", DAYS[0])
    assert "audience regulars member member yes" in capped
    assert "cap by total_amount: 1 were kept (the 1 highest), the last with 9.0; this customer has 5.00." in capped
    assert "the seed audience was too small to learn from" in told.why("cat", "alike", DAYS[0])
    excluded = told.why("ann", "drawn", DAYS[0])
    assert "not audience best member member NO" in excluded
    loser = "bob" if told.why("cat", "drawn", DAYS[0]).startswith("cat was in drawn") else "cat"
    said = told.why(loser, "drawn", DAYS[0])
    assert re.search(r"1 were kept .*, the last with 0\.\d+; this customer has 0\.\d+, and the least win", said)
    assert not set(re.findall(r"ann|bob|cat", said)) - {loser}


@pytest.mark.slow
def test_an_old_id_and_a_new_one_stand_for_the_person_of_that_day(told: Cafe) -> None:
    assert "dan was the person ann in that run. ann was in regulars" in told.why("dan", on=DAYS[0])
    today = told.why("ann", on=DAYS[2])
    assert f"ann was the person dan in that run. dan left regulars in that run, a member since {DAYS[0]}" in today
    assert "dan was not in regulars" in today
    assert "trait order_count 1 gte 6 NO" in today


@pytest.mark.slow
def test_changed_rules_are_said_plainly(told: Cafe, reopen: Open) -> None:
    changed = reopen(RULES.replace("gte: 6", "gte: 2"))
    assert "rules changed since: the reasons above are those of the rules of that run" in changed.why("ann", on=DAYS[1])
    assert "trait order_count (hidden) gte 6" not in changed.why("ann", on=DAYS[1])
    missed = changed.why("cat", on=DAYS[1])
    assert "trait order_count 1 gte 2 NO" in missed
    assert "rules changed since: the reasons above are those of the rules of today" in missed


@pytest.mark.parametrize(
    ("question", "error", "said"),
    [
        (("ann", "regular", None), ConfigError, "unknown audience 'regular'. Did you mean 'regulars'?"),
        (("ann", "regulars", date(2025, 2, 3)), WorkflowError,
         "no run of the audiences is as of 2025-02-03. The nearest: 2025-01-31."),
        (("ann", "regulars", date(2025, 1, 1)), WorkflowError, "The nearest: 2025-01-29."),
        (("bobb", "regulars", None), IdentityError, "bobb: no person has or had this golden_id."),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_what_nobody_knows_is_told(
    told: Cafe, question: tuple[str, str, date | None], error: type[CdpError], said: str
) -> None:
    with pytest.raises(error) as caught:
        told.why(*question)
    assert said in str(caught.value)
    assert "bob " not in str(caught.value)


@pytest.mark.slow
def test_before_the_first_run_there_is_nothing_to_ask(open_cafe: Open) -> None:
    with pytest.raises(WorkflowError, match=r"audiences were never computed here\. First: cdp run daily"):
        open_cafe().why("ann")


@pytest.mark.slow
def test_an_export_is_noted_with_its_rows_and_without_its_values(open_cafe: Open, tmp_path: Path) -> None:
    listed = "---\nkind: export\nid: guests\ncolumns: {Name: first_name}\n"
    cafe = open_cafe(RULES + listed)
    cafe.day(DAYS[0], {"ann": (6, "9.00"), "bob": (8, "5.00")})
    assert [rows for _, rows in write_exports(cafe.shop.suite, tmp_path / "out", "guests")] == [2, 1]
    deeds = [(row["action"], row["subject"], row["detail"]) for row in cafe.shop.suite.ledger.rows(ops.AUDIT)]
    assert sorted(deeds) == [("export", "guests", "2 rows")]
