"""Reasons in their order, chains along the strongest links, and bits that add up as shown. No table, no Spark."""

from dataclasses import replace
from datetime import datetime, UTC

import pytest
from typer.testing import CliRunner

from cdp_lib.settings.identity import Identity
from cdp_lib.settings.matching import Matching
from jobs.__main__ import app
from jobs.decisions import Decision, Record
from jobs.explanation.evidence import Identifiers
from jobs.explanation.lookup import Member, pair_of, StoredPair
from jobs.explanation.path import DECISION, Edge, strongest_chains, TIE
from jobs.explanation.reasons import Between, Case, Judged, reasons, SharedValue, TooMany
from jobs.explanation.ties import between_groups, edges_between, Known
from jobs.explanation.weighed import Block, FieldWeight, shown_bits, weighed_pair, WeighedPair

AT = datetime(2025, 3, 1, tzinfo=UTC)
WEIGHED = WeighedPair(
    fields=(FieldWeight("email", "same", 11.0, 1.5),),
    prior=-10.0,
    rival=-0.5,
    total=2.0,
    probability=0.8,
    vetoes=(),
    blocks=(Block("email", 2, 300),),
    blocking_rule="email",
)
CASE = Case(
    is_together=False,
    judged=None,
    shared=(),
    too_many=(),
    weighed=WEIGHED,
    threshold=5.0,
    listed_once=None,
    between=None,
)


def test_every_reason_is_given_and_the_most_decisive_comes_first() -> None:
    crowded = (Block("city", 900, 300), Block("birth_date", 40_000, 0))
    weighed = replace(WEIGHED, vetoes=("same email, but another birth_date",), blocks=crowded, blocking_rule=None)
    everything = replace(
        CASE,
        judged=Judged(False, AT),
        too_many=(TooMany("member_no", 1), TooMany("card", 2)),
        weighed=weighed,
        listed_once="crm",
        between=Between(-7.5, 6, 6, 0, -2.0, False),
    )

    assert reasons(everything) == (
        "A person decided that they are two on 2025-03-01.",
        "Their member_no differs, and a person has only one.",
        "Together they would hold more than the 2 values of card that one may.",
        "A veto forbids it: same email, but another birth_date.",
        "Both come from crm, which lists everybody once: two of its records are two people.",
        "They weigh 2.00 bits, 3.00 below the threshold of 5.00.",
        "They were never compared: 900 records agree on city, more than the 300 that are compared; 40,000 records "
        "agree on birth_date, a rule that is left out as too loose for so many records.",
        "A chain of links leads from one to the other, but the 6 pairs between their two groups weigh -7.50 bits on "
        "average, 5.50 below the -2.00 that one person needs.",
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"weighed": replace(WEIGHED, blocks=(), blocking_rule=None), "threshold": 1.0},
            "No blocking rule brings them",
        ),
        ({"threshold": 1.0}, "Nothing speaks against it as of today"),
        ({"weighed": None, "threshold": None}, "They share no exact identifier, and the pack has no probable"),
        ({"threshold": 1.0, "shared": (SharedValue("phone"),)}, "They share phone, but all who are joined by it would"),
        (
            {"threshold": 1.0, "shared": (SharedValue("phone", "9 records hold the value, more than 2"),)},
            "They share phone, but 9 records hold the value, more than 2.",
        ),
        ({"threshold": 1.0, "judged": Judged(True, None)}, "A person decided that they are one. Either the next run"),
        (
            {"threshold": 1.0, "between": Between(3.0, 6, 6, 2, -2.0, False)},
            "A chain of links leads from one to the other, ",
        ),
        (
            {"threshold": 1.0, "between": Between(3.0, 6, 6, 0, -2.0, False, (TooMany("card", 3),))},
            "A chain of links leads from one to the other, but their two groups together hold more than the 3 values "
            "of card that one person may.",
        ),
        (
            {"withdrawn_at": AT, "shared": (SharedValue("phone"),)},
            "A person's decision that they are two was withdrawn on 2025-03-01; the next run decides anew.",
        ),
        (
            {"threshold": float("inf")},
            "They weigh 2.00 bits, but likeness links nobody here: at every weight too many of the pairs would be wro",
        ),
        (
            {"threshold": 1.0, "between": Between(3.0, 6, 6, 0, -2.0, True)},
            "A chain of links leads from one to the other, ",
        ),
        (
            {"threshold": 1.0, "between": Between(None, 0, 6, 0, -2.0, False)},
            "A chain of links leads from one to the other, but no record of one group knows a field",
        ),
        (
            {"threshold": 1.0, "between": Between(-7.5, 4, 6, 0, -2.0, False)},
            "A chain of links leads from one to the other, but the pairs between their two groups that can be compared "
            "(4 of 6) weigh -7.50 bits on average",
        ),
    ],
)
def test_each_reason_alone_is_enough(changed: dict, said: str) -> None:
    (only,) = reasons(replace(CASE, **changed))

    assert only.startswith(said)


def test_two_that_are_one_are_told_by_what_ties_them() -> None:
    one = replace(
        CASE,
        is_together=True,
        threshold=1.0,
        judged=Judged(True, AT),
        shared=(SharedValue("phone"), SharedValue("x", "y")),
    )

    assert reasons(one) == (
        "A person decided that they are one on 2025-03-01.",
        "They share phone.",
        "They weigh 2.00 bits, 1.00 above the threshold.",
    )
    assert reasons(replace(CASE, is_together=True)) == (
        "Nothing ties these two directly: other records of the person lead from one to the other.",
    )
    undone = replace(one, judged=Judged(False, AT))
    assert reasons(undone)[-1] == "A person decided that they are two on 2025-03-01; the next run carries it out."


EDGES = (
    Edge("a", "b", 3.0, "3 bits"),
    Edge("b", "c", 12.0, "12 bits"),
    Edge("a", "c", 7.0, "7 bits"),
    Edge("c", "d", TIE, "the same phone"),
    Edge("e", "f", 9.0, "9 bits"),
)


def test_chains_run_along_the_strongest_links() -> None:
    chains = strongest_chains("a", "abcdef", EDGES)

    assert {name: [(step.edge.words, step.record) for step in chain] for name, chain in chains.items()} == {
        "a": [],
        "c": [("7 bits", "a")],
        "d": [("the same phone", "c"), ("7 bits", "a")],
        "b": [("12 bits", "c"), ("7 bits", "a")],
    }


def test_chains_do_not_depend_on_the_order_of_links_even_if_they_are_equal() -> None:
    equal = [Edge(*sorted(pair), 5.0, "5 bits") for pair in ("ab", "bc", "ac", "cd", "bd")]

    assert strongest_chains("a", "abcd", equal) == strongest_chains("a", "dcba", equal[::-1])


def test_links_to_records_outside_lead_nowhere() -> None:
    assert set(strongest_chains("a", "ab", EDGES)) == {"a", "b"}


def _member(record_id: str, source: str = "shop") -> Member:
    return Member(Record(source, record_id), "p", "c", "k", None, "f", AT)


ONE, TWO, THREE = _member("1"), _member("2"), _member("3")
IDENTITY = Identity.model_validate(
    {"kind": "identity", "identifiers": [{"field": "phone", "max_records": 3}, {"field": "card", "max_values": 1}]}
)
MATCHING = Matching(absent_weight=-4.0, together=-2.0, one_record_per_source=("crm",), max_component=10)
NOBODY = Identifiers({}, {})


def _known(**changed) -> Known:
    return Known(**{"decisions": {}, "identifiers": NOBODY, "stored": {}} | changed)


def _stored(weight: float, *, is_vetoed: bool = False) -> StoredPair:
    return StoredPair(weight, is_vetoed, "email", "shop-match/1")


def test_decisions_are_stronger_than_shared_values_and_these_than_any_weight() -> None:
    first, second, third = (member.record.hash for member in (ONE, TWO, THREE))
    phone, common, card = (0, b"p"), (0, b"c"), (1, b"k")
    identifiers = Identifiers(
        {first: {phone, common}, second: {phone, common}, third: {card}}, {phone: 2, common: 4, card: 1}
    )
    link = Decision(ONE.record, THREE.record, "link", None, AT)
    pairs = [
        pair_of(*both) for both in ((ONE.record, THREE.record), (ONE.record, TWO.record), (TWO.record, THREE.record))
    ]
    stored = {pairs[1]: _stored(9.0), pairs[2]: _stored(30.0, is_vetoed=True)}

    found = list(
        edges_between(
            second,
            {first, second, third},
            _known(decisions={link.pair: link}, identifiers=identifiers, stored=stored),
            IDENTITY,
        )
    )

    assert [(edge.strength, edge.words) for edge in found] == [
        (DECISION, "a person's decision"),
        (TIE, "the same phone"),
        (9.0, "9.00 bits"),
    ]


def test_the_mean_between_groups_counts_pairs_never_compared_and_trusts_no_pair_beyond_measure() -> None:
    stored = {pair_of(ONE.record, TWO.record): _stored(55.0)}

    fields = {ONE.record.hash: 0b011, TWO.record.hash: 0b100, THREE.record.hash: 0b010}

    between = between_groups([ONE], [TWO, THREE], _known(stored=stored, fields=fields), IDENTITY, MATCHING)

    assert between == Between((20.0 - 4.0) / 2, 2, 2, forbidden_count=0, together=-2.0, is_too_large=False)


def test_pairs_without_a_field_that_both_know_do_not_count_in_the_mean_between_groups() -> None:
    stored = {pair_of(ONE.record, TWO.record): _stored(7.0)}
    fields = {ONE.record.hash: 0b011, TWO.record.hash: 0b001, THREE.record.hash: 0b100}

    between = between_groups([ONE], [TWO, THREE], _known(stored=stored, fields=fields), IDENTITY, MATCHING)
    strangers = between_groups([ONE], [THREE], _known(stored=stored, fields=fields), IDENTITY, MATCHING)

    assert (between.mean, between.counted, between.pair_count) == (7.0, 1, 2)
    assert (strangers.mean, strangers.counted) == (None, 0)


def test_pairs_that_must_not_be_one_are_counted_once_each() -> None:
    apart = Decision(ONE.record, TWO.record, "unlink", None, AT)
    stored = {pair_of(ONE.record, TWO.record): _stored(5.0, is_vetoed=True)}
    crm = (_member("1", "crm"), _member("2", "crm"))
    cards = Identifiers({ONE.record.hash: {(1, b"x")}, THREE.record.hash: {(1, b"y")}}, {(1, b"x"): 1, (1, b"y"): 1})
    known = _known(decisions={apart.pair: apart}, stored=stored, identifiers=cards)

    assert between_groups([ONE], [TWO], known, IDENTITY, MATCHING).forbidden_count == 1
    assert between_groups([ONE], [THREE], known, IDENTITY, MATCHING).forbidden_count == 1
    assert between_groups(crm[:1], crm[1:], known, IDENTITY, MATCHING).forbidden_count == 1
    assert between_groups([TWO], [THREE], known, IDENTITY, MATCHING).forbidden_count == 0


def test_groups_that_hold_too_many_values_together_are_told_though_no_two_records_do() -> None:
    cards = Identity.model_validate({"kind": "identity", "identifiers": [{"field": "card", "max_values": 2}]})
    held = {member.record.hash: {(0, member.record.source_record_id.encode())} for member in (ONE, TWO, THREE)}
    known = _known(identifiers=Identifiers(held, {value: 1 for values in held.values() for value in values}))

    assert between_groups([ONE], [TWO], known, cards, MATCHING).too_many == ()
    assert between_groups([ONE], [TWO, THREE], known, cards, MATCHING).too_many == (TooMany("card", 2),)


def test_shared_values_say_why_they_tie_nobody() -> None:
    blocked = Identity.model_validate(
        {"kind": "identity", "identifiers": [{"field": "phone", "max_records": 2, "blocked": ["0"]}, {"field": "card"}]}
    )
    pair = pair_of(ONE.record, TWO.record)
    held = {name: {(0, b"common"), (1, b"card")} for name in pair}
    rows = {name: {"phone": "0", "identifiers": {"card": "7"}} for name in pair}

    found = Identifiers(held, {(0, b"common"): 3, (1, b"card"): 2}).shared(pair, rows, blocked)

    assert found == (
        SharedValue("phone", "3 records hold the value, more than 2"),
        SharedValue("phone", "the pack says that the value is nobody's own (`blocked`)"),
        SharedValue("card"),
    )


@pytest.mark.parametrize(
    "parts",
    [
        (0.005, 0.005, 0.005, 0.005),
        (-13.372, 7.1049, 0.0, -2.5049, 9.3, -0.0151),
        (1 / 3, 1 / 3, 1 / 3),
        (-0.001, -0.001),
        (0.0,),
    ],
)
def test_bits_add_up_as_they_are_shown(parts: tuple[float, ...]) -> None:
    shown = shown_bits(parts, sum(parts))

    assert round(sum(map(float, shown)), 2) == pytest.approx(round(sum(parts), 2), abs=1e-12)
    assert all(abs(float(figure) - part) < 0.01 for figure, part in zip(shown, parts, strict=True))


def test_what_is_nothing_is_shown_without_a_sign() -> None:
    assert shown_bits((0.0, -1.0, 1.0), 0.0) == ("0.00", "-1.00", "+1.00")


def test_levels_are_told_in_words_and_a_missing_one_as_unknown() -> None:
    matching = Matching.model_validate(
        {"comparisons": [{"field": "email", "kind": "email"}, {"field": "phone", "kind": "phone"}], "rivals": []}
    )
    row = {
        "email_level": 3,
        "email_level_bits": 6.0,
        "email_rarity_bits": 4e-16,
        "phone_level": None,
        "phone_level_bits": 0.0,
        "phone_rarity_bits": 0.0,
        "prior_weight": -9.0,
        "rival_weight": -0.0,
        "match_weight": -3.0,
        "match_probability": 0.1,
        "vetoes": [],
        "blocks": [{"rule": "email", "record_count": 2, "max_records": 300}],
        "blocking_rule": "email",
    }

    pair = weighed_pair(row, matching)

    assert [(one.field, one.words, one.rarity) for one in pair.fields] == [
        ("email", "same mailbox, other domain", 0.0),
        ("phone", "not known on both sides", 0.0),
    ]
    assert sum(pair.addends) == pytest.approx(pair.total)
    assert pair.blocks[0].is_compared


def test_the_command_takes_two_records_and_says_what_is_wrong_with_a_question() -> None:
    run = CliRunner()

    helped = run.invoke(app, ["explain", "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert "--why-not" in helped.output
    none = run.invoke(app, ["explain", "--pack", "coffee_shop", "--lakehouse", "nowhere"])
    assert (none.exit_code, "Ask one thing: --record SOURCE:ID" in none.output) == (1, True)
    one = run.invoke(app, ["explain", "--pack", "coffee_shop", "--lakehouse", "nowhere", "--why-not", "crm:1"])
    assert one.exit_code == 2
