"""Golden ids: who founds, who keeps, who forwards, and what is told of it."""

from datetime import datetime

import pytest
from chispa import assert_df_equality

from cdp_lib.errors import IdentityError
from cdp_lib.transforms.identity.golden_id import assign_golden_ids, link_rows, touched_golden_ids
from tests.unit.identity.steps import (
    by_hash,
    CLUSTER_SCHEMA,
    clusters,
    day,
    EVENT_SCHEMA,
    frame,
    hash_of,
    History,
    id_of,
    LINK_SCHEMA,
    run_days,
    run_identity,
    SOURCE,
)


def test_first_run_names_each_cluster_after_its_smallest_record(spark):
    first, second = by_hash("a", "b")
    found = spark.createDataFrame(
        [(SOURCE, "a", "c1", "k1", "email"), (SOURCE, "b", "c1", "k1", "email"), (SOURCE, "c", "c2", "k2", None)],
        CLUSTER_SCHEMA,
    )
    nothing, no_events = spark.createDataFrame([], LINK_SCHEMA), spark.createDataFrame([], EVENT_SCHEMA)
    expected = spark.createDataFrame(
        [
            (SOURCE, first, id_of(first), "c1", "k1", "email", hash_of(first), day(1), day(1)),
            (SOURCE, second, id_of(first), "c1", "k1", "email", hash_of(first), day(1), day(1)),
            (SOURCE, "c", id_of("c"), "c2", "k2", None, hash_of("c"), day(1), day(1)),
        ],
        LINK_SCHEMA,
    )

    links = link_rows(assign_golden_ids(found, nothing, no_events, run_id="r1"), day(1))

    assert_df_equality(links, expected, ignore_row_order=True, ignore_nullable=True)


def test_first_run_tells_one_assignment_per_record(spark):
    history = run_days(spark, ["a", "b"])

    assert history.happened() == {
        ("assign", id_of("a"), None, "a", "record_is_new"),
        ("assign", id_of("b"), None, "b", "record_is_new"),
    }


def test_no_records_and_no_history_give_no_links_and_no_events(spark):
    assert run_days(spark, []) == History()


def test_same_clusters_again_keep_links_and_tell_nothing(spark):
    once = run_days(spark, ["a b", "c"])

    again = run_identity(spark, ["a b", "c"], once, 2)

    assert sorted(again.links, key=str) == sorted(once.links, key=str)
    assert again.new_events == []


def test_new_record_with_a_smaller_hash_takes_the_id_that_its_cluster_has(spark):
    small, large = by_hash("a", "b")

    history = run_days(spark, [large], [f"{small} {large}"])

    assert history.ids() == {small: id_of(large), large: id_of(large)}
    assert history.happened() == {("assign", id_of(large), None, small, "record_is_new")}
    assert {link["source_record_id"]: link["linked_at"].day for link in history.links} == {large: 1, small: 2}


def test_oldest_id_survives_a_merge_and_the_other_forwards(spark):
    small, large = by_hash("a", "b")

    history = run_days(spark, [large], [large, small], [f"{large} {small}"])

    assert history.ids() == {"a": id_of(large), "b": id_of(large)}
    assert history.happened() == {
        ("move", id_of(small), id_of(large), small, "ids_merged"),
        ("merge", id_of(small), id_of(large), None, "records_joined"),
    }


def test_an_id_is_as_old_as_its_founding_though_its_first_record_left(spark):
    """Of the older id only a record is left that came to it after the other id was founded."""
    small, large = by_hash("a", "b")

    history = run_days(spark, [large], [large, small], [f"{large} c", small], ["c", small], [f"c {small}"])

    assert history.ids() == {"c": id_of(large), small: id_of(large)}


def test_smallest_id_survives_a_merge_of_ids_equally_old(spark):
    small, large = by_hash("a", "b")

    assert run_days(spark, ["a", "b"], ["a b"]).ids() == {small: id_of(small), large: id_of(small)}


def test_larger_part_keeps_the_id_though_the_founder_leaves(spark):
    founder, *others = by_hash("a", "b", "c")

    history = run_days(spark, ["a b c"], [founder, " ".join(others)])

    left = history.ids()[founder]
    assert {history.ids()[other] for other in others} == {id_of(founder)}
    assert left not in {id_of(record) for record in "abc"}
    assert history.happened() == {
        ("split", id_of(founder), None, None, "records_parted"),
        ("move", id_of(founder), left, founder, "id_split"),
    }


def test_of_equal_parts_the_one_with_the_founder_keeps_the_id(spark):
    founder, other = by_hash("a", "b")

    assert run_days(spark, ["a b"], ["a", "b"]).ids() == {founder: id_of(founder), other: id_of(other)}


def test_of_equal_parts_without_the_founder_the_smallest_hash_keeps_the_id(spark):
    founder, small, large = by_hash("a", "b", "c")

    history = run_days(spark, ["a b c"], [small, large])

    assert history.ids() == {small: id_of(founder), large: id_of(large)}


def test_part_whose_smallest_record_names_a_living_id_is_founded_by_the_next(spark):
    founder, second, *others = by_hash("a", "b", "c", "d", "e")

    history = run_days(spark, ["a b c d e"], [f"{founder} {second}", " ".join(others)])

    assert history.ids()[founder] == history.ids()[second] == id_of(second)
    founding = {link["source_record_id"]: link["founding_record"] for link in history.links}
    assert founding[founder] == founding[second] == hash_of(second)


def test_id_that_was_merged_away_is_not_given_out_again(spark):
    small, large = by_hash("a", "b")

    history = run_days(spark, ["a", "b"], ["a b"], ["a", "b"])

    assert history.ids()[small] == id_of(small)
    assert history.ids()[large] not in (id_of(large), id_of(small))
    assert ("move", id_of(small), history.ids()[large], large, "id_split") in history.happened()


def test_id_of_a_record_that_vanished_retires_and_its_return_gets_another(spark):
    gone = run_days(spark, ["a", "b"], ["b"])
    back = run_identity(spark, ["a", "b"], gone, 3)

    assert gone.ids() == {"b": id_of("b")}
    assert gone.happened() == {("retire", id_of("a"), None, None, "no_record_left")}
    assert back.ids()["a"] != id_of("a")
    assert back.ids()["b"] == id_of("b")


def test_id_lives_on_when_some_of_its_records_vanish(spark):
    founder, other = by_hash("a", "b")

    history = run_days(spark, ["a b"], [other])

    assert history.ids() == {other: id_of(founder)}
    assert history.new_events == []


def test_id_split_and_merged_in_one_run_forwards_to_where_most_of_it_went(spark):
    history = run_days(spark, ["x"], ["x", "a b c"], ["x a b", "c"])
    former = id_of(by_hash("a", "b", "c")[0])

    assert history.ids()["a"] == history.ids()["b"] == id_of("x")
    assert {event for event in history.happened() if event[0] != "move"} == {
        ("merge", former, id_of("x"), None, "records_joined"),
        ("split", former, id_of("x"), None, "records_parted"),
    }


def test_touched_ids_are_those_that_gained_or_lost_a_record(spark):
    history = run_days(spark, ["a", "b", "c d", "e"])
    previous = frame(spark, history.links, LINK_SCHEMA)
    founder, other = by_hash("c", "d")
    now = clusters(spark, ["a", f"b {other}", founder, "f"])
    expected = spark.createDataFrame(
        [(id_of("b"),), (id_of(founder),), (id_of("e"),), (id_of("f"),)], "golden_id string"
    )

    assigned = assign_golden_ids(now, previous, spark.createDataFrame([], EVENT_SCHEMA), run_id="r2")

    assert_df_equality(touched_golden_ids(assigned), expected, ignore_row_order=True)


def test_run_at_an_instant_without_zone_is_refused(spark):
    nothing, no_events = spark.createDataFrame([], LINK_SCHEMA), spark.createDataFrame([], EVENT_SCHEMA)
    assigned = assign_golden_ids(clusters(spark, ["a"]), nothing, no_events, run_id="r1")

    with pytest.raises(IdentityError, match="2025-01-01T00:00:00 has no zone"):
        link_rows(assigned, datetime(2025, 1, 1))  # noqa: DTZ001  # the very mistake that is refused
