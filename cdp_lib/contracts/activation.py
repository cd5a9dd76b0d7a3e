"""Tables of activation: who is in which audience and why, whom nobody may write to, and what was sent."""

from cdp_lib.contracts.table import (
    AppendOnce,
    Column,
    instant,
    MergeByKey,
    number,
    one_of,
    ReplaceAll,
    Table,
    text,
)
from cdp_lib.settings.pack import Pack

_CUSTOMER = text("golden_id", "The customer.", required=True)
_AS_OF = Column("as_of_date", "date", "The last day that the row knows, in the pack's zone.", required=True)
_RUN = text("_run_id", "Run that computed the row.", required=True)
_ACTIVATION = text("activation_id", "Activation of the pack.", required=True)

AUDIENCE_MEMBER = Table(
    name="gold.audience_member",
    purpose="Who is in which audience, since when and why; who has just left stands as `exit` for one run.",
    key=("audience_id", "golden_id"),
    columns=(
        text("audience_id", "Audience of the pack.", required=True),
        _CUSTOMER,
        _AS_OF,
        one_of("status", "Against the run before.", ("enter", "stay", "exit"), required=True),
        Column("entered_date", "date", "As-of date on which the present membership began.", required=True),
        Column("score", "double", "What a cap, draw or likeness ordered by; null without one."),
        Column(
            "why",
            "array<struct<leaf:string,value:string,threshold:string,held:boolean>>",
            "Each question of the rules, the customer's value, what was asked for, and whether it held.",
            required=True,
            pii="free_text",
        ),
        Column("input_versions", "map<string,bigint>", "Table: Delta version that was asked.", required=True),
        text("config_hash", "SHA-256 of the audience's rules.", required=True),
        _RUN,
    ),
    write=ReplaceAll(),
    cluster_by=("audience_id", "golden_id"),
)

SUPPRESSION_REASONS = ("unsubscribed", "bounced", "complained")
SUPPRESSION = Table(
    name="silver.suppression",
    purpose="Whom no message may reach, by which channel, since when and why.",
    key=("golden_id", "channel", "reason"),
    columns=(
        _CUSTOMER,
        text("channel", "The channel; `any` for all.", required=True),
        one_of("reason", "What happened.", SUPPRESSION_REASONS, required=True),
        instant("suppressed_at", "When it last happened.", required=True),
        text("source_system", "Source that said so.", required=True),
        text("campaign_id", "Campaign it was a reaction to; null: none."),
        _RUN,
    ),
    write=ReplaceAll(),
    cluster_by=("golden_id",),
)

OPERATIONS = ("send", "add", "update", "remove")
SENT = ("accepted", "rejected", "unknown")
"""How a request ends; `unknown` may still be reconciled."""
LAST_STATE_BY = ("attempt", "CASE status WHEN 'planned' THEN 0 WHEN 'sent' THEN 1 ELSE 2 END", "recorded_at", "status")
"""SQL expressions, in Spark and delta-rs alike: the state of an intent that is greatest by them is what is known of it.

Of the last try an end outweighs `sent`, and that `planned`; of two ends the later one is known.
"""
FINAL = (*SENT, "expired", "failed", "held_out")
"""States that an intent ends in. `failed`: never sent, e.g. a text lacked a field of the customer. `expired`: not sent
in its time, or judged anew by a later run, which has planned another try where it still may be sent."""

DELIVERY = Table(
    name="ops.delivery",
    purpose="Every intent to tell a channel about a customer, one row per state; the last state is what is known.",
    key=("intent_id", "attempt", "status"),
    columns=(
        text("intent_id", "SHA-256 of activation, destination, customer, operation and occasion.", required=True),
        text("run_id", "Run that recorded the state.", required=True),
        _ACTIVATION,
        text("destination", "Destination of the pack.", required=True),
        text("channel", "Channel of its connector.", required=True),
        _CUSTOMER,
        one_of("operation", "What the channel is asked for.", OPERATIONS, required=True),
        text(
            "occasion", "Why now: the entry into the audience, a journey's step, the state that changes.", required=True
        ),
        text("arm", "Arm of the experiment; `holdout` gets nothing.", required=True),
        one_of("status", "State.", ("planned", "sent", *FINAL), required=True),
        number("attempt", "The try that is planned or was made: 1 is the first.", required=True),
        text("reason", "Why it was rejected or is unknown; no personal data."),
        text("consent", "`source_system:consent_id` of the decision that allowed it; null: none was needed."),
        text("offer_code", "Code that the message bears."),
        text("payload_hash", "SHA-256 of what the destination is told of the customer."),
        text("provider_id", "The channel's own name for it.", pii="online_id"),
        text(
            "address_record",
            "`source_system:source_record_id` that the mailbox or number written to is from; null: not known, or none.",
            pii="online_id",
        ),
        instant("planned_at", "When it was planned.", required=True),
        instant("expires_at", "Not sent after it; null: no end."),
        instant("recorded_at", "When the state was reached.", required=True),
    ),
    write=AppendOnce(),
    cluster_by=("activation_id", "golden_id"),
)

LIST_ENTRY = Table(
    name="ops.list_entry",
    purpose="What a channel's list was told of whom, until they are off it: a row per list, customer and identifiers.",
    key=("entry_id",),
    columns=(
        text("entry_id", "SHA-256 of activation, destination, customer and identifiers.", required=True),
        _ACTIVATION,
        text("destination", "Destination of the pack.", required=True),
        _CUSTOMER,
        Column(
            "identifiers",
            "map<string,string>",
            "What the channel finds the member by: hashed where it takes hashes, else the address.",
            required=True,
            pii="email",
        ),
        text("intent_id", "Intent that tells the channel of it first.", required=True),
        text(
            "removal_id",
            "Intent that takes it off the list, the last one planned: the member's removal, or what tells the list of "
            "them as they are now; null: none was.",
        ),
        instant("told_at", "When it was noted: before the channel was told.", required=True),
        text("run_id", "Run that noted it.", required=True),
    ),
    write=MergeByKey(),
)

OFFER_CODE = Table(
    name="ops.offer_code",
    purpose="Every code that was given to a customer: one row per offer, activation, customer, occasion and time.",
    key=("offer_id", "activation_id", "golden_id", "occasion", "issued_at"),
    columns=(
        text("offer_id", "Offer of the pack.", required=True),
        _ACTIVATION,
        _CUSTOMER,
        text("occasion", "As in ops.delivery.", required=True),
        text("offer_code", "The code; the same for all where the offer's code is shared.", required=True),
        instant("valid_from", "Not valid before; null: at once."),
        instant("valid_until", "Not valid after; null: no end."),
        instant(
            "issued_at",
            "When it was given: once more where its message was planned anew before it left.",
            required=True,
        ),
        text("run_id", "Run that gave it.", required=True),
    ),
    write=AppendOnce(),
)

DECISIONS = (
    "no_consent",
    "suppressed",
    "no_address",
    "offer_closed",
    "sent_before",
    "global_holdout",
    "capped",
    "quiet_hours",
    "held_out",
    "to_send",
)
"""What becomes of a member, in the order in which it is asked; the first that holds is it."""

ACTIVATION_ACCOUNT = Table(
    name="ops.activation_account",
    purpose="What became of each activation's members: one row per run, activation, operation and decision.",
    key=("run_id", "activation_id", "operation", "decision"),
    columns=(
        text("run_id", "Run.", required=True),
        _ACTIVATION,
        one_of("operation", "What was asked of the channel.", OPERATIONS, required=True),
        one_of("decision", "What became of them.", DECISIONS, required=True),
        number("customer_count", "Members; they sum to all that were matched.", required=True),
        Column("is_dry_run", "boolean", "Whether nothing was sent.", required=True),
        instant("recorded_at", "When.", required=True),
    ),
    write=AppendOnce(),
)

JOURNEY_STATE = Table(
    name="ops.journey_state",
    purpose="Where each customer stands in each journey: one row per journey, customer and entry.",
    key=("journey_id", "golden_id", "entry_number"),
    columns=(
        text("journey_id", "Journey of the pack.", required=True),
        _CUSTOMER,
        number("entry_number", "1 for the customer's first entry.", required=True),
        Column("entered_date", "date", "As-of date of the entry.", required=True),
        text(
            "step",
            "Step where the customer is; null: the journey is over.",
        ),
        Column(
            "step_since_date",
            "date",
            "Day on which that step was reached; where the journey is over, the day on which it ended.",
            required=True,
        ),
        text("exit_reason", "Why it is over; null: it is not."),
        Column(
            "path",
            "array<struct<step:string,reached_date:date,outcome:string>>",
            "Every step that was reached, in order, and how it was left: done (a wait), then or else (a question), "
            "sent, or the exit's reason; null: not left yet.",
            required=True,
        ),
        Column(
            "sends",
            "array<struct<activation_id:string,occasion:string,due_date:date>>",
            "Every message that the journey asked for in this entry, in order; due_date: the day the step was left.",
            required=True,
        ),
        _AS_OF,
        text("config_hash", "SHA-256 of the journey as it was when the customer moved last.", required=True),
        _RUN,
    ),
    write=MergeByKey(),
    cluster_by=("journey_id", "golden_id"),
)

SENDING_TABLES = (DELIVERY, LIST_ENTRY, OFFER_CODE, ACTIVATION_ACCOUNT)
"""What sending notes down."""

OPS_TABLES = (*SENDING_TABLES, JOURNEY_STATE)
"""What activation notes down, written where it happens."""

TABLES = (AUDIENCE_MEMBER, SUPPRESSION)
"""What activation's jobs publish, where a pack asks for it."""


def audiences(pack: Pack) -> tuple[Table, ...]:
    """gold.audience_member, where the pack has an audience."""
    return (AUDIENCE_MEMBER,) if pack.audiences else ()


def suppression(pack: Pack) -> tuple[Table, ...]:
    """silver.suppression, where something is sent or audiences leave out the suppressed."""
    return (SUPPRESSION,) if pack.activations or pack.audiences else ()


def tables(pack: Pack) -> tuple[Table, ...]:
    """Every published table of this module that the pack has."""
    return (*audiences(pack), *suppression(pack))
