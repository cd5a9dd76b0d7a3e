"""Whom a channel's answer is about: the customer whom the message was sent to, or everybody who holds the mailbox."""

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.transforms.identity.history import resolve

_INTENT = r"^<?([0-9a-f]{64})(?:@[^>]*)?>?$"
_BRACKETS = r"^<|>$"


def with_recipients(
    responses: DataFrame, deliveries: DataFrame, events: DataFrame, golden_records: DataFrame
) -> DataFrame:
    """Every row of `responses` with `person_source`: whoever got the message that message_id names is its person.

    `responses` are campaign_response as a source tells it, `deliveries` rows of ops.delivery, `events` of
    silver.identity_event, `golden_records` of silver.golden_record. An intent's id, alone or in a Message-ID, names a
    message on any channel; the channel's own name (`provider_id`) does on that channel, unless messages of several
    customers bear it. person_source and person_id then are the surviving record of today's customer, campaign_id is
    the activation. All other rows stay as they were, with a null person_source: no message is named, it is not one of
    ours, or its customer is gone.
    """
    named = responses.select("*", _name(F.col("message_id")).alias("_name"))
    ties = _ties(named, deliveries, events, golden_records)
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
    held = golden_records.select(
        "golden_id", F.explode(F.array_compact(F.array(F.lower("email"), F.col("phone")))).alias("_held")
    )
    of_nobody = responses.where(F.col("person_source").isNull() & F.col("sent_to").isNotNull())
    joined = of_nobody.join(held, F.lower(F.trim("sent_to")) == F.col("_held"), "inner")
    return joined.select(*responses.columns, "golden_id")


def _ties(named: DataFrame, deliveries: DataFrame, events: DataFrame, golden_records: DataFrame) -> DataFrame:
    """One row per name and channel of an answer that leads to one customer: name, channel, `tie`."""
    asked = named.where(F.col("_name").isNotNull()).select(F.col("_name").alias("name"), "channel").distinct()
    is_meant = (F.col("a.name") == F.col("s.name")) & (
        F.col("s.of_channel").isNull() | (F.col("s.of_channel") == F.col("a.channel"))
    )
    meant = asked.alias("a").join(_names_sent(deliveries).alias("s"), is_meant, "inner")
    found = meant.select("a.name", "a.channel", "s.golden_id", "s.activation_id").distinct()
    today = resolve(events, found.select("golden_id").distinct())
    standing = found.join(today, "golden_id", "inner").select(  # one row per golden_id
        "name", "channel", "activation_id", F.col("current_golden_id").alias("golden_id")
    )
    known = standing.join(golden_records, "golden_id", "left")  # one row per golden_id
    tie = F.struct(
        F.col("source_system").alias("person_source"),
        F.col("source_record_id").alias("person_id"),
        F.col("activation_id").alias("campaign_id"),
    )
    per_name = known.groupBy("name", "channel").agg(F.collect_set(tie).alias("ties"))
    # A name of many customers' messages names none of them; a customer who is gone is nobody.
    is_one = (F.size("ties") == 1) & F.col("ties")[0]["person_source"].isNotNull()
    return per_name.where(is_one).select("name", "channel", F.col("ties")[0].alias("tie"))


def _names_sent(deliveries: DataFrame) -> DataFrame:
    """golden_id, activation_id, name, of_channel (null: on any) of everything that names a message which was sent."""
    own = F.struct(F.col("intent_id").alias("name"), F.lit(None).cast("string").alias("of_channel"))
    given = F.struct(_name(F.col("provider_id")).alias("name"), F.col("channel").alias("of_channel"))
    names = F.explode(F.array_compact(F.array(own, F.when(F.col("provider_id").isNotNull(), given))))
    messages = deliveries.where(F.col("operation") == "send").select("golden_id", "activation_id", names.alias("one"))
    return messages.select("golden_id", "activation_id", "one.*")


def _name(text: Column) -> Column:
    """The name without what surrounds it: of a Message-ID that we gave, the intent's id; null where nothing is left."""
    plain = F.regexp_replace(F.trim(text), _BRACKETS, "")
    intent = F.regexp_extract(F.lower(F.trim(text)), _INTENT, 1)
    return F.coalesce(F.nullif(intent, F.lit("")), F.nullif(plain, F.lit("")))
