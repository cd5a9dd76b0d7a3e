"""Random months of merges, splits, arrivals and departures, held to invariants and to the rules said in loops."""

import random
from collections import defaultdict

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from cdp_lib.transforms.identity.golden_id import assign_golden_ids, link_rows
from cdp_lib.transforms.identity.history import event_rows, resolve
from tests.unit.identity.steps import (
    clusters,
    day,
    EVENT_SCHEMA,
    frame,
    hash_of,
    History,
    LINK_SCHEMA,
    run_identity,
)

TOWNS = 60
"""Separate worlds told in one frame, so that few Spark jobs try many histories."""
DAYS = 5


def _random_days(seed):
    """Per day the groups of all towns: records come, go, and fall into groups that mostly resemble yesterday's."""
    chance = random.Random(seed)
    group_of = {f"t{town}r{record}": chance.randrange(4) for town in range(TOWNS) for record in range(6)}
    days = []
    for _ in range(DAYS):
        for record in sorted(group_of):
            luck = chance.random()
            if luck < 0.25:
                group_of[record] = chance.randrange(4)
            elif luck < 0.30:
                del group_of[record]
        for town in range(TOWNS):
            group_of.setdefault(f"t{town}r{chance.randrange(9)}", chance.randrange(4))
        groups = defaultdict(list)
        for record, group in group_of.items():
            groups[record.split("r")[0], group].append(record)
        days.append([" ".join(sorted(group)) for group in groups.values()])
    return days


def _founded(events):
    """The day of each id's first record."""
    founded = {}
    for event in events:
        new = event["golden_id"] if event["event_type"] == "assign" else event["into_golden_id"]
        founded[new] = min(founded.get(new, event["occurred_at"]), event["occurred_at"])
    return founded


def _keepers(former, founded, cluster_of):
    """Per cluster the former ids that stay with it: (founded, id, founding record)."""
    records_of = defaultdict(list)
    for record, link in former.items():
        records_of[link["golden_id"]].append(record)
    claims = defaultdict(list)
    for golden_id, records in records_of.items():
        parts = defaultdict(list)
        for record in records:
            if record in cluster_of:
                parts[cluster_of[record]].append(hash_of(record))
        founding = former[records[0]]["founding_record"]
        if parts:
            best = min(parts, key=lambda part: (-len(parts[part]), founding not in parts[part], min(parts[part])))
            claims[best].append((founded[golden_id], golden_id, founding))
    return claims


def _by_the_rules(groups, history):
    """record -> golden_id; None where every record's own id was given out before."""
    former = {link["source_record_id"]: link for link in history.links}
    cluster_of = {record: group for group in groups for record in group.split()}
    claims = _keepers(former, _founded(history.events), cluster_of)
    ended = {event["golden_id"] for event in history.events if event["event_type"] in ("merge", "retire")}
    used = ended | {link["golden_id"] for link in history.links}
    given = {}
    for group in groups:
        free = sorted(hash_of(record)[:32] for record in group.split() if hash_of(record)[:32] not in used)
        golden_id = min(claims[group])[1] if claims[group] else (free or [None])[0]
        given |= dict.fromkeys(group.split(), golden_id)
    return given


def _ever_given(history):
    named = {event[column] for event in history.events for column in ("golden_id", "into_golden_id")}
    return named - {None}


def _check_day(groups, before, after):
    expected = _by_the_rules(groups, before)
    ids = after.ids()
    assert len(after.links) == len(ids)
    assert {record: golden_id for record, golden_id in ids.items() if expected[record]} == {
        record: golden_id for record, golden_id in expected.items() if golden_id
    }
    assert set(ids) == set(expected)
    assert all(len({ids[record] for record in group.split()}) == 1 for group in groups)
    assert len(set(ids.values())) == len(groups)
    given_before = _ever_given(before)
    nobody_free = {ids[record] for record, golden_id in expected.items() if golden_id is None}
    assert not nobody_free & given_before
    event_ids = [event["identity_event_id"] for event in after.events]
    assert len(event_ids) == len(set(event_ids))


@pytest.mark.parametrize("seed", [1, 2])
def test_random_days_follow_the_rules_and_every_old_id_resolves(spark, seed):
    history = History()
    for number, groups in enumerate(_random_days(seed), start=1):
        before, history = history, run_identity(spark, groups, history, number)
        _check_day(groups, before, history)

    living = set(history.ids().values())
    ever = sorted(_ever_given(history))
    asked = spark.createDataFrame([(golden_id,) for golden_id in ever], "golden_id string")
    events = frame(spark, history.events, EVENT_SCHEMA)
    today = {row.golden_id: row.current_golden_id for row in resolve(events, asked).collect()}
    assert set(today) == set(ever)
    assert {current for current in today.values() if current} == living
    assert all(today[golden_id] == golden_id for golden_id in living)


def test_new_records_change_no_id_of_people_they_do_not_touch(spark):
    known = [group for group in _random_days(3)[0] if len(group.split()) > 1]
    once = run_identity(spark, known, History(), 1)
    joined = [f"{known[0]} n1", *known[1:], "n2 n3", "n4"]

    more = run_identity(spark, joined, once, 2)

    assert {record: golden_id for record, golden_id in more.ids().items() if record in once.ids()} == once.ids()
    assert {event["source_record_id"] for event in more.new_events} == {"n1", "n2", "n3", "n4"}


@pytest.mark.parametrize("partitions", [1, 7])
def test_row_order_and_partitions_change_neither_links_nor_events(spark, partitions):
    first, second, *_ = _random_days(4)
    history = run_identity(spark, first, History(), 1)
    previous, events = frame(spark, history.links, LINK_SCHEMA), frame(spark, history.events, EVENT_SCHEMA)

    def run(now, links, told):
        assigned = assign_golden_ids(now, links, told, run_id="run-2")
        return link_rows(assigned, day(2)), event_rows(assigned, told, run_id="run-2", occurred_at=day(2))

    def shuffled(rows):
        return rows.orderBy(F.rand(seed=partitions)).repartition(partitions)

    plain = run(clusters(spark, second), previous, events)
    stirred = run(shuffled(clusters(spark, second)), shuffled(previous), shuffled(events))

    for one, other in zip(plain, stirred, strict=True):
        assert_df_equality(one, other, ignore_row_order=True, ignore_nullable=True)
