"""Old ids lead to today's."""

from chispa import assert_df_equality

from cdp_lib.transforms.identity.history import resolve
from tests.unit.identity.steps import by_hash, EVENT_SCHEMA, frame, id_of, run_days


def _ids(spark, *golden_ids):
    return spark.createDataFrame([(golden_id,) for golden_id in golden_ids], "golden_id string")


def _resolved(spark, *pairs):
    return spark.createDataFrame(pairs, "golden_id string, current_golden_id string")


def test_chain_of_merges_is_one_step_for_every_old_id(spark):
    history = run_days(spark, ["a"], ["a", "b"], ["a", "b", "c"], ["a", "b c"], ["a b c"])
    events = frame(spark, history.events, EVENT_SCHEMA)

    assert ("merge", id_of("c"), id_of("a"), None, "heir_merged") in history.happened()
    assert_df_equality(
        resolve(events, _ids(spark, id_of("a"), id_of("b"), id_of("c"))),
        _resolved(spark, *[(id_of(record), id_of("a")) for record in "abc"]),
        ignore_row_order=True,
        ignore_nullable=True,
    )


def test_id_merged_into_one_that_retired_resolves_to_nobody(spark):
    history = run_days(spark, ["a", "b"], ["a b"], ["c"])
    events = frame(spark, history.events, EVENT_SCHEMA)
    small, large = by_hash("a", "b")

    assert history.happened() >= {("retire", id_of(small), None, None, "no_record_left")}
    assert_df_equality(
        resolve(events, _ids(spark, id_of(small), id_of(large), id_of("c"))),
        _resolved(spark, (id_of(small), None), (id_of(large), None), (id_of("c"), id_of("c"))),
        ignore_row_order=True,
        ignore_nullable=True,
    )


def test_without_events_each_id_stands_for_itself_as_often_as_it_is_asked(spark):
    nothing = spark.createDataFrame([], EVENT_SCHEMA)

    assert_df_equality(
        resolve(nothing, _ids(spark, "x", "x")),
        _resolved(spark, ("x", "x"), ("x", "x")),
        ignore_row_order=True,
        ignore_nullable=True,
    )
