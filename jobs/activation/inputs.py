"""What planning reads: the scored single view, audiences, journeys, consents, suppression and what was sent before."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, UTC

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import activation, gold, identity, scores, silver
from cdp_lib.contracts.table import Table
from cdp_lib.io.local_rows import local_rows
from cdp_lib.io.sending_folder import SendingFolder
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.activation.recipients import named_products
from cdp_lib.transforms.activation.ways import Moment, PlanInputs
from cdp_lib.transforms.customer.traits import facts_of_people
from cdp_lib.transforms.identity.history import resolve
from cdp_lib.transforms.journey.members import members_by_journeys, sends_of_journeys
from cdp_lib.workflow.context import JobContext

Read = Callable[[Table], DataFrame]

PERMITTING = (silver.CONSENT, identity.IDENTITY_LINK, activation.SUPPRESSION)
"""What says who may be written to, and whose consent it is."""

_MORNING = time(10)
"""Local time that a dry run plans for: when most channels are not quiet."""


def reads_of(pack: Pack) -> tuple[Table, ...]:
    """Everything that planning and writing texts read, as far as the pack has it."""
    scored = scores.score_tables(pack)
    products = (silver.PRODUCT, *scores.recommendations(pack)) if _names_products(pack) else ()
    journeys = (activation.JOURNEY_STATE,) if pack.journeys else ()
    people = (*identity.TABLES, silver.CONSENT)
    found = (gold.customer(pack), *scored, *activation.tables(pack), *people, *journeys, *products)
    return tuple({table.name: table for table in found}.values())


def _names_products(pack: Pack) -> bool:
    return any(one.products for one in pack.activations)


def moment_of(ctx: JobContext, folder: SendingFolder) -> Moment:
    """When it is: as asked for; the clock where this run sends, else the morning after the as-of date."""
    at = ctx.now() if ctx.sending.at is None and ctx.sending.is_on else ctx.sending.at
    return morning_after(ctx.as_of, ctx.pack, at, run_id=ctx.run.run_id, salt=folder.key())


def morning_after(as_of: date, pack: Pack, at: datetime | None, *, run_id: str, salt: str) -> Moment:
    """The moment `at`; none: ten in the morning after the as-of date, by the pack's clocks."""
    asked = at or datetime.combine(as_of + timedelta(days=1), _MORNING, tzinfo=pack.info.zone)
    return Moment(as_of=as_of, at=asked.astimezone(UTC), run_id=run_id, salt=salt)


def plan_inputs(
    pack: Pack, read: Read, customers: DataFrame, recall: Read, members: DataFrame | None = None
) -> PlanInputs:
    """The inputs of `plan`; `recall` reads ops.delivery and ops.list_entry as they were when planning began.

    `members` are rows of gold.audience_member that stand in for the published ones.
    """
    events = read(identity.IDENTITY_EVENT)
    today = of_today(recall(activation.DELIVERY), events)
    # A pack without journeys may have had some.
    states = activation.JOURNEY_STATE
    travellers = read(states) if pack.journeys else local_rows(events.sparkSession, states.schema())
    return PlanInputs(
        customers=customers,
        members=read(activation.AUDIENCE_MEMBER) if members is None else members,
        journey_sends=sends_of_journeys(of_today(travellers, events)),
        journey_members=members_by_journeys(travellers, pack.journeys),
        consents=facts_of_people(read(silver.CONSENT), read(identity.IDENTITY_LINK)),
        suppressions=read(activation.SUPPRESSION),
        deliveries=today,
        entries=of_today(recall(activation.LIST_ENTRY), events),
        golden_records=read(identity.GOLDEN_RECORD),
    )


def of_today(noted: DataFrame, events: DataFrame) -> DataFrame:
    """Rows with golden_id, each with the id that stands for its customer today; who was retired keeps the last one."""
    today = resolve(events, noted.select("golden_id").distinct())
    joined = noted.join(today, "golden_id", "left")  # one row per golden_id
    current = F.coalesce("current_golden_id", "golden_id").alias("golden_id")
    return joined.select(*[current if name == "golden_id" else name for name in noted.columns])


def products_of(pack: Pack, read: Read) -> DataFrame | None:
    """Recommended products with their names, one row per golden_id and rank; None where no message names any."""
    if not _names_products(pack):
        return None
    named = named_products(read(scores.RECOMMENDATION), read(silver.PRODUCT))
    # A text has nothing to call the others by.
    return named.where(F.col("name").isNotNull())
