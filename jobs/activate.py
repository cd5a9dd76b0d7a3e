"""Plan what each activation tells whom, and send it where the run may: otherwise everything is only rendered."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import reduce
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyspark.sql import Column, DataFrame, functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from cdp_lib.connectors import kind_named
from cdp_lib.contracts import activation, identity
from cdp_lib.contracts.table import Table
from cdp_lib.errors import DeliveryError
from cdp_lib.io.caching import cached
from cdp_lib.io.sending_folder import sending_folder, SendingFolder
from cdp_lib.io.staging import staged, StagedRows
from cdp_lib.io.yaml_files import environment_secret
from cdp_lib.transforms.activation.entries import told_before
from cdp_lib.transforms.activation.ledger import open_tries
from cdp_lib.transforms.activation.plan import plan
from cdp_lib.transforms.activation.recipients import recipients
from cdp_lib.transforms.activation.ways import Moment, Way
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.activation.book import CONSTANT
from jobs.activation.entries import drop_entries, forget_entries, note_entries
from jobs.activation.inputs import moment_of, of_today, PERMITTING, plan_inputs, products_of, Read, reads_of
from jobs.activation.leftovers import JUDGED_ANEW, leftovers, with_attempt, without_leftovers
from jobs.activation.outbox import forget_outboxes, write_outbox
from jobs.activation.rendering import writer_of
from jobs.activation.sender import Desk, lane_count, recover, send, Tally
from jobs.activation.ways import ways_of
from jobs.look import scored_view
from jobs.page import run_page

_TO_SEND, _HELD_OUT = "to_send", "held_out"
_LANE_DIGITS = 8


def leave(ctx: JobContext) -> str:
    """A run that sends always has something to look at: time passes for quiet hours, caps and retries."""
    return str(ctx.now()) if ctx.sending.is_on else f"dry {ctx.sending.at or ''}"


@job(
    reads=(reads_of,),
    writes=activation.SENDING_TABLES,
    shaped_by=("pack", "activation", "message", "offer", "destination", "contact_policy"),
    watches=leave,
)
def run(ctx: JobContext) -> None:
    """What a killed run left in its journals first; then the plan, what earlier ones left included; then it is sent."""
    folder = sending_folder(ctx.folder, ctx.settings.sending.folder, ctx.pack.name)
    forget_outboxes(folder.outbox, ctx.now() - timedelta(days=ctx.settings.sending.forget_after_days))
    reason = folder.stopped()
    if ctx.sending.is_on and reason is not None:
        raise DeliveryError(f"sending is stopped: {reason}. `cdp deliveries allow` lets it go on.")
    ways, moment = ways_of(ctx.pack), moment_of(ctx, folder)
    desk = _desk(ctx, folder, moment)
    if ctx.sending.is_on:
        recovered = recover(desk)
        if recovered:
            ctx.say(f"{recovered:,} outcomes of a run that was cut off")
    left = leftovers(ctx.newest(activation.DELIVERY), folder, ctx.spark)
    # Asked once for the plan, and once more for each activation.
    with cached(scored_view(ctx.pack, ctx.read)) as customers, staged(left, _place(ctx, "left")) as unsent:
        # The ledger as it is now, in a second try too: what the first one planned is judged anew like all that is left.
        inputs = plan_inputs(ctx.pack, _reading(ctx), customers, without_leftovers(ctx.newest, unsent.frame))
        planned = with_attempt(plan(inputs, ways, ctx.pack, moment), unsent.frame)
        with staged(planned, _place(ctx, "plan")) as rows:
            _account(ctx, rows)
            if ctx.sending.is_on:
                _note_plan(ctx, rows, unsent, moment)
            else:
                _render(ctx, desk, rows.frame.where(F.col("decision") == _TO_SEND), customers, ways)
        if ctx.sending.is_on:
            ctx.reached("noted")
            _send(ctx, desk, customers, ways)


def _reading(ctx: JobContext) -> Read:
    """Reads what this run recorded, but of who may be written to what is known now: a run may be resumed days later."""

    def reading(table: Table) -> DataFrame:
        return ctx.newest(table) if table in PERMITTING else ctx.read(table)

    return reading


def _place(ctx: JobContext, what: str) -> str:
    return f"{ctx.folder}/_staging/{ctx.run.run_id}.{what}"


def _desk(ctx: JobContext, folder: SendingFolder, moment: Moment) -> Desk:
    return Desk(
        pack=ctx.pack,
        ledger=ctx.ledger,
        run_id=ctx.run.run_id,
        folder=folder,
        settings=ctx.settings.sending,
        resolve=environment_secret,
        writer=writer_of(ctx.pack, moment.salt),
        reached=ctx.reached,
    )


def _account(ctx: JobContext, rows: StagedRows) -> None:
    """What becomes of every member: said, and written down once for each run."""
    counts = rows.counts("activation_id", "operation", "decision")
    shared = {"run_id": ctx.run.run_id, "is_dry_run": not ctx.sending.is_on, "recorded_at": ctx.now()}
    told = [{**{name: row[name] for name in row if name != "count"}, "customer_count": row["count"]} for row in counts]
    table = activation.ACTIVATION_ACCOUNT
    account = pa.Table.from_pylist([{**row, **shared} for row in told], to_arrow_schema(table.schema(), timezone="UTC"))
    ctx.ledger.append_once(table, account.to_reader(), f"cdp.activate.{table.name}", ctx.run.run_number)
    for one in sorted({row["activation_id"] for row in counts}):
        of_one = [row for row in counts if row["activation_id"] == one]
        said = {name: sum(row["count"] for row in of_one if row["decision"] == name) for name in activation.DECISIONS}
        parts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in said.items() if count)
        ctx.say(f"{one}: {parts}")


def _note_plan(ctx: JobContext, rows: StagedRows, left: StagedRows, moment: Moment) -> None:
    """Codes that were given; then, in one commit, the end of every try that was left, and what is planned or held out.

    Killed between the two or after both, another try finds in the ledger what was noted, and goes on from there.
    """
    # Codes first: a code without a message harms nobody, a message with an unknown code does.
    has_code = (ds.field("decision") == _TO_SEND) & ds.field("offer_code").is_valid()
    ctx.ledger.append_stream(activation.OFFER_CODE, _as_noted(activation.OFFER_CODE, rows, moment, {}, has_code))
    ctx.reached("codes")
    is_planned = ds.field("decision").isin([_TO_SEND, _HELD_OUT])
    status = pc.if_else(ds.field("decision") == _TO_SEND, "planned", "held_out")
    untold = {"reason": pc.scalar(None), "provider_id": pc.scalar(None), "recorded_at": pc.scalar(moment.at)}
    ending = untold | {"status": pc.scalar("expired"), "reason": pc.scalar(JUDGED_ANEW)}
    ended = _as_noted(activation.DELIVERY, left, moment, ending, None)
    begun = _as_noted(activation.DELIVERY, rows, moment, untold | {"status": status}, is_planned)
    both = pa.RecordBatchReader.from_batches(ended.schema, chain(ended, begun))
    ctx.ledger.append_stream(activation.DELIVERY, both)


def _as_noted(
    table: Table, rows: StagedRows, moment: Moment, values: Mapping[str, Any], where: ds.Expression | None
) -> pa.RecordBatchReader:
    """The rows in the table's columns, those in `values` as given there."""
    told = {"run_id": pc.scalar(moment.run_id), "issued_at": pc.scalar(moment.at), **values}
    columns = {name: told.get(name, ds.field(name)) for name in table.column_names}
    return rows.batches(columns, where, to_arrow_schema(table.schema(), timezone="UTC"))


def _render(ctx: JobContext, desk: Desk, intents: DataFrame, customers: DataFrame, ways: Sequence[Way]) -> None:
    with staged(_outgoing(ctx, intents, customers, ways), _place(ctx, "out")) as rows:
        folder = desk.folder.outbox / ctx.run.run_id
        tally = write_outbox(rows, desk.writer, folder)
    _say_tally(ctx, tally)
    ctx.say(f"dry run: nothing was sent; texts are in {folder}")


def _send(ctx: JobContext, desk: Desk, customers: DataFrame, ways: Sequence[Way]) -> None:
    # Also what a run that was cut off left.
    drop_entries(ctx)
    with staged(_outgoing(ctx, _open_intents(ctx), customers, ways), _place(ctx, "out")) as rows:
        note_entries(desk, rows)
        ctx.reached("remembered")
        try:
            tally = send(desk, rows)
        finally:
            ctx.reached("sent")
            drop_entries(ctx)
            forget_entries(ctx)
    _say_tally(ctx, tally)


def _open_intents(ctx: JobContext) -> DataFrame:
    """What this run planned, and what is under way since a crash; each with the life of its code."""
    # A code that was given again, when its message was planned anew, lives as long as it was said last.
    codes = (
        ctx.newest(activation.OFFER_CODE)
        .groupBy("activation_id", "golden_id", "occasion")
        .agg(F.max_by("valid_until", "issued_at").alias("valid_until"))
    )
    return open_tries(ctx.newest(activation.DELIVERY)).join(codes, ["activation_id", "golden_id", "occasion"], "left")


def _outgoing(ctx: JobContext, intents: DataFrame, customers: DataFrame, ways: Sequence[Way]) -> DataFrame:
    """Each intent with its customer's address, fields and texts' figures; whoever is gone has none of them."""
    products, messages = products_of(ctx.pack, ctx.read), ctx.pack.messages
    listed = told_before(of_today(ctx.newest(activation.LIST_ENTRY), ctx.read(identity.IDENTITY_EVENT)))
    parts = [
        recipients(customers, way, messages, products, ctx.pack).withColumn("activation_id", F.lit(way.activation.id))
        for way in ways
    ]
    told = reduce(DataFrame.unionByName, parts)
    wanted = [*CONSTANT, "valid_until"]
    before = ("told_before", "entry_ids")
    return (
        intents.select(*wanted)
        .join(told, ["activation_id", "golden_id"], "left")
        .join(listed, ["activation_id", "destination", "golden_id"], "left")
        .select(*wanted, "address", "person", "language", "view", "products", *before, _lane(ctx).alias("lane"))
    )


def _lane(ctx: JobContext) -> Column:
    """Which of its destination's lanes an intent goes by: always the same, whatever else is sent."""
    lane = F.lit(0).cast("bigint")
    for destination in ctx.pack.destinations:
        count = lane_count(kind_named(destination.connector), ctx.settings.sending)
        drawn = F.conv(F.substring("intent_id", 1, _LANE_DIGITS), 16, 10).cast("bigint") % count
        lane = F.when(F.col("destination") == destination.id, drawn).otherwise(lane)
    return lane


def _say_tally(ctx: JobContext, tally: Tally) -> None:
    by_activation: dict[str, dict[str, int]] = {}
    for (name, status), count in tally.items():
        by_activation.setdefault(name, {})[status] = count
    for name, counts in sorted(by_activation.items()):
        ctx.say(f"{name}: {_told(counts)}")


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))


if __name__ == "__main__":
    run_page(__file__)
