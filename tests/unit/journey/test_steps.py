"""What each kind of step does with those who stand at it."""

from pyspark.sql import functions as F, SparkSession

from tests.unit.journey.travellers import after, assert_states, entry, known, order, pack_of, states

WAIT = "{id: care, steps: {rest: {wait: 2d, then: greet}, greet: {send: mail}}}"
UNTIL = """
id: care
steps:
  hope: {wait_until: {did: order, where: channel = 'web', within: 3d}, then: thank, else: remind}
  thank: {send: mail}
  remind: {send: mail}
"""
SPLIT = """
id: care
exit_when: {trait: order_count, gte: 10}
steps:
  ask: {split: {trait: order_count, gte: 3}, then: regular, else: rare}
  regular: {wait: 1d}
  rare: {exit: too rare}
"""


def test_a_member_enters_at_the_first_step_and_a_wait_ends_on_its_day(spark: SparkSession) -> None:
    pack = pack_of(WAIT)
    former = states(
        spark,
        pack,
        entry("early", ("rest", 4, None), known=4),
        entry("due", ("rest", 3, None), known=4),
        entry("over", ("rest", 1, "done"), ("greet", 3, "sent"), known=3, ended=(3, "end"), sends=[("greet", 1, 3)]),
    )
    what = known(spark, members=["fresh", "due", "over", ("new", "gone", "exit"), ("other", "stranger", "enter")])
    expected = states(
        spark,
        pack,
        entry("fresh", ("rest", 5, None), known=5),
        entry("early", ("rest", 4, None), known=5),
        entry("due", ("rest", 3, "done"), ("greet", 5, "sent"), known=5, ended=(5, "end"), sends=[("greet", 1, 5)]),
    )
    assert_states(after(former, what, pack, 5), expected)


def test_a_fact_within_the_wait_leads_on_and_its_end_leads_elsewhere(spark: SparkSession) -> None:
    """Reached on day 4, within 3d: facts of days 5, 6 and 7 count, not what may have led there on day 4."""
    pack = pack_of(UNTIL)
    names = ("same_day", "first", "last", "late", "shop", "unknown", "both", "none")
    former = states(spark, pack, *[entry(name, ("hope", 4, None), known=4) for name in names])
    orders = [
        order("same_day", "04 23:59", channel="web"),
        order("first", "05 00:00", channel="web"),
        order("last", "07 23:59", channel="web"),
        order("late", "08 00:00", channel="web"),
        order("shop", "05", channel="store"),
        order("unknown", "05", channel=None),
        order("both", "05", channel="web"),
        order("both", "05", channel="web"),
        order("both", "04", channel="web"),
    ]

    def thanked(name: str, on: int) -> dict[str, object]:
        path = (("hope", 4, "then"), ("thank", on, "sent"))
        return entry(name, *path, known=8, ended=(on, "end"), sends=[("thank", 1, on)])

    def reminded(name: str) -> dict[str, object]:
        path = (("hope", 4, "else"), ("remind", 7, "sent"))
        return entry(name, *path, known=8, ended=(7, "end"), sends=[("remind", 1, 7)])

    expected = states(
        spark,
        pack,
        *[reminded(name) for name in ("same_day", "late", "shop", "unknown", "none")],
        thanked("first", 5),
        thanked("last", 7),
        thanked("both", 5),
    )
    assert_states(after(former, known(spark, orders=orders), pack, 8), expected)


def test_a_fact_that_came_late_counts_where_the_wait_has_not_ended(spark: SparkSession) -> None:
    pack = pack_of(UNTIL)
    former = states(spark, pack, entry("ann", ("hope", 4, None), known=6))
    what = known(spark, orders=[order("ann", "05", channel="web")])
    path = (("hope", 4, "then"), ("thank", 7, "sent"))
    expected = states(spark, pack, entry("ann", *path, known=7, ended=(7, "end"), sends=[("thank", 1, 7)]))
    assert_states(after(former, what, pack, 7), expected)


def test_a_facts_day_is_a_day_of_the_packs_zone(spark: SparkSession) -> None:
    """23:30 UTC on the 7th is the 8th in Berlin: too late for a wait that ends on the 7th."""
    pack = pack_of(UNTIL, time_zone="Europe/Berlin")
    former = states(spark, pack, *[entry(name, ("hope", 4, None), known=6) for name in ("ann", "bob")])
    what = known(spark, orders=[order("ann", "07 22:30", channel="web"), order("bob", "07 23:30", channel="web")])
    found = after(former, what, pack, 8).select("golden_id", F.col("path")[0]["outcome"].alias("outcome"))
    expected = spark.createDataFrame([("ann", "then"), ("bob", "else")], "golden_id string, outcome string")
    assert_states(found, expected)


def test_a_split_asks_the_single_view_and_who_is_unknown_to_it_goes_elsewhere(spark: SparkSession) -> None:
    pack = pack_of(SPLIT)
    what = known(spark, members=["often", "seldom", "nobody"], order_counts={"often": 3, "seldom": 2})
    expected = states(
        spark,
        pack,
        entry("often", ("ask", 5, "then"), ("regular", 5, None), known=5),
        entry("seldom", ("ask", 5, "else"), ("rare", 5, "too rare"), known=5, ended=(5, "too rare")),
        entry("nobody", ("ask", 5, "else"), ("rare", 5, "too rare"), known=5, ended=(5, "too rare")),
    )
    assert_states(after(states(spark, pack), what, pack, 5), expected)


def test_who_meets_exit_when_leaves_before_any_move_and_does_not_enter(spark: SparkSession) -> None:
    pack = pack_of(SPLIT)
    former = states(
        spark, pack, *[entry(name, ("ask", 3, "then"), ("regular", 3, None), known=3) for name in ("loyal", "plain")]
    )
    what = known(spark, members=["keen"], order_counts={"loyal": 10, "keen": 10, "plain": 9})
    expected = states(
        spark,
        pack,
        entry("loyal", ("ask", 3, "then"), ("regular", 3, "exit_when"), known=6, ended=(6, "exit_when")),
        entry("plain", ("ask", 3, "then"), ("regular", 3, "done"), known=6, ended=(4, "end")),
    )
    assert_states(after(former, what, pack, 6), expected)


def test_who_stands_at_a_step_that_is_gone_leaves(spark: SparkSession) -> None:
    pack = pack_of(WAIT)
    former = states(spark, pack, entry("ann", ("old", 3, None), known=4, config_hash="of old"))
    expected = states(spark, pack, entry("ann", ("old", 3, "step_removed"), known=5, ended=(5, "step_removed")))
    assert_states(after(former, known(spark), pack, 5), expected)


def test_the_hash_is_of_the_journey_by_which_somebody_moved_last(spark: SparkSession) -> None:
    pack = pack_of(WAIT)
    former = states(spark, pack, entry("ann", ("rest", 4, None), known=4, config_hash="of old"))
    stays = states(spark, pack, entry("ann", ("rest", 4, None), known=5, config_hash="of old"))
    assert_states(after(former, known(spark), pack, 5), stays)
    moved = entry("ann", ("rest", 4, "done"), ("greet", 6, "sent"), known=6, ended=(6, "end"), sends=[("greet", 1, 6)])
    assert_states(after(stays, known(spark), pack, 6), states(spark, pack, moved))


def test_one_fact_leads_past_a_step_once_and_visits_are_counted(spark: SparkSession) -> None:
    pack = pack_of(
        """
id: care
steps:
  hope: {wait_until: {did: order, within: 3d}, then: thank, else: bye}
  thank: {send: mail, then: hope}
  bye: {exit: silent}
"""
    )
    former = states(spark, pack, entry("ann", ("hope", 4, None), known=4))
    what = known(spark, orders=[order("ann", "05"), order("ann", "05 13:00"), order("ann", "06")])
    path = (("hope", 4, "then"), ("thank", 5, "sent"), ("hope", 5, "then"), ("thank", 6, "sent"))
    sends = [("thank", 1, 5), ("thank", 2, 6)]
    expected = entry("ann", *path, ("hope", 6, "else"), ("bye", 9, "silent"), known=9, ended=(9, "silent"), sends=sends)
    assert_states(after(former, what, pack, 9), states(spark, pack, expected))
