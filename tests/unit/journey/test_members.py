"""What a journey asks for: messages until they are called off, and on lists whoever passed a step and is on the way."""

from datetime import date

from pyspark.sql import SparkSession

from cdp_lib.transforms.journey.members import members_by_journeys, sends_of_journeys
from tests.unit.journey.travellers import after, day, entry, known, pack_of, states

CARE = """
id: care
steps:
  follow: {send: ads, then: rest}
  rest: {wait: 5d, then: write}
  write: {send: mail, then: stay}
  stay: {wait: 5d}
"""
OTHER = "{id: other, steps: {follow: {send: wall, then: rest}, rest: {wait: 5d}}}"


def found(spark: SparkSession, *entries: dict[str, object]) -> set[tuple[str, str, date]]:
    pack = pack_of(CARE, OTHER)
    rows = members_by_journeys(states(spark, pack, *entries), pack.journeys).collect()
    assert len(rows) == len(set(rows))
    return {(row["activation_id"], row["golden_id"], row["due_date"]) for row in rows}


def test_who_passed_the_step_is_kept_until_the_entry_is_over(spark: SparkSession) -> None:
    path = (("follow", 1, "sent"), ("rest", 1, "done"), ("write", 6, "sent"), ("stay", 6, None))
    given = [
        entry("new", ("follow", 1, "sent"), ("rest", 1, None), known=1),
        entry("far", *path, known=6),
        entry("over", *path, known=11, ended=(11, "end")),
        entry("before", ("follow", 1, None), known=1),
        entry("elsewhere", ("follow", 2, "sent"), ("rest", 2, None), known=2, journey_id="other"),
    ]
    assert found(spark, *given) == {
        ("ads", "new", day(1)),
        ("ads", "far", day(1)),
        ("mail", "far", day(6)),
        ("wall", "elsewhere", day(2)),
    }
    assert found(spark) == set()


def test_a_journey_or_step_that_is_gone_keeps_nobody(spark: SparkSession) -> None:
    given = [
        entry("g1", ("follow", 1, "sent"), ("rest", 1, None), known=1, journey_id="gone"),
        entry("g2", ("gone", 1, "sent"), ("rest", 1, None), known=1),
    ]
    assert found(spark, *given) == set()
    inside = states(spark, pack_of(CARE), entry("g3", ("follow", 1, "sent"), ("rest", 1, None), known=1))
    assert members_by_journeys(inside, ()).collect() == []


def test_of_merged_people_the_one_who_goes_on_stays_on_the_list(spark: SparkSession) -> None:
    pack = pack_of(CARE)
    former = states(
        spark, pack, entry("old", ("follow", 1, "sent"), ("rest", 1, None), known=1, sends=[("follow", 1, 1)])
    )
    next_day = after(former, known(spark, merges=[("old", "now")]), pack, 2)
    rows = members_by_journeys(next_day, pack.journeys).collect()
    assert [tuple(row) for row in rows] == [("ads", "now", day(1))]


def test_a_merged_ids_messages_are_called_off_with_the_entry_that_went_on(spark: SparkSession) -> None:
    """Both rows by today's id: merged on day 2; the entry that went on was called off on day 3, or came to its end."""
    path, sends = (("write", 1, "sent"), ("stay", 1, None)), [("write", 1, 1)]
    merged = {"known": 2, "ended": (2, "merged"), "sends": sends}
    given = states(
        spark,
        pack_of(CARE),
        entry("bought", *path, **merged),
        entry("bought", *path, known=3, ended=(3, "exit_when"), entry_number=2),
        entry("through", *path, **merged),
        entry("through", *path, known=3, ended=(3, "end"), entry_number=2),
        entry("later", *path, **merged),
        entry("later", ("write", 4, "sent"), ("stay", 4, None), known=5, ended=(5, "exit_when"), entry_number=2),
    )
    rows = sends_of_journeys(given).collect()
    assert sorted(row["golden_id"] for row in rows) == ["later", "through"]


def test_messages_are_called_off_with_the_entry_but_not_where_it_came_to_its_end(spark: SparkSession) -> None:
    """Who bought meanwhile, is gone, or was on a journey that is gone, is not written to; who was merged is."""
    path, sends = (("write", 1, "sent"), ("stay", 1, None)), [("write", 1, 1)]
    reasons = ("exit_when", "retired", "journey_removed", "merged", "step_removed", "end")
    ended = [entry(reason, *path, known=2, ended=(2, reason), sends=sends) for reason in reasons]
    given = states(spark, pack_of(CARE), entry("inside", *path, known=2, sends=sends), *ended)
    rows = sends_of_journeys(given).collect()
    occasion = ("mail", "journey:care:1:write:1", day(1))
    assert {(row["activation_id"], row["occasion"], row["due_date"]) for row in rows} == {occasion}
    assert sorted(row["golden_id"] for row in rows) == ["end", "inside", "merged", "step_removed"]
