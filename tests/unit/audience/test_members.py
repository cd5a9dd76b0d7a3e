"""Who is in each audience: rules on one another, exclusions, lists, caps, draws, likeness; and the run before."""

import hashlib
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, functions as F, SparkSession

from cdp_lib.contracts.activation import AUDIENCE_MEMBER, SUPPRESSION
from cdp_lib.contracts.identity import IDENTITY_EVENT
from cdp_lib.settings.audience import Audience, Lookalike
from cdp_lib.transforms.audience.difference import against_yesterday, by_todays_ids
from cdp_lib.transforms.audience.members import audience_members, Means
from cdp_lib.transforms.audience.rules import with_figures
from tests.builders import rows
from tests.unit.audience.cafe import AS_OF, audience, cafe, customers

LETTERS = "abcdefgh"
PEOPLE: list[dict[str, Any]] = [
    {"golden_id": letter, "visits_90d": place, "spend_90d": None if letter == "h" else f"{place // 2}.00"}
    for place, letter in enumerate(LETTERS)
]


def by_visits(lookalike: Lookalike, candidates: DataFrame, seed: DataFrame) -> DataFrame:
    """A stand-in for the model: as alike as visits go."""
    return candidates.select("golden_id", (F.col("visits_90d") / 10).alias("score"))


def found(
    spark: SparkSession,
    *documents: Mapping[str, Any],
    people: DataFrame | None = None,
    suppressed: str = "",
    former: DataFrame | None = None,
) -> DataFrame:
    pack = cafe(*documents)
    everyone = customers(spark, pack, *PEOPLE) if people is None else people
    asked = [leaf for one in pack.audiences for leaf in one.leaves() if not leaf.audience]
    frame = with_figures(everyone, asked, {}, None, pack=pack, as_of=AS_OF)
    listed = rows(spark, SUPPRESSION, *[{"golden_id": one, "channel": "sms"} for one in suppressed])
    known = rows(spark, AUDIENCE_MEMBER) if former is None else former
    means = Means(lambda kept: kept.localCheckpoint(), by_visits, known, AS_OF)
    return audience_members(frame, listed.union(listed), pack.audiences, means)


def members(spark: SparkSession, *documents: Mapping[str, Any], **more: Any) -> dict[str, str]:
    """Audience: the letters of its members."""
    listed: dict[str, str] = {}
    for row in found(spark, *documents, **more).orderBy("golden_id").collect():
        listed[row["audience_id"]] = listed.get(row["audience_id"], "") + row["golden_id"]
    return listed


def visits(least: int) -> dict[str, Any]:
    return {"trait": "visits_90d", "gte": least}


def test_an_audience_without_a_rule_is_everybody_once(spark: SparkSession) -> None:
    assert members(spark, audience("all")) == {"all": LETTERS}
    nobody = customers(spark, cafe(), *PEOPLE).limit(0)
    assert members(spark, audience("all"), audience("few", cap={"count": 2, "by": "visits_90d"}), people=nobody) == {}


def test_audiences_ask_for_one_another_in_any_order_of_writing(spark: SparkSession) -> None:
    documents = [
        audience("good_not_best", {"all": [{"audience": "good"}, {"not": {"audience": "best"}}]}),
        audience("best", {"all": [{"audience": "good"}, visits(6)]}),
        audience("good", visits(4)),
    ]
    expected = {"good": "efgh", "best": "gh", "good_not_best": "ef"}
    assert members(spark, *documents) == expected
    assert members(spark, *reversed(documents)) == expected


def test_excluded_and_suppressed_customers_are_not_in_it(spark: SparkSession) -> None:
    documents = [audience("good", visits(4), exclude=["best", "suppression"]), audience("best", visits(6))]
    assert members(spark, *documents, suppressed="abe") == {"best": "gh", "good": "f"}


def test_a_customer_is_in_the_audience_of_a_list_with_the_least_number(spark: SparkSession) -> None:
    listed = {"priority_list": "offers"}
    documents = [
        audience("anybody", priority=3, **listed),
        audience("best", visits(4), priority=1, cap={"count": 2, "by": "visits_90d"}, **listed),
        audience("good", visits(3), priority=2, **listed),
        audience("beside"),
    ]
    assert members(spark, *documents) == {"best": "gh", "good": "def", "anybody": "abc", "beside": LETTERS}


def test_a_cap_keeps_the_best_ties_by_id_and_those_without_a_value_last(spark: SparkSession) -> None:
    def cap(count: int, order: str) -> dict[str, Any]:
        return {"count": count, "by": "spend_90d", "order": order}

    documents = [
        audience("high", cap=cap(2, "highest")),  # e and f have 2.00, g 3.00, h none
        audience("low", visits(5), cap=cap(2, "lowest")),
        audience("many", visits(5), cap=cap(3, "lowest")),
        audience("most", visits(6), cap=cap(9, "highest")),
    ]
    assert members(spark, *documents) == {"high": "eg", "low": "fg", "many": "fgh", "most": "gh"}
    scores = {
        (row["audience_id"], row["golden_id"]): (row["score"], row["why"][-1]["leaf"], row["why"][-1]["threshold"])
        for row in found(spark, *documents).collect()
    }
    assert scores["high", "g"] == (3.0, "cap by spend_90d", "the 2 highest")
    assert scores["most", "h"][0] is None


def test_a_cap_may_go_by_days(spark: SparkSession) -> None:
    people = [{"golden_id": "x", "joined_date": date(1970, 1, 3)}, {"golden_id": "y", "joined_date": date(1970, 1, 2)}]
    capped = audience("old", cap={"count": 1, "by": "joined_date", "order": "lowest"})
    row = found(spark, capped, people=customers(spark, cafe(), *people)).collect()[0]
    assert (row["golden_id"], row["score"]) == ("y", 1.0)


def test_a_draw_is_the_published_seeds_and_no_other(spark: SparkSession) -> None:
    def winners(seed: str) -> str:
        lots = sorted((hashlib.sha256(f"{seed}|{one}".encode()).hexdigest(), one) for one in LETTERS)
        return "".join(sorted(one for _, one in lots[:3]))

    documents = [audience(seed, draw=lots(seed)) for seed in ("spring", "autumn")]
    assert members(spark, *documents) == {seed: winners(seed) for seed in ("spring", "autumn")}
    assert winners("spring") != winners("autumn")


def lots(seed: str, *, closes_on: date = AS_OF - timedelta(days=1), count: int = 3) -> dict[str, Any]:
    return {"count": count, "seed": seed, "closes_on": closes_on}


def test_nobody_is_drawn_before_the_closing_day_is_over(spark: SparkSession) -> None:
    assert members(spark, audience("lucky", draw=lots("spring", closes_on=AS_OF))) == {}


def test_winners_stand_whatever_comes_and_another_seed_draws_anew(spark: SparkSession) -> None:
    """Entrants who came late have lesser lots; who won meets the rule no more, and has the reasons of then."""
    drawn = found(spark, audience("lucky", visits(4), draw=lots("spring")))
    won = {row["golden_id"] for row in drawn.collect()}
    as_written = drawn.select("*", F.lit("stay").alias("status"), F.lit(AS_OF).alias("entered_date"))
    anybody = audience("lucky", {"not": visits(6)}, draw=lots("spring"))
    assert_df_equality(found(spark, anybody, former=as_written), drawn, ignore_row_order=True)
    again = members(spark, audience("lucky", draw=lots("spring", closes_on=AS_OF, count=5)), former=as_written)
    assert set(again["lucky"]) == won
    other = members(spark, audience("lucky", draw=lots("autumn", count=5)), former=as_written)
    assert len(other["lucky"]) == 5


def test_a_merged_winner_is_the_one_who_stands_for_them(spark: SparkSession) -> None:
    told = {"audience_id": "lucky", "as_of_date": DAY[1], "config_hash": "then"}
    why = [("draw with seed spring", "0.5", "the 3 least lots", True)]
    given = [{**told, "golden_id": one, "status": "stay", "entered_date": DAY[0], "why": why} for one in ("old", "b")]
    events = rows(spark, IDENTITY_EVENT, merge("old", "a"))
    former = by_todays_ids(rows(spark, AUDIENCE_MEMBER, *given), events)
    assert members(spark, audience("lucky", draw=lots("spring")), former=former) == {"lucky": "ab"}


def test_lookalikes_are_the_most_alike_outside_the_seed(spark: SparkSession) -> None:
    alike = audience("twins", lookalike={"seed": "best", "features": ["visits_90d"], "count": 3})
    both = found(spark, audience("best", visits(6)), alike, audience("of_twins", {"audience": "twins"}))
    assert {(r["audience_id"], r["golden_id"]) for r in both.collect() if r["audience_id"] != "best"} == {
        (name, one) for name in ("twins", "of_twins") for one in "def"
    }
    why = next(r["why"] for r in both.collect() if (r["audience_id"], r["golden_id"]) == ("twins", "f"))
    assert [tuple(reason) for reason in why] == [
        ("not audience best (the seed)", "not a member", "member", True),
        ("likeness to best", "0.5", "the 3 most alike", True),
    ]


def test_order_of_rows_and_partitions_change_nothing(spark: SparkSession) -> None:
    documents = [
        audience("best", visits(6), exclude=["suppression"]),
        audience("high", cap={"count": 4, "by": "spend_90d"}),
        audience("drawn", {"not": {"audience": "high"}}, draw=lots("s", count=2)),
        audience("twins", lookalike={"seed": "best", "features": ["visits_90d"], "count": 3}),
    ]
    plain = found(spark, *documents, suppressed="g")
    mixed = customers(spark, cafe(), *[PEOPLE[place] for place in (5, 2, 7, 0, 3, 1, 6, 4)]).repartition(5)
    assert_df_equality(found(spark, *documents, people=mixed, suppressed="g"), plain, ignore_row_order=True)


DAY = (date(2025, 1, 29), date(2025, 1, 30), AS_OF)


def today(spark: SparkSession, *golden_ids: str) -> DataFrame:
    given = [{"audience_id": "all", "golden_id": one, "why": [], "config_hash": "now"} for one in golden_ids]
    return rows(spark, AUDIENCE_MEMBER, *given).drop("as_of_date", "status", "entered_date", "_run_id")


def before(spark: SparkSession, *told: tuple[str, str, date, date]) -> DataFrame:
    """Former rows as (golden_id, status, as_of_date, entered_date)."""
    names = ("golden_id", "status", "as_of_date", "entered_date")
    given = [{"audience_id": "all", "config_hash": "then", **dict(zip(names, one, strict=True))} for one in told]
    return rows(spark, AUDIENCE_MEMBER, *given)


@pytest.mark.parametrize(
    ("former", "now", "expected"),
    [
        ([], "x", [("x", "enter", DAY[2], "now")]),
        ([("x", "enter", DAY[1], DAY[1])], "x", [("x", "stay", DAY[1], "now")]),
        ([("x", "stay", DAY[1], DAY[0])], "x", [("x", "stay", DAY[0], "now")]),
        ([("x", "stay", DAY[1], DAY[0])], "", [("x", "exit", DAY[0], "then")]),
        ([("x", "exit", DAY[1], DAY[0])], "", []),
        ([("x", "exit", DAY[1], DAY[0])], "x", [("x", "enter", DAY[2], "now")]),
        # the same day again
        ([("x", "enter", DAY[2], DAY[2])], "x", [("x", "enter", DAY[2], "now")]),
        ([("x", "exit", DAY[2], DAY[0])], "", [("x", "exit", DAY[0], "then")]),
        ([("x", "exit", DAY[2], DAY[0])], "x", [("x", "stay", DAY[0], "now")]),
    ],
)
def test_a_member_enters_stays_and_leaves_against_the_run_before(
    spark: SparkSession, former: list[tuple[str, str, date, date]], now: str, expected: list[tuple[str, str, date, str]]
) -> None:
    actual = against_yesterday(today(spark, *now), before(spark, *former), AS_OF)
    assert sorted(actual.columns) == sorted(set(AUDIENCE_MEMBER.column_names) - {"_run_id"})
    told = [(r["golden_id"], r["status"], r["entered_date"], r["config_hash"]) for r in actual.collect()]
    assert told == expected
    assert {row["as_of_date"] for row in actual.collect()} <= {AS_OF}


def merge(old: str, new: str) -> dict[str, str]:
    return {"identity_event_id": old, "event_type": "merge", "golden_id": old, "into_golden_id": new}


@pytest.mark.parametrize(
    ("former", "now", "expected"),
    [
        # a member who was merged stays, since the older entry of the two
        ([("old", "stay", DAY[1], DAY[0])], "x", [("x", "stay", DAY[0])]),
        ([("old", "stay", DAY[1], DAY[0]), ("x", "enter", DAY[1], DAY[1])], "x", [("x", "stay", DAY[0])]),
        ([("old", "enter", DAY[1], DAY[1]), ("x", "stay", DAY[1], DAY[0])], "x", [("x", "stay", DAY[0])]),
        # one who is a member no more leaves once
        ([("old", "stay", DAY[1], DAY[0]), ("x", "enter", DAY[1], DAY[1])], "", [("x", "exit", DAY[0])]),
        # an old id that left on this day, before the merge was known
        ([("old", "exit", AS_OF, DAY[0]), ("x", "enter", AS_OF, AS_OF)], "x", [("x", "enter", AS_OF)]),
        ([("gone", "stay", DAY[1], DAY[0])], "", [("gone", "exit", DAY[0])]),
    ],
)
def test_a_merged_customer_is_a_member_since_the_older_entry(
    spark: SparkSession, former: list[tuple[str, str, date, date]], now: str, expected: list[tuple[str, str, date]]
) -> None:
    retired = {"identity_event_id": "r", "event_type": "retire", "golden_id": "gone"}
    events = rows(spark, IDENTITY_EVENT, merge("old", "x"), retired)
    actual = against_yesterday(today(spark, *now), by_todays_ids(before(spark, *former), events), AS_OF)
    assert [(r["golden_id"], r["status"], r["entered_date"]) for r in actual.collect()] == expected


def test_an_audience_knows_what_it_needs() -> None:
    needing = Audience.model_validate(
        audience("x", {"any": [{"audience": "b"}, {"not": {"audience": "a"}}]}, exclude=["suppression", "c", "b"])
    )
    assert needing.named_audiences() == ("b", "a", "c")
