"""What planning starts from: the ways to a customer, the tables it reads, and the moment it is done at.

Ways are few and known to the planner, so their facts travel inside the query as constants: no join is made for them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, UTC
from typing import Literal

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.activation import Activation, CONTACT_CHANNELS, EVERYBODY, HOLDOUT, Offer
from cdp_lib.settings.audience import days_in
from cdp_lib.settings.pack import Pack

DEFAULT_PURPOSE = "marketing"
"""What customers must have agreed to where neither the activation nor an audience says it."""


@dataclass(frozen=True)
class Way:
    """An activation and how its destination's connector reaches people."""

    activation: Activation
    channel: str
    mode: Literal["message", "audience", "record"]
    needs_address: bool = True
    address: str | None = None
    """SQL over the single view; null: the channel needs none, or nobody can be reached."""
    operations: tuple[str, ...] = ("send",)
    is_rebuilt: bool = False
    """The list can only be taken anew, because the channel removes nobody alone; `remove` then empties it."""

    @property
    def is_contact(self) -> bool:
        """Whether it reaches for a person: quiet hours, caps and the global holdout concern it."""
        return self.mode == "message" and self.channel in CONTACT_CHANNELS

    @property
    def is_synced(self) -> bool:
        """Whether a list is kept in step with an audience, or with who is on a journey that put them on it."""
        return self.mode == "audience"

    @property
    def first_operation(self) -> str:
        """What the channel is asked for when a customer is new to it."""
        return "add" if self.is_synced else self.operations[0]

    @property
    def change_operation(self) -> str:
        """What it is asked for when a customer of the list changed."""
        return "update" if "update" in self.operations else "add"


@dataclass(frozen=True)
class PlanInputs:
    """The tables that a plan is made of; every golden_id is today's."""

    customers: DataFrame
    """The single view with scores, one row per golden_id."""
    members: DataFrame
    """gold.audience_member."""
    journey_sends: DataFrame
    """activation_id, golden_id, occasion, due_date: what journeys ask for."""
    journey_members: DataFrame
    """activation_id, golden_id, due_date: who is on a journey that has passed a step which sends that, since when."""
    consents: DataFrame
    """silver.consent with golden_id."""
    suppressions: DataFrame
    """silver.suppression."""
    deliveries: DataFrame
    """ops.delivery."""
    entries: DataFrame
    """ops.list_entry."""
    golden_records: DataFrame
    """silver.golden_record: which source told the mailbox or number."""


@dataclass(frozen=True)
class Moment:
    """When it is planned: the last day that audiences know, and the instant of sending."""

    as_of: date
    at: datetime
    """UTC."""
    run_id: str
    salt: str = field(default="", repr=False)
    """Secret that makes offer codes unguessable; the same salt gives the same codes."""


def way_facts(ways: Sequence[Way], pack: Pack) -> Column:
    """An array of structs, one for each way, without what differs by arm."""
    purposes = {audience.id: audience.purpose for audience in pack.audiences}
    return F.array(*[_facts(way, purposes) for way in ways])


def per_way(ways: Sequence[Way], value: Callable[[Way], Column]) -> Column:
    """For each row the value of the way that its `activation_id` names; null for any other."""
    cases = F.when(F.lit(False), value(ways[0]))
    for way in ways:
        cases = cases.when(F.col("activation_id") == way.activation.id, value(way))
    return cases


def offer_facts(way: Way, pack: Pack, moment: Moment) -> Column:
    """For each row, by its `arm`, a struct of the offer's facts; all of them null where no offer is made.

    Those who are held out are judged by the offer that they would have got.
    """
    offers = {offer.id: offer for offer in pack.offers}
    activation = way.activation
    by_arm = {arm.id: arm.offer or activation.offer for arm in activation.arms} or {EVERYBODY: activation.offer}
    by_arm[HOLDOUT] = activation.offer or next(iter(by_arm.values()))
    found = _offer(None, pack, moment)
    for arm, offer_id in by_arm.items():
        offer = offers[offer_id] if offer_id is not None else None
        if offer is not None:
            found = F.when(F.col("arm") == arm, _offer(offer, pack, moment)).otherwise(found)
    return found


def _facts(way: Way, purposes: dict[str, str]) -> Column:
    activation = way.activation
    purpose = activation.purpose or purposes.get(activation.audience or "", DEFAULT_PURPOSE)
    repeat_days = None if activation.repeat_after is None else days_in(activation.repeat_after)
    return F.struct(
        F.lit(activation.id).alias("activation_id"),
        F.lit(activation.audience).cast("string").alias("audience_id"),
        F.lit(activation.destination).alias("destination"),
        F.lit(way.channel).alias("channel"),
        F.lit(purpose).alias("purpose"),
        F.lit(activation.needs_consent).alias("needs_consent"),
        F.lit(activation.priority).alias("priority"),
        F.lit(repeat_days).cast("int").alias("repeat_days"),
        F.lit(days_in(activation.send_within)).alias("send_days"),
        F.lit(way.first_operation).alias("first_operation"),
        F.lit(way.change_operation).alias("change_operation"),
        F.lit("remove" in way.operations and not way.is_rebuilt).alias("can_remove"),
        F.lit("remove" in way.operations and way.is_rebuilt).alias("can_empty"),
        F.lit(way.is_synced).alias("is_synced"),
        F.lit(way.is_rebuilt).alias("is_rebuilt"),
        F.lit(way.is_contact).alias("is_contact"),
        F.lit(way.needs_address).alias("needs_address"),
    )


def _offer(offer: Offer | None, pack: Pack, moment: Moment) -> Column:
    starts = ends = until = None
    if offer is not None:
        starts, ends = _instant(offer.starts_at, pack), _instant(offer.ends_at, pack)
        lives_until = None if offer.valid_hours is None else moment.at + timedelta(hours=offer.valid_hours)
        until = min((one for one in (ends, lives_until) if one is not None), default=None)
    is_closed = (starts is not None and moment.at < starts) or (ends is not None and moment.at >= ends)
    return F.struct(
        F.lit(None if offer is None else offer.id).cast("string").alias("offer_id"),
        F.lit(is_closed).alias("is_closed"),
        F.lit(starts).cast("timestamp").alias("valid_from"),
        F.lit(until).cast("timestamp").alias("valid_until"),
        F.lit(None if offer is None else offer.code.shared).cast("string").alias("shared"),
        F.lit("" if offer is None else offer.code.prefix).alias("prefix"),
    )


def _instant(local: datetime | None, pack: Pack) -> datetime | None:
    """The instant of a wall clock time of the pack's zone; one that names its own zone keeps it."""
    if local is None:
        return None
    return (local if local.tzinfo is not None else local.replace(tzinfo=pack.info.zone)).astimezone(UTC)
