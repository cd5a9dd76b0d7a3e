"""A single view kept up day by day equals one computed anew, whatever happens to facts, people and clocks."""

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from cdp_lib.contracts.identity import GOLDEN_RECORD
from cdp_lib.transforms.customer.single_view import carry_over, finish_view, observe, single_view
from cdp_lib.transforms.customer.touched import FactChanges, Snapshot, touched_customers
from cdp_lib.transforms.customer.traits import facts_of_people
from tests.builders import rows
from tests.unit.customer.shop import pack_of, trait

ZONE = "America/New_York"
PACK = pack_of(
    trait("count_3d", "count(*)", window="3d"),
    trait("amount_10d", "sum(paid_amount)", window="10d"),
    trait("favourite_store_10d", "most_frequent(store_id)", window="10d"),
    trait("last_store", "last(store_id)"),
    trait("store_path", "list(store_id)"),
    trait("event_count_5d", "count(*)", "event", window="5d"),
    trait("value_10d", "sum(value)", "event", window="10d", where="channel = 'app'"),
    trait("first_letter", "left(first_name, 1)", "golden_record", type="string"),
    trait("recency_days", "datediff(as_of_date, to_date(last_order_at))", "customer", type="int"),
    trait("average_amount", "ratio(total_amount, order_count)", "customer", type="decimal(18,2)"),
    time_zone=ZONE,
)
FACTS = {
    "order": "source_system string, order_id string, person_id string, ordered_at timestamp, "
    "paid_amount decimal(18,2), store_id string",
    "event": "source_system string, event_id string, person_id string, event_at timestamp, "
    "value double, channel string",
}
FIRST_DAY = date(2025, 3, 1)
Fact = tuple[Any, ...]


@dataclass
class World:
    """Everything as the lakehouse holds it on one day."""

    as_of: date
    owners: dict[str, str] = field(default_factory=dict)
    """Record: golden_id."""
    names: dict[str, str] = field(default_factory=dict)
    """golden_id: first name."""
    facts: dict[str, dict[str, Fact]] = field(default_factory=lambda: {"order": {}, "event": {}})


class Fate:
    """Draws what happens from one day to the next."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.ids = 0

    def next_day(self, world: World, steps: int) -> World:
        tomorrow = deepcopy(world)
        tomorrow.as_of += timedelta(days=steps)
        deeds: list[Callable[[World], None]] = [
            self.new_person, self.merge, self.split, self.rename, self.lose_all_facts, self.erase,
        ]  # fmt: skip
        for deed in self.draw.sample(deeds, 2):
            deed(tomorrow)
        for _ in range(4):
            self.draw.choice([self.new_fact, self.new_fact, self.new_fact, self.move_fact, self.drop_fact])(tomorrow)
        return tomorrow

    def fresh(self, prefix: str) -> str:
        self.ids += 1
        return f"{prefix}{self.ids}"

    def new_person(self, world: World) -> None:
        golden_id = self.fresh("g")
        world.owners[self.fresh("r")] = golden_id
        world.names[golden_id] = self.draw.choice("ABC")

    def merge(self, world: World) -> None:
        kept, lost = self.draw.sample(sorted(world.names), 2)
        world.owners = {record: kept if owner == lost else owner for record, owner in world.owners.items()}
        del world.names[lost]

    def split(self, world: World) -> None:
        record = self.draw.choice(sorted(world.owners))
        if list(world.owners.values()).count(world.owners[record]) > 1:
            world.owners[record] = self.fresh("g")
            world.names[world.owners[record]] = "S"

    def rename(self, world: World) -> None:
        world.names[self.draw.choice(sorted(world.names))] = self.draw.choice("ABCDEF")

    def erase(self, world: World) -> None:
        erased = self.draw.choice(sorted(world.names))
        del world.names[erased]
        world.owners = {record: owner for record, owner in world.owners.items() if owner != erased}

    def lose_all_facts(self, world: World) -> None:
        person = self.draw.choice(sorted(world.owners))
        for entity, facts in world.facts.items():
            heir = self.draw.choice([None, *sorted(world.owners)])
            world.facts[entity] = {k: (*f[:2], heir, *f[3:]) if f[2] == person else f for k, f in facts.items()}

    def new_fact(self, world: World) -> None:
        entity = self.draw.choice(["order", "event"])
        key = self.fresh(entity)
        days = self.draw.choice([0, 0, 0, -1, -2, -4, -8, -12, 1, 2])
        midnight = datetime(world.as_of.year, world.as_of.month, world.as_of.day, tzinfo=ZoneInfo(ZONE))
        at = midnight + timedelta(days=days, minutes=self.draw.choice([0, 1, 150, 720, 1439]))
        figures = (
            (Decimal(self.draw.randrange(1, 999)) / 100, self.draw.choice(["s1", "s2", None]))
            if entity == "order"
            else (self.draw.choice([0.1, 0.2, 0.7]), self.draw.choice(["app", "web", None]))
        )
        person = self.draw.choice([None, *sorted(world.owners)])
        world.facts[entity][key] = ("till", key, person, at, *figures)

    def move_fact(self, world: World) -> None:
        self._change(world, lambda fact: (*fact[:2], self.draw.choice([None, *sorted(world.owners)]), *fact[3:]))

    def drop_fact(self, world: World) -> None:
        self._change(world, lambda fact: None)

    def _change(self, world: World, change: Callable[[Fact], Fact | None]) -> None:
        facts = world.facts[self.draw.choice(["order", "event"])]
        if facts:
            key = self.draw.choice(sorted(facts))
            changed = change(facts.pop(key))
            if changed is not None:
                facts[key] = changed


class Lakehouse:
    """A world as frames."""

    def __init__(self, spark: SparkSession, world: World) -> None:
        links = [("till", record, owner) for record, owner in world.owners.items()]
        self.links = spark.createDataFrame(links, "source_system string, source_record_id string, golden_id string")
        self.golden_records = rows(
            spark,
            GOLDEN_RECORD,
            *[{"golden_id": id_, "first_name": name, "_record_hash": name} for id_, name in world.names.items()],
        )
        plain = {entity: spark.createDataFrame(list(world.facts[entity].values()), FACTS[entity]) for entity in FACTS}
        self.facts = {entity: facts_of_people(plain[entity], self.links) for entity in FACTS}
        self.snapshot = Snapshot(world.as_of, self.links, self.golden_records)


def changed_versions(spark: SparkSession, last: World, now: World, entity: str) -> DataFrame:
    old, new = last.facts[entity], now.facts[entity]
    different = [key for key in old.keys() | new.keys() if old.get(key) != new.get(key)]
    versions = [facts[key] for key in different for facts in (old, new) if key in facts]
    return spark.createDataFrame(versions, FACTS[entity])


def sorted_rows(frame: DataFrame) -> list[Row]:
    return sorted(frame.collect(), key=lambda row: str(row["golden_id"]))


def start(fate: Fate) -> World:
    world = World(FIRST_DAY)
    for _ in range(10):
        fate.new_person(world)
    for _ in range(25):
        fate.new_fact(world)
    return world


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_view_kept_up_daily_equals_one_computed_anew(spark: SparkSession, seed: int) -> None:
    fate = Fate(seed)
    world = start(fate)
    before = Lakehouse(spark, world)
    full = single_view(before.golden_records, before.facts, PACK, as_of=world.as_of)
    previous = sorted_rows(full)
    carried_rows = 0
    for step in (1, 1, 1, 0, 1, 1, 1, 1, 3, 1, -2, 1, 1, 5, 1, 1):
        tomorrow = fate.next_day(world, step)
        now = Lakehouse(spark, tomorrow)
        changes = {
            entity: FactChanges(now.facts[entity], changed_versions(spark, world, tomorrow, entity)) for entity in FACTS
        }
        found = touched_customers(before.snapshot, now.snapshot, changes, PACK).collect()
        touched = spark.createDataFrame(found, "golden_id string")
        records = now.golden_records.join(touched, on="golden_id", how="left_semi")
        facts = {entity: frame.join(touched, on="golden_id", how="left_semi") for entity, frame in now.facts.items()}
        observed = observe(records, facts, PACK, as_of=tomorrow.as_of)
        known = carry_over(spark.createDataFrame(previous, full.schema), touched, observed)
        kept_up = sorted_rows(finish_view(known, PACK, as_of=tomorrow.as_of))
        anew = sorted_rows(single_view(now.golden_records, now.facts, PACK, as_of=tomorrow.as_of))
        assert kept_up == anew, f"seed {seed}, as of {tomorrow.as_of}"
        carried_rows += len(tomorrow.names) - len({row["golden_id"] for row in found} & tomorrow.names.keys())
        world, before, previous = tomorrow, now, kept_up
    assert carried_rows > 20, "nearly everyone was touched every day: the test proves little"
