"""A small shop that writes to its customers: people, audiences, ways and what was sent before, told in few words."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, UTC
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession, types as T

from cdp_lib.contracts import activation as tables
from cdp_lib.contracts.gold import customer
from cdp_lib.contracts.identity import GOLDEN_RECORD
from cdp_lib.contracts.silver import CONSENT
from cdp_lib.settings.activation import Activation
from cdp_lib.settings.pack import assemble_pack, Document, Pack
from cdp_lib.transforms.activation.plan import plan
from cdp_lib.transforms.activation.ways import Moment, PlanInputs, Way
from tests.builders import rows
from tests.unit.customer.shop import SOURCE

AS_OF = date(2025, 1, 31)
AT = datetime(2025, 2, 1, 9, 0, tzinfo=UTC)
MOMENT = Moment(AS_OF, AT, "run-1", "pepper")
_TRAVELLERS = "activation_id string, golden_id string, due_date date"
_SENDS = "activation_id string, golden_id string, occasion string, due_date date"

_PLANNED: dict[str, list[dict[str, Any]]] = {}
"""The rows planned already, by world and ways: Spark takes four seconds to plan a plan, whatever its rows."""


def pack_of(*documents: Mapping[str, Any], zone: str = "UTC") -> Pack:
    info = {"kind": "pack", "id": "shop", "currency": "USD", "time_zone": zone}
    zone_trait = {"kind": "trait", "name": "zone", "from": "customer", "select": "city", "type": "string"}
    bodies = [info, SOURCE, zone_trait, *documents]
    return assemble_pack([Document("shop.yml", place, body) for place, body in enumerate(bodies)], where="shop")


def activation(name: str = "hello", **more: Any) -> Activation:
    settings = {"audience": "club", "destination": "post", "needs_consent": False, "holdout_share": 0.0}
    return Activation.model_validate({"kind": "activation", "id": name, **settings, **more})


def message_way(name: str = "hello", channel: str = "email", address: str = "email", **more: Any) -> Way:
    return Way(activation(name, **more), channel, "message", True, address, ("send",))


def list_way(name: str = "ads", operations: tuple[str, ...] = ("add", "update", "remove"), **more: Any) -> Way:
    is_rebuilt = "update" not in operations
    return Way(activation(name, **more), "ads", "audience", True, "email", operations, is_rebuilt)


def member(golden_id: str, **more: Any) -> dict[str, Any]:
    given = {"audience_id": "club", "golden_id": golden_id, "status": "stay", "entered_date": date(2025, 1, 10)}
    return {**given, **more}


@dataclass(frozen=True)
class World:
    """What a plan is made of; a test replaces what it is about."""

    spark: SparkSession = field(repr=False)
    people: tuple[Mapping[str, Any], ...] = ({"golden_id": "g1", "email": "g1@example.com"},)
    members: tuple[Mapping[str, Any], ...] = (member("g1"),)
    sends: tuple[tuple[Any, ...], ...] = ()
    travellers: tuple[tuple[Any, ...], ...] = ()
    """activation_id, golden_id, due_date of who is on a journey."""
    consents: tuple[Mapping[str, Any], ...] = ()
    suppressions: tuple[Mapping[str, Any], ...] = ()
    deliveries: tuple[Mapping[str, Any], ...] = ()
    entries: tuple[Mapping[str, Any], ...] = ()
    golden_records: tuple[Mapping[str, Any], ...] = ()
    pack: Pack = field(default_factory=pack_of)
    moment: Moment = MOMENT

    def but(self, **changed: Any) -> "World":
        return replace(self, **changed)

    def inputs(self) -> PlanInputs:
        consents = rows(self.spark, CONSENT, *[_without_id(one) for one in self.consents]).collect()
        ids = [one["golden_id"] for one in self.consents]
        with_id = T.StructType([*CONSENT.schema().fields, T.StructField("golden_id", T.StringType())])
        told = [(*row, golden_id) for row, golden_id in zip(consents, ids, strict=True)]
        return PlanInputs(
            customers=rows(self.spark, customer(self.pack), *self.people),
            members=rows(self.spark, tables.AUDIENCE_MEMBER, *self.members),
            journey_sends=self.spark.createDataFrame(list(self.sends), _SENDS),
            journey_members=self.spark.createDataFrame(list(self.travellers), _TRAVELLERS),
            consents=self.spark.createDataFrame(told, with_id),
            suppressions=rows(self.spark, tables.SUPPRESSION, *self.suppressions),
            deliveries=rows(self.spark, tables.DELIVERY, *self.deliveries),
            entries=rows(self.spark, tables.LIST_ENTRY, *self.entries),
            golden_records=rows(self.spark, GOLDEN_RECORD, *self.golden_records),
        )

    def plan(self, *ways: Way) -> DataFrame:
        return plan(self.inputs(), ways, self.pack, self.moment)

    def planned(self, *ways: Way) -> list[dict[str, Any]]:
        """Rows in order of activation, person and operation."""
        # A moment does not show its salt.
        asked = repr((self, self.moment.salt, ways))
        if asked not in _PLANNED:
            found = [row.asDict(recursive=True) for row in self.plan(*ways).collect()]
            found.sort(key=lambda row: (row["activation_id"], row["golden_id"], row["operation"]))
            _PLANNED[asked] = found
        return deepcopy(_PLANNED[asked])

    def decisions(self, *ways: Way) -> dict[tuple[str, str], str]:
        """(activation, person): decision."""
        found = self.planned(*ways)
        told = {(row["activation_id"], row["golden_id"]): row["decision"] for row in found}
        assert len(told) == len(found), "two rows for one person"
        return told

    def after(self, found: list[dict[str, Any]], status: str = "accepted", days: int = 0) -> "World":
        """The world `days` later, when what was to be sent ended so, and who was held out is noted."""
        noted = [
            recorded(row, "held_out" if row["decision"] == "held_out" else status)
            for row in found
            if row["decision"] in ("to_send", "held_out")
        ]
        passed = timedelta(days=days)
        later = replace(self.moment, as_of=self.moment.as_of + passed, at=self.moment.at + passed)
        return self.but(deliveries=(*self.deliveries, *noted), moment=later)


def recorded(row: Mapping[str, Any], status: str) -> dict[str, Any]:
    """A planned row as ops.delivery has it."""
    kept = {name: row[name] for name in row if name in tables.DELIVERY.column_names}
    at = row["planned_at"].replace(tzinfo=UTC)
    return {**kept, "status": status, "attempt": 1, "planned_at": at, "recorded_at": at + timedelta(minutes=1)}


def delivery(golden_id: str, status: str = "accepted", **more: Any) -> dict[str, Any]:
    """One state of an intent of `hello`, planned the day before."""
    planned = AT - timedelta(days=1)
    given = {
        "intent_id": f"{golden_id}-{more.get('activation_id', 'hello')}-{more.get('occasion', '')}",
        "activation_id": "hello",
        "channel": "email",
        "golden_id": golden_id,
        "operation": "send",
        "occasion": "entry:2025-01-10",
        "status": status,
        "planned_at": planned,
        "recorded_at": planned,
    }
    return {**given, **more}


def consent(golden_id: str | None, name: str, status: str, days_ago: int, **more: Any) -> dict[str, Any]:
    decided = AT - timedelta(days=days_ago)
    given = {"source_system": "crm", "consent_id": name, "purpose": "marketing", "channel": "email"}
    return {"golden_id": golden_id, **given, "status": status, "decided_at": decided, **more}


def _without_id(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "golden_id"}


@pytest.fixture
def world(spark: SparkSession) -> World:
    """One member of the club, g1, with an address; nothing else."""
    return World(spark)
