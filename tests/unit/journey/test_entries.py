"""Who enters, who enters again, and what becomes of entries whose people are merged or gone."""

from pyspark.sql import SparkSession

from cdp_lib.transforms.journey.states import account
from tests.unit.journey.travellers import after, assert_states, day, entry, known, pack_of, states

REST = "{id: care, re_entry_after: 10d, steps: {rest: {wait: 30d}}}"
ONCE = "{id: care, steps: {rest: {wait: 30d}}}"
SENDING = "{id: care, steps: {greet: {send: mail, then: rest}, rest: {wait: 2d, then: again}, again: {send: mail}}}"


def test_members_enter_again_when_their_last_exit_is_long_enough_ago(spark: SparkSession) -> None:
    pack = pack_of(REST)
    former = states(
        spark,
        pack,
        entry("due", ("rest", 1, "x"), known=9, ended=(2, "x")),
        entry("due", ("rest", 3, "x"), known=10, ended=(10, "x"), entry_number=2),
        entry("early", ("rest", 1, "x"), known=11, ended=(11, "x")),
        entry("left", ("rest", 1, "x"), known=9, ended=(9, "x")),
        entry("inside", ("rest", 2, "x"), known=5, ended=(5, "x")),
        entry("inside", ("rest", 19, None), known=19, entry_number=2),
    )
    what = known(spark, members=["due", "early", "inside"])
    expected = states(
        spark,
        pack,
        entry("due", ("rest", 20, None), known=20, entry_number=3),
        entry("inside", ("rest", 19, None), known=20, entry_number=2),
    )
    assert_states(after(former, what, pack, 20), expected)


def test_without_re_entry_members_enter_once(spark: SparkSession) -> None:
    pack = pack_of(ONCE)
    former = states(spark, pack, entry("ann", ("rest", 1, "x"), known=2, ended=(2, "x")))
    assert_states(after(former, known(spark, members=["ann"]), pack, 30), states(spark, pack))


def test_nobody_to_move_gives_no_rows(spark: SparkSession) -> None:
    pack = pack_of(ONCE, SENDING.replace("care", "other"))
    assert_states(after(states(spark, pack), known(spark), pack, 5), states(spark, pack))


def test_an_audience_may_enter_several_journeys_at_once(spark: SparkSession) -> None:
    pack = pack_of(ONCE, ONCE.replace("care", "other").replace("rest", "pause"))
    expected = states(
        spark,
        pack,
        entry("ann", ("rest", 5, None), known=5),
        entry("ann", ("pause", 5, None), known=5, journey_id="other"),
    )
    assert_states(after(states(spark, pack), known(spark, members=["ann"]), pack, 5), expected)


def test_a_merged_ids_entry_goes_on_as_the_survivors_and_its_messages_stay_told_where_they_were(
    spark: SparkSession,
) -> None:
    pack = pack_of(SENDING)
    path = (("greet", 3, "sent"), ("rest", 3, None))
    former = states(spark, pack, entry("old", *path, known=4, sends=[("greet", 1, 3)]))
    what = known(spark, members=["new"], merges=[("old", "new")])
    merged = entry("old", *path[:1], ("rest", 3, "merged"), known=5, ended=(5, "merged"), sends=[("greet", 1, 3)])
    onward = entry(
        "new",
        *path[:1],
        ("rest", 3, "done"),
        ("again", 5, "sent"),
        known=5,
        ended=(5, "end"),
        entry_number=2,
        sends=[("again", 1, 5)],
    )
    assert_states(after(former, what, pack, 5), states(spark, pack, merged, onward))


def test_of_two_active_entries_the_older_goes_on_and_the_survivors_own_wins_a_tie(spark: SparkSession) -> None:
    pack = pack_of(ONCE)
    former = states(
        spark,
        pack,
        entry("a_old", ("rest", 3, None), known=4),
        entry("a", ("rest", 4, None), known=4),
        entry("b_old", ("rest", 3, None), known=4),
        entry("b", ("rest", 3, None), known=4, entry_number=3),
        entry("c_old", ("rest", 4, None), known=4),
        entry("c", ("rest", 3, None), known=4),
    )
    merges = [("a_old", "a"), ("b_old", "b"), ("c_old", "c")]
    expected = states(
        spark,
        pack,
        entry("a_old", ("rest", 3, "merged"), known=5, ended=(5, "merged")),
        entry("a", ("rest", 4, "merged"), known=5, ended=(5, "merged")),
        entry("a", ("rest", 3, None), known=5, entry_number=2),
        entry("b_old", ("rest", 3, "merged"), known=5, ended=(5, "merged")),
        entry("b", ("rest", 3, None), known=5, entry_number=3),
        entry("c_old", ("rest", 4, "merged"), known=5, ended=(5, "merged")),
        entry("c", ("rest", 3, None), known=5),
    )
    found = after(former, known(spark, merges=merges, members=["a", "b", "c"]), pack, 5)
    assert_states(found, expected)


def test_what_a_merged_id_has_been_through_counts_for_the_survivor(spark: SparkSession) -> None:
    once, again = pack_of(ONCE), pack_of(REST)
    former = states(spark, once, entry("old", ("rest", 1, "x"), known=2, ended=(2, "x")))
    what = known(spark, members=["new"], merges=[("old", "new")])
    assert_states(after(former, what, once, 20), states(spark, once))
    assert_states(
        after(former, what, again, 20), states(spark, again, entry("new", ("rest", 20, None), known=20, entry_number=2))
    )


def test_a_merge_takes_nobody_through_again_who_might_not_enter_again(spark: SparkSession) -> None:
    """`a` is through and `a_old` is inside; `b_old` is through and `b` is inside; `c_old` entered long after."""
    once, again = pack_of(ONCE), pack_of(REST)
    given = [
        entry("a", ("rest", 1, "x"), known=5, ended=(5, "x")),
        entry("a_old", ("rest", 14, None), known=19),
        entry("b_old", ("rest", 1, "x"), known=5, ended=(5, "x")),
        entry("b", ("rest", 14, None), known=19),
        entry("c", ("rest", 1, "x"), known=5, ended=(5, "x")),
        entry("c_old", ("rest", 15, None), known=19),
    ]
    what = known(spark, merges=[("a_old", "a"), ("b_old", "b"), ("c_old", "c")], members=["a", "b", "c"])
    over = [entry(one, ("rest", 14, "merged"), known=20, ended=(20, "merged")) for one in ("a_old", "b")]
    c_old = entry("c_old", ("rest", 15, "merged"), known=20, ended=(20, "merged"))
    assert_states(after(states(spark, once, *given), what, once, 20), states(spark, once, *over, c_old))
    onward = entry("c", ("rest", 15, None), known=20, entry_number=2)
    assert_states(after(states(spark, again, *given), what, again, 20), states(spark, again, *over, c_old, onward))


def test_entries_of_retired_people_and_of_journeys_that_are_gone_end(spark: SparkSession) -> None:
    pack = pack_of(ONCE)
    former = states(
        spark,
        pack,
        entry("ann", ("rest", 3, None), known=4),
        entry("bob", ("rest", 3, None), known=4, journey_id="gone"),
    )
    expected = states(
        spark,
        pack,
        entry("ann", ("rest", 3, "retired"), known=5, ended=(5, "retired")),
        entry("bob", ("rest", 3, "journey_removed"), known=5, ended=(5, "journey_removed"), journey_id="gone"),
    )
    assert_states(after(former, known(spark, merges=[("ann", None)]), pack, 5), expected)


def test_the_account_counts_entries_moves_messages_and_exits(spark: SparkSession) -> None:
    pack = pack_of(SENDING, ONCE.replace("care", "other"))
    former = states(
        spark,
        pack,
        entry("due", ("greet", 3, "sent"), ("rest", 3, None), known=4, sends=[("greet", 1, 3)]),
        entry("early", ("greet", 4, "sent"), ("rest", 4, None), known=4, sends=[("greet", 1, 4)]),
    )
    found = after(former, known(spark, members=["fresh"]), pack, 5)
    expected = spark.createDataFrame(
        [("care", 1, 2, 2, 1), ("other", 1, 0, 0, 0)],
        "journey_id string, entered long, moved long, sends long, exits long",
    )
    assert_states(account(found, former, day(5)), expected)
