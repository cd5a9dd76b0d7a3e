"""What is sent to whom, and why the others get nothing: one decision for every candidate.

Nothing is sent here. The same inputs and the same moment give the same rows; what was planned before is not planned
again, and what was not sent for a reason that passes (quiet hours, a cap, a missing address) comes back by itself.
"""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts.activation import DECISIONS
from cdp_lib.errors import ConfigError
from cdp_lib.settings.activation import ContactPolicy, HOLDOUT
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.activation.assignment import arm_of, is_globally_held_out
from cdp_lib.transforms.activation.candidates import (
    list_members,
    occasions_of_journeys,
    occasions_of_members,
    wanted_on_lists,
    with_difference,
    with_turn,
)
from cdp_lib.transforms.activation.consent import consent_in_force, with_consent
from cdp_lib.transforms.activation.entries import entries_left, with_entries
from cdp_lib.transforms.activation.ledger import contacts_made, last_states
from cdp_lib.transforms.activation.offers import offer_code
from cdp_lib.transforms.activation.policy import is_quiet, next_quiet_start, with_caps
from cdp_lib.transforms.activation.recipients import address_of, payload_hashes
from cdp_lib.transforms.activation.suppression import with_suppression
from cdp_lib.transforms.activation.ways import Moment, offer_facts, per_way, PlanInputs, Way, way_facts
from cdp_lib.transforms.audience.rules import days_to_birthday
from cdp_lib.transforms.campaign.answers import ADDRESS_FIELDS

_NOTHING_PLANNED = ContactPolicy(kind="contact_policy")


def plan(inputs: PlanInputs, ways: Sequence[Way], pack: Pack, moment: Moment) -> DataFrame:
    """One row per candidate: what a destination would be told of a customer, and the `decision` about it.

    A candidate is a member whose activation sends something, a message that a journey asked for, or somebody who is to
    be on a list or is on it. The first of `contracts.activation.DECISIONS` that holds is the decision. Taking
    somebody off a list needs no consent and waits for nothing; it is decided `sent_before`, `to_send`, or `no_address`
    where neither the customer's address nor what the list was told is known. `consent` is null where none was needed.
    Offers and codes stand only where one is made to the customer; `expires_at` is the end of the offer, or, of what
    reaches for a person, when the customer's next quiet hours begin, if that is earlier. `address_record` is the record
    that told the mailbox or number. Raises ConfigError without a way.
    """
    if not ways:
        raise ConfigError(f"pack {pack.name}: nothing to plan. Write an activation.")
    policy = pack.contact_policy or _NOTHING_PLANNED
    states = last_states(inputs.deliveries)
    parts = []
    if any(not way.is_synced for way in ways):
        parts.append(_messages(inputs, states, ways, pack, moment))
    if any(way.is_synced for way in ways):
        on_lists = inputs.entries.join(entries_left(inputs.entries, states), "entry_id", "left_anti")
        facts = way_facts(ways, pack)
        members = with_entries(list_members(wanted_on_lists(inputs, facts, moment), states, facts), on_lists)
        parts.append(with_difference(_known(members, inputs, ways, pack, moment), ways, moment).drop(*_OF_LISTS))
    candidates = reduce(DataFrame.unionByName, parts)
    judged = _judged(candidates, ways, pack, moment)
    capped = with_caps(judged, contacts_made(states), policy.caps, at=moment.at)
    return _with_address_record(_planned(capped, policy, pack, moment), inputs.golden_records, ways)


def waterfall(planned: DataFrame) -> DataFrame:
    """One row per activation_id, operation and decision: `customer_count`. They sum to all candidates."""
    return planned.groupBy("activation_id", "operation", "decision").agg(F.count("*").alias("customer_count"))


_OF_LISTS = ("is_member", "is_listed", "is_open", "is_noted", "is_known_twice", "listed", "ended")


def _messages(inputs: PlanInputs, states: DataFrame, ways: Sequence[Way], pack: Pack, moment: Moment) -> DataFrame:
    facts = way_facts(ways, pack)
    of_members = occasions_of_members(inputs.members, facts)
    of_journeys = occasions_of_journeys(inputs.journey_sends, facts, moment)
    turned = with_turn(of_members.unionByName(of_journeys), states, moment)
    return _known(turned, inputs, ways, pack, moment)


def _known(candidates: DataFrame, inputs: PlanInputs, ways: Sequence[Way], pack: Pack, moment: Moment) -> DataFrame:
    """With arm, address, payload_hash, zone, allowed, consent and is_suppressed: one row per candidate as before.

    Messages that are for a birthday alone are left out on all other days.
    """
    held = [name for name in candidates.columns if name != "golden_id"]
    # Traits may have any name: the candidate's own columns wait in a struct while expressions over the view are read.
    apart = candidates.select("golden_id", F.struct(*held).alias("_candidate"))
    activation = F.col("_candidate.activation_id")
    joined = apart.join(inputs.customers, "golden_id", "left").where(_is_on_the_day(activation, ways, pack, moment))
    address = F.when(F.lit(False), F.lit(None).cast("string"))
    for way in ways:
        address = address.when(activation == way.activation.id, address_of(way))
    zone = pack.contact_policy.time_zone if pack.contact_policy is not None else None
    described = joined.select(
        "golden_id",
        "_candidate.*",
        address.alias("address"),
        payload_hashes(ways, activation).alias("payload_hash"),
        (F.lit(None) if zone is None else F.col(zone)).cast("string").alias("zone"),
    )
    drawn = described.select("*", per_way(ways, lambda way: arm_of(way.activation)).alias("arm"))
    agreed = with_consent(drawn, consent_in_force(inputs.consents, at=moment.at))
    return with_suppression(agreed, inputs.suppressions).withColumns(
        {
            "allowed": F.col("allowed") | ~F.col("needs_consent"),
            "consent": F.when(F.col("needs_consent"), F.col("consent")),
        }
    )


def _is_on_the_day(activation: Column, ways: Sequence[Way], pack: Pack, moment: Moment) -> Column:
    """By the calendar of the moment: the as-of day is the eve, or this very day where something has happened on it."""
    on_birthday = [way.activation.id for way in ways if way.activation.on_birthday and not way.is_synced]
    if not on_birthday:
        return F.lit(True)
    today = moment.at.astimezone(pack.info.zone).date()
    return ~activation.isin(*on_birthday) | F.coalesce(days_to_birthday(today) == 0, F.lit(False))


def _judged(candidates: DataFrame, ways: Sequence[Way], pack: Pack, moment: Moment) -> DataFrame:
    """With intent_id, offer, `early` (the decision that stands before any cap is asked) and what caps need to know."""
    named = candidates.select(
        "*", _intent_id().alias("intent_id"), per_way(ways, lambda way: offer_facts(way, pack, moment)).alias("offer")
    )
    is_told_more = F.col("operation") != "remove"
    holds = {
        "no_consent": is_told_more & ~F.col("allowed"),
        "suppressed": is_told_more & F.col("is_suppressed"),
        "no_address": F.col("needs_address") & F.col("address").isNull(),
        "offer_closed": is_told_more & F.col("offer.is_closed"),
        "sent_before": F.col("is_before"),
        "global_holdout": F.col("is_contact") & is_globally_held_out(pack.contact_policy),
    }
    early = _first_of(holds)
    return named.select("*", early.alias("early")).withColumns(
        {
            "is_contact": F.col("is_contact") & F.col("early").isNull(),
            "takes_place": F.col("arm") != HOLDOUT,
        }
    )


def _planned(capped: DataFrame, policy: ContactPolicy, pack: Pack, moment: Moment) -> DataFrame:
    hours, zone, pack_zone = policy.quiet_hours, F.col("zone"), pack.info.time_zone
    quiet = is_quiet(hours, zone, at=moment.at, pack_zone=pack_zone)
    is_told_more = F.col("operation") != "remove"
    late = {
        "capped": F.col("is_capped"),
        "quiet_hours": F.col("is_contact") & quiet,
        "held_out": is_told_more & (F.col("arm") == HOLDOUT),
    }
    decision = F.coalesce("early", _first_of(late), F.lit(DECISIONS[-1]))
    is_offered = is_told_more & (F.col("arm") != HOLDOUT)
    offered = {name: F.when(is_offered, F.col(f"offer.{name}")) for name in ("offer_id", "valid_from", "valid_until")}
    # Sending takes hours: it may begin in daylight and end at night.
    nightfall = next_quiet_start(hours, zone, at=moment.at, pack_zone=pack_zone)
    is_contact = F.col("is_contact") & F.col("takes_place")
    return capped.select(
        "intent_id",
        "activation_id",
        "destination",
        "channel",
        "golden_id",
        "operation",
        "occasion",
        "arm",
        decision.alias("decision"),
        F.when(is_told_more, F.col("consent")).alias("consent"),
        offered["offer_id"].alias("offer_id"),
        F.when(is_offered, offer_code(moment.salt)).alias("offer_code"),
        offered["valid_from"].alias("valid_from"),
        offered["valid_until"].alias("valid_until"),
        "payload_hash",
        F.lit(moment.at).alias("planned_at"),
        F.least(offered["valid_until"], F.when(is_contact, nightfall)).alias("expires_at"),
    )


def _with_address_record(planned: DataFrame, golden_records: DataFrame, ways: Sequence[Way]) -> DataFrame:
    """With `address_record`: the source's record that told the mailbox or number; null where the address is no such."""
    told_by_field = {way.activation.id for way in ways if way.address == ADDRESS_FIELDS.get(way.channel, "")}
    if not told_by_field:
        return planned.withColumn("address_record", F.lit(None).cast("string"))
    field = per_way(ways, lambda way: F.lit(way.address if way.activation.id in told_by_field else None))
    told = planned.join(golden_records.select("golden_id", "field_sources"), "golden_id", "left")
    return told.select(*planned.columns, F.try_element_at("field_sources", field).alias("address_record"))


def _first_of(holds: dict[str, Column]) -> Column:
    """The first decision that holds, in the contract's order; null: none."""
    return F.coalesce(*[F.when(holds[name], F.lit(name)) for name in DECISIONS if name in holds])


def _intent_id() -> Column:
    return F.sha2(F.to_json(F.array("activation_id", "destination", "golden_id", "operation", "occasion")), 256)
