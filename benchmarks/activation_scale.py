"""A list of many members kept in step by difference: planned, staged and handed over, after a first full plan.

    python -m benchmarks.activation_scale [--members 100000] [--json]

Half a percent leaves, half a percent enters, and two in a thousand of those who stay have another address. What is
planned must be exactly that, or the benchmark fails. Tables are Parquet files; the channel counts and takes everything.
Left out: Delta, what lists were told before (ops.list_entry), and the commits of outcomes into ops.delivery.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, UTC
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, functions as F, SparkSession

from benchmarks.measure import Cost, load, measured, Result, tell
from cdp_lib.connectors.courier import Courier
from cdp_lib.connectors.meta_audience import KIND
from cdp_lib.connectors.protocol import Batch, Outcome, Receipt
from cdp_lib.contracts import activation, gold, silver
from cdp_lib.contracts.table import Table
from cdp_lib.io.journal import IntentJournal
from cdp_lib.io.local_rows import local_rows
from cdp_lib.io.session import build_session
from cdp_lib.io.staging import staged, StagedRows
from cdp_lib.settings.pack import assemble_pack, Document, Pack
from cdp_lib.settings.settings import Settings
from cdp_lib.transforms.activation.plan import plan
from cdp_lib.transforms.activation.recipients import recipients
from cdp_lib.transforms.activation.ways import Moment, PlanInputs
from jobs.activation.rendering import writer_of
from jobs.activation.ways import ways_of

ENTERING, MOVED = 200, 500
"""One member in so many leaves, and another enters; one in so many of all has another address."""

HEAP = "5g"
SPARK = {"master": "local[2]", "driver_memory": HEAP, "shuffle_partitions": 16}
AS_OF = date(2025, 1, 31)
FIRST = Moment(AS_OF, datetime(2025, 2, 1, 9, tzinfo=UTC), "first", "pepper")
SECOND = Moment(AS_OF + timedelta(days=1), FIRST.at + timedelta(days=1), "second", "pepper")
_SENDS = "activation_id string, golden_id string, occasion string, due_date date"
_TRAVELLERS = "activation_id string, golden_id string, due_date date"


def small_pack() -> Pack:
    """One audience, kept in step at one place for advertisements; consent is asked for."""
    bodies: list[dict[str, Any]] = [
        {"kind": "pack", "id": "benchmark", "currency": "USD", "time_zone": "UTC"},
        {
            "kind": "source", "id": "till", "read": {"format": "csv", "path": "*"}, "key": ["id"],
            "columns": {"id": {"type": "string"}},
        },
        {"kind": "trait", "name": "orders", "from": "order", "select": "count(*)"},
        {"kind": "audience", "id": "club", "where": {"trait": "orders", "gte": 1}},
        {
            "kind": "destination", "id": "ads", "connector": "meta_audience",
            "settings": {"audience_id": "1", "access_token": "token-of-nobody"},
        },
        {"kind": "activation", "id": "sync", "audience": "club", "destination": "ads", "holdout_share": 0.0},
    ]  # fmt: skip
    return assemble_pack([Document("benchmark", place, body) for place, body in enumerate(bodies)], where="benchmark")


@dataclass(frozen=True)
class World:
    """Files below a folder. The first `members` customers are on the list first, as many from `leaving` on after it."""

    spark: SparkSession
    folder: Path
    pack: Pack
    members: int

    @property
    def leaving(self) -> int:
        """How many leave, and how many enter."""
        return self.members // ENTERING

    @property
    def moved(self) -> int:
        """How many of those who stay have another address: ids of one residue, apart from both ends."""
        return len(range(self.leaving, self.members, MOVED))

    def read(self, name: str) -> DataFrame:
        return self.spark.read.parquet(str(self.folder / name))

    def write(self) -> None:
        """Customers before and after, members before and after, and everybody's consent."""
        known = self.spark.range(self.members + self.leaving)
        stays = (F.col("id") >= self.leaving) & (F.col("id") < self.members)
        is_moved = stays & ((F.col("id") - self.leaving) % MOVED == 0)
        moved_to = F.when(is_moved, F.lit("moved")).otherwise(F.lit("person"))
        customers = gold.customer(self.pack)
        self._put("customers_first", customers, known, _person(F.lit("person")))
        self._put("customers_second", customers, known, _person(moved_to))
        everybody = {"audience_id": F.lit("club"), "golden_id": _golden_id()}
        dates = {"as_of_date": F.lit(AS_OF), "entered_date": F.lit(AS_OF)}
        first = known.where(F.col("id") < self.members)
        self._put("members_first", activation.AUDIENCE_MEMBER, first, {**everybody, **dates, "status": F.lit("stay")})
        state = F.when(stays, "stay").when(F.col("id") < self.leaving, "exit").otherwise("enter")
        self._put("members_second", activation.AUDIENCE_MEMBER, known, {**everybody, **dates, "status": state})
        consent = {
            "consent_id": F.col("id").cast("string"),
            "source_system": F.lit("till"),
            "purpose": F.lit("marketing"),
            "channel": F.lit("any"),
            "status": F.lit("granted"),
            "decided_at": F.lit(FIRST.at - timedelta(days=30)),
        }
        self._put("consents", silver.CONSENT, known, consent, golden_id=_golden_id())
        bounced = {
            "golden_id": _golden_id(),
            "channel": F.lit("email"),
            "reason": F.lit("bounced"),
            "suppressed_at": F.lit(FIRST.at),
        }
        self._put("suppressions", activation.SUPPRESSION, known.where(F.col("id") % 100 == 0), bounced)
        self._put("no_deliveries", activation.DELIVERY, known.limit(0), {})
        self._put("no_entries", activation.LIST_ENTRY, known.limit(0), {})

    def inputs(self, day: str, deliveries: str) -> PlanInputs:
        return PlanInputs(
            customers=self.read(f"customers_{day}"),
            members=self.read(f"members_{day}"),
            journey_sends=local_rows(self.spark, _SENDS),
            journey_members=local_rows(self.spark, _TRAVELLERS),
            consents=self.read("consents"),
            suppressions=self.read("suppressions"),
            deliveries=self.read(deliveries),
            entries=self.read("no_entries"),
        )

    @property
    def plan_folder(self) -> Path:
        """Where a plan is staged."""
        return self.folder / "plan"

    def note(self) -> None:
        """Everything staged as ops.delivery has it once the channel took it: planned, sent, accepted."""
        intents = self.spark.read.parquet(str(self.plan_folder)).where(F.col("decision") == "to_send")
        states = F.explode(F.array(*[F.lit(state) for state in ("planned", "sent", "accepted")])).alias("status")
        told = {"run_id": F.lit(FIRST.run_id), "attempt": F.lit(1), "recorded_at": F.col("planned_at")}
        self._put("deliveries", activation.DELIVERY, intents.select("*", states), told)

    def _put(self, name: str, table: Table, rows: DataFrame, given: Mapping[str, Column], **more: Column) -> None:
        """Rows of the table with what is given or already there; all else is null."""
        known = {**{one: F.col(one) for one in rows.columns if one in table.column_names}, **given}
        columns = [known.get(one.name, F.lit(None)).cast(one.dataType).alias(one.name) for one in table.schema().fields]
        added = [value.alias(one) for one, value in more.items() if one not in table.column_names]
        rows.select(*columns, *added).write.parquet(str(self.folder / name))


def _golden_id() -> Column:
    return F.sha2(F.col("id").cast("string"), 256).substr(1, 32)


def _person(mailbox: Column) -> dict[str, Column]:
    number = F.col("id").cast("string")
    return {
        "golden_id": _golden_id(),
        "email": F.concat(mailbox, number, F.lit("@example.com")),
        "phone": F.concat(F.lit("+668"), F.lpad(number, 8, "0")),
        "first_name": F.concat(F.lit("First"), number),
        "last_name": F.concat(F.lit("Last"), number),
        "birth_date": F.date_add(F.lit(date(1950, 1, 1)), (F.col("id") % 18_000).cast("int")),
        "city": F.concat(F.lit("City "), (F.col("id") % 300).cast("string")),
        "postcode": F.lpad((F.col("id") % 90_000).cast("string"), 5, "0"),
        "order_count": F.lit(3),
    }


@dataclass
class Counting:
    """A channel that takes everything."""

    operations: Counter[str] = field(default_factory=Counter)
    requests: int = 0

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """Everybody is accepted."""
        self.requests += 1
        self.operations[batch.operation] += len(batch.items)
        return Receipt(tuple(Outcome(item.intent_id, "accepted") for item in batch.items))

    def close(self) -> None:
        """Nothing is held."""


@contextmanager
def planned(world: World, day: str, deliveries: str, moment: Moment) -> Iterator[tuple[StagedRows, Cost]]:
    """The plan of that day on disk, and what it cost to get it there."""
    with ExitStack() as stack:
        with measured() as cost:
            frame = plan(world.inputs(day, deliveries), ways_of(world.pack), world.pack, moment)
            rows = stack.enter_context(staged(frame, str(world.plan_folder)))
        yield rows, cost


def first_plan(world: World) -> Iterator[Result]:
    """Everybody is added; the ledger then says that they were."""
    with planned(world, "first", "no_deliveries", FIRST) as (rows, cost):
        _hold(rows, {("add", "to_send"): world.members})
        size = sum(file.stat().st_size for file in world.plan_folder.glob("*.parquet")) / 2**20
        world.note()
    yield from _costs(world, "first plan", cost)
    yield _result(world, "first plan, staging", size, "MiB")


def difference(world: World) -> Iterator[Result]:
    """The day after: exactly what changed is planned, and handed over."""
    with planned(world, "second", "deliveries", SECOND) as (rows, cost):
        as_wanted = world.members - world.leaving - world.moved
        change = Counter(
            {
                ("remove", "to_send"): world.leaving,
                ("add", "to_send"): world.leaving,
                ("update", "to_send"): world.moved,
            }
        )
        _hold(rows, {**change, ("add", "sent_before"): as_wanted})
        intents = (
            world.spark.read.parquet(str(world.plan_folder)).where(F.col("decision") == "to_send").localCheckpoint()
        )
    yield from _costs(world, "second plan", cost)
    yield _result(world, "second plan, intents", change.total(), "intents")
    channel = Counting()
    with measured() as cost:
        hand_over(world, intents, channel)
    if channel.operations != {operation: count for (operation, _), count in change.items()}:
        raise SystemExit(f"activation_scale: handed over {dict(channel.operations)}, wanted {dict(change)}")
    yield from _costs(world, "hand over", cost)


def hand_over(world: World, intents: DataFrame, channel: Counting) -> None:
    """As the activation job does it: staged with each customer's details, made items, sent and journalled."""
    (way,) = ways_of(world.pack)
    told = recipients(world.read("customers_second"), way, world.pack.messages, None, world.pack)
    writer = writer_of(world.pack, SECOND.salt)
    before = F.lit(None).cast("array<map<string,string>>").alias("told_before")
    outgoing = intents.join(told, "golden_id", "left").select("*", before)
    with staged(outgoing, str(world.folder / "out")) as rows, IntentJournal(world.folder / "journal") as journal:
        courier = Courier(
            replace(KIND, limits=replace(KIND.limits, per_second=1e9)),
            channel,
            journal,
            stop=lambda: None,
            clock=lambda: datetime.now(UTC),
            sleep=time.sleep,
        )
        for operation in ("remove", "add", "update"):
            items = (writer.item(row) for row in rows.rows({"operation": operation}))
            for _ in courier.deliver(items, operation=operation, campaign=way.activation.id):
                pass


def _hold(rows: StagedRows, wanted: Mapping[tuple[str, str], int]) -> None:
    found = {(row["operation"], row["decision"]): row["count"] for row in rows.counts("operation", "decision")}
    if found != wanted:
        raise SystemExit(f"activation_scale: planned {found}, wanted {dict(wanted)}")


def _costs(world: World, what: str, cost: Cost) -> Iterator[Result]:
    yield _result(world, f"{what}, time", cost.seconds, "s")
    yield _result(world, f"{what}, CPU", cost.cpu_seconds, "CPU s")


def _result(world: World, metric: str, figure: float, unit: str) -> Result:
    return Result("activation_scale", f"{world.members:,} members", metric, figure, None, None, unit, load())


def main(arguments: list[str] | None = None) -> int:
    """Plan, change, plan, hand over, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--scratch", type=Path, default=None, help="folder for the files; the system's when left out")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="cdp-activation-", dir=options.scratch) as scratch:
        settings = Settings.model_validate({"spark": SPARK | {"local_dir": f"{scratch}/spark"}})
        spark = build_session(settings, app_name="benchmark activation")
        world = World(spark, Path(scratch), small_pack(), options.members)
        world.write()
        results = [*first_plan(world), *difference(world)]
        spark.stop()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results.append(_result(world, f"most memory of the driver's Python (JVM heap {HEAP})", own, "MiB"))
    tell(results, as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
