"""Whom a channel's answer is about: the customer whom the message was sent to, or everybody who holds the mailbox."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts.silver import RECORD_KEY
from cdp_lib.transforms.identity.history import resolve

ADDRESS_FIELDS: Mapping[str, str] = {"email": "email", "sms": "phone"}
"""Channel: the field of a golden record that it writes to. Other channels know people by what no field holds."""

_INTENT = r"^<?([0-9a-f]{64})(?:@[^>]*)?>?$"
_BRACKETS = r"^<|>$"
_SENT = ("golden_id", "activation_id", "field", "address_record", "attempt")
"""What is known of a try to send: to whom as part of what, to which field of theirs, and who told what stood there."""


def with_recipients(
    responses: DataFrame, deliveries: DataFrame, events: DataFrame, golden_records: DataFrame, links: DataFrame
) -> DataFrame:
    """Every row of `responses` with `person_source`: whoever got the message that message_id names is its person.

    `responses` are campaign_response as a source tells it, `deliveries` rows of ops.delivery, `events` of
    silver.identity_event, `golden_records` of silver.golden_record, `links` those of silver.identity_link whose record
    is still there. An intent's id, alone or in a Message-ID, names a message on any channel; the channel's own name
    (`provider_id`) does on that channel, unless messages of several customers bear it. person_source and person_id then
    are the record that told the mailbox or number which was written to (`address_record`), as long as it is there: so
    people who are parted, before the answer or after it, each keep what was said by their own mailbox. Else they are a
    record of today's customer: the one that the address is from, else the surviving one, else the first. campaign_id is
    the activation. All other rows stay as they were, with a null person_source: no message is named, it is not one of
    ours, or its customer is gone.
    """
    named = responses.select("*", _name(F.col("message_id")).alias("_name"))
    ties = _ties(named, deliveries, events, _records_to_tie(golden_records, links))
    same = (F.col("a._name") == F.col("t.name")) & F.col("a.channel").eqNullSafe(F.col("t.channel"))
    joined = named.alias("a").join(ties.alias("t"), same, "left")  # one tie per name and channel
    tied = F.col("t.tie")
    told = {name: F.coalesce(tied[name], F.col(f"a.{name}")) for name in ("person_id", "campaign_id")}
    kept = [told.get(name, F.col(f"a.{name}")).alias(name) for name in responses.columns]
    return joined.select(*kept, tied["person_source"].alias("person_source"))


def answers_of_holders(responses: DataFrame, golden_records: DataFrame) -> DataFrame:
    """Rows of silver.campaign_response that name a mailbox or number and no message of ours, once for each holder.

    With golden_id: everybody whose golden record has it as email or phone. An answer about a mailbox that nobody holds
    is left out.
    """
    held = golden_records.select("golden_id", F.explode(_addresses()).alias("_held"))
    of_nobody = responses.where(F.col("person_source").isNull() & F.col("sent_to").isNotNull())
    joined = of_nobody.join(held, _sent_to() == F.col("_held"), "inner")
    return joined.select(*responses.columns, "golden_id")


def without_former_addresses(responses: DataFrame, golden_records: DataFrame) -> DataFrame:
    """The rows of silver.campaign_response with golden_id, but for bounces of what the customer is not reached by now.

    Such a bounce names a mailbox or number (`sent_to`) that is not in the golden record. Bounces of channels that write
    to neither stay.
    """
    held = golden_records.select("golden_id", _addresses().alias("_held"))  # one row per golden_id
    is_of_address = F.coalesce(F.col("channel").isin(*ADDRESS_FIELDS), F.lit(True)) & F.col("sent_to").isNotNull()
    is_held = F.coalesce(F.array_contains("_held", _sent_to()), F.lit(False))
    is_former = (F.col("response_type") == "bounced") & is_of_address & ~is_held
    return responses.join(held, "golden_id", "left").where(~is_former).select(*responses.columns)


def _addresses() -> Column:
    return F.array_compact(F.array(F.lower("email"), F.col("phone")))


def _sent_to() -> Column:
    return F.lower(F.trim("sent_to"))


def _records_to_tie(golden_records: DataFrame, links: DataFrame) -> DataFrame:
    """One row per record of a person: its key and name, `holder`, `is_surviving`, which address `fields` are of it."""
    golden = golden_records.select(
        "golden_id", F.struct(*RECORD_KEY).alias("surviving"), "field_sources"
    )  # one row per golden_id
    name = F.concat_ws(":", *RECORD_KEY)
    won = [F.when(F.try_element_at("field_sources", F.lit(field)) == name, field) for field in ADDRESS_FIELDS.values()]
    return links.join(golden, "golden_id", "inner").select(
        F.col("golden_id").alias("holder"),
        *RECORD_KEY,
        name.alias("record_name"),
        (F.struct(*RECORD_KEY) == F.col("surviving")).alias("is_surviving"),
        F.array_compact(F.array(*won)).alias("fields"),
    )


def _ties(named: DataFrame, deliveries: DataFrame, events: DataFrame, records: DataFrame) -> DataFrame:
    """One row per name and channel of an answer that leads to one customer: name, channel, `tie`.

    `records` come from `_records_to_tie`.
    """
    asked = named.where(F.col("_name").isNotNull()).select(F.col("_name").alias("name"), "channel").distinct()
    is_meant = (F.col("a.name") == F.col("s.name")) & (
        F.col("s.of_channel").isNull() | (F.col("s.of_channel") == F.col("a.channel"))
    )
    meant = asked.alias("a").join(_names_sent(deliveries).alias("s"), is_meant, "inner")
    found = meant.select("a.name", "a.channel", *(f"s.{name}" for name in _SENT)).distinct()
    today = resolve(events, found.select("golden_id").distinct())
    is_todays = F.col("current_golden_id") == F.col("holder")
    of_person = found.join(today, "golden_id", "inner").join(records, is_todays, "left").drop("current_golden_id")
    by_address = found.join(records, F.col("address_record") == F.col("record_name"), "inner")
    known = of_person.withColumn("is_told", F.lit(False)).unionByName(by_address.withColumn("is_told", F.lit(True)))
    tie = F.struct(
        F.col("source_system").alias("person_source"),
        F.col("source_record_id").alias("person_id"),
        F.col("activation_id").alias("campaign_id"),
    )
    is_written_to = F.coalesce(F.array_contains("fields", F.col("field")), F.lit(False))
    # An earlier try was given up before anything left.
    newest_try = F.when(F.col("is_told"), -F.col("attempt"))
    nearest = F.struct(~F.col("is_told"), newest_try, ~is_written_to, ~F.col("is_surviving"), *RECORD_KEY)
    of_message = known.groupBy("name", "channel", "golden_id", "activation_id")
    per_message = of_message.agg(F.min_by(F.struct("holder", tie.alias("tie")), nearest).alias("found"))
    whom = F.struct("found.holder", "activation_id")
    per_name = per_message.groupBy("name", "channel").agg(
        F.collect_set(whom).alias("customers"), F.min("found.tie").alias("tie")
    )
    # A name of many customers' messages names none of them; a customer who is gone is nobody.
    is_one = (F.size("customers") == 1) & F.col("tie.person_source").isNotNull()
    return per_name.where(is_one).select("name", "channel", "tie")


def _names_sent(deliveries: DataFrame) -> DataFrame:
    """The columns of _SENT, name and of_channel (null: any) of all that names a message.

    `field` of a golden record is what it was sent to, null where it was sent to none.
    """
    own = F.struct(F.col("intent_id").alias("name"), F.lit(None).cast("string").alias("of_channel"))
    given = F.struct(_name(F.col("provider_id")).alias("name"), F.col("channel").alias("of_channel"))
    names = F.explode(F.array_compact(F.array(own, F.when(F.col("provider_id").isNotNull(), given))))
    field = F.coalesce(*[F.when(F.col("channel") == channel, to) for channel, to in ADDRESS_FIELDS.items()])
    sends = deliveries.where(F.col("operation") == "send")
    return sends.select("*", field.alias("field"), names.alias("one")).select(*_SENT, "one.*")


def _name(text: Column) -> Column:
    """The name without what surrounds it: of a Message-ID that we gave, the intent's id; null where nothing is left."""
    plain = F.regexp_replace(F.trim(text), _BRACKETS, "")
    intent = F.regexp_extract(F.lower(F.trim(text)), _INTENT, 1)
    return F.coalesce(F.nullif(intent, F.lit("")), F.nullif(plain, F.lit("")))
