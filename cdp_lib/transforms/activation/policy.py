"""When nobody is written to, and how often at most."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, time, timedelta, UTC
from zoneinfo import available_timezones, ZoneInfo

from pyspark.sql import Column, DataFrame, functions as F, Window as W

from cdp_lib.settings.activation import ContactCap, QuietHours
from cdp_lib.settings.audience import days_in

ANY_CHANNEL = "any"


def is_quiet(quiet: QuietHours | None, zone: Column, *, at: datetime, pack_zone: str) -> Column:
    """Whether `at` lies in the quiet hours of a zone (a column of IANA names); unknown or null: of the pack's zone.

    The start belongs to the quiet hours, the end does not. Where both are the same there are none.
    """
    if quiet is None:
        return F.lit(False)
    known = sorted(available_timezones())
    silent = [name for name in known if _is_quiet_in(quiet, at, name)]
    is_silent = zone.isin(silent) if silent else F.lit(False)
    return F.when(zone.isin(known), is_silent).otherwise(F.lit(_is_quiet_in(quiet, at, pack_zone)))


def _is_quiet_in(quiet: QuietHours, at: datetime, zone: str) -> bool:
    now = f"{at.astimezone(ZoneInfo(zone)):%H:%M}"
    start, end = quiet.start, quiet.end
    return start <= now < end if start <= end else now >= start or now < end


def next_quiet_start(quiet: QuietHours | None, zone: Column, *, at: datetime, pack_zone: str) -> Column:
    """The first instant after `at` at which quiet hours begin in a zone; unknown or null: in the pack's zone.

    Null where there are no quiet hours.
    """
    if quiet is None or quiet.start == quiet.end:
        return F.lit(None).cast("timestamp")
    starts: dict[datetime, list[str]] = defaultdict(list)
    for name in sorted(available_timezones()):
        starts[_quiet_start_in(quiet, at, name)].append(name)
    found = F.when(F.lit(False), F.lit(at))
    for start, names in sorted(starts.items()):
        found = found.when(zone.isin(names), F.lit(start))
    return found.otherwise(F.lit(_quiet_start_in(quiet, at, pack_zone)))


def _quiet_start_in(quiet: QuietHours, at: datetime, zone: str) -> datetime:
    place, begins = ZoneInfo(zone), time.fromisoformat(quiet.start)
    today = at.astimezone(place).date()
    starts = [datetime.combine(day, begins, place).astimezone(UTC) for day in (today, today + timedelta(days=1))]
    return next(start for start in starts if start > at)


def with_caps(candidates: DataFrame, contacts: DataFrame, caps: Sequence[ContactCap], *, at: datetime) -> DataFrame:
    """Every candidate with `is_capped`: whether its person had, or is about to get, as many messages as a cap allows.

    `candidates` have golden_id, channel, priority, intent_id, `is_contact` (the cap concerns it) and `takes_place` (it
    would really reach for the person). `contacts` (golden_id, channel, contact_at) are earlier ones. A window ends at
    `at`: 7d are the 168 hours before it. Caps of a channel are asked first, by priority and then by intent_id; those of
    `any` see only what is left.
    """
    if not caps:
        return candidates.select("*", F.lit(False).alias("is_capped"))
    # A person's earlier contacts fit in one row: the longest window bounds them.
    counted = contacts.groupBy("golden_id").agg(
        *[_contacts_within(cap, at).alias(f"_cap_{place}") for place, cap in enumerate(caps)]
    )
    joined = candidates.join(counted, "golden_id", "left")
    by_channel = {place for place, cap in enumerate(caps) if cap.channel != ANY_CHANNEL}
    first = joined.select("*", _exceeds(caps, by_channel, F.lit(False), ["golden_id", "channel"]).alias("_over"))
    rest = set(range(len(caps))) - by_channel
    is_capped = F.col("_over") | _exceeds(caps, rest, F.col("_over"), ["golden_id"])
    return first.select(*candidates.columns, is_capped.alias("is_capped"))


def _contacts_within(cap: ContactCap, at: datetime) -> Column:
    is_within = F.col("contact_at") > F.lit(at - timedelta(days=days_in(cap.window)))
    return F.count_if(is_within if cap.channel == ANY_CHANNEL else is_within & (F.col("channel") == cap.channel))


def _exceeds(caps: Sequence[ContactCap], places: Collection[int], over: Column, group: list[str]) -> Column:
    """Whether one of the caps at `places` has no room for the row, after earlier contacts and the rows before it."""
    before = W.partitionBy(*group).orderBy("priority", "intent_id").rowsBetween(W.unboundedPreceding, -1)
    takes = F.col("is_contact") & F.col("takes_place") & ~over
    ahead = F.coalesce(F.sum(F.when(takes, 1).otherwise(0)).over(before), F.lit(0))
    exceeds = F.lit(False)
    for place in sorted(places):
        cap = caps[place]
        is_about = F.lit(True) if cap.channel == ANY_CHANNEL else F.col("channel") == cap.channel
        used = F.coalesce(F.col(f"_cap_{place}"), F.lit(0)) + ahead
        exceeds = exceeds | (is_about & (used >= cap.count))
    return F.col("is_contact") & ~over & exceeds
