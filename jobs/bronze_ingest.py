"""Take every new landing file into bronze exactly once; refuse what breaks its contract, and count every row."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import bronze, ops
from cdp_lib.errors import AccountError, IngestError
from cdp_lib.io.arrivals import FileLedger, judge, Verdict
from cdp_lib.io.caching import cached
from cdp_lib.io.inspection import inspect_files
from cdp_lib.io.landing import LandingFile, list_files
from cdp_lib.io.raw_rows import read_raw_rows
from cdp_lib.settings.source import Source
from cdp_lib.transforms.ingest.contract import apply_contract
from cdp_lib.transforms.ingest.outcome import ACCEPTED, count_outcomes, mark_outcomes, QUARANTINED
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.page import run_page

_FIRST_TRY = 1


def landing_fingerprint(ctx: JobContext) -> str:
    """Hash of every landing file's name, size and time: unchanged, there is nothing to ingest.

    A file that could not be read is tried again by each run, for what was in the way changes neither size nor time.
    """
    recorded = ctx.recorded(ops.SOURCE_FILE)
    found = []
    for source in ctx.pack.sources:
        ledger = FileLedger.of(recorded, source.id)
        for file in list_files(ctx.landing, source):
            again = ctx.run.run_id if ledger.is_unread(file) else ""
            found.append(f"{source.id}|{file.path}|{file.byte_count}|{file.modified_at.isoformat()}|{again}")
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


@job(writes=(bronze.tables,), remembers=(bronze.tables,), shaped_by=("pack", "source"), watches=landing_fingerprint)
def run(ctx: JobContext) -> None:
    """One source after the other: plan, read, hold to the contract, publish, account."""
    recorded = ctx.recorded(ops.SOURCE_FILE)
    for source in ctx.pack.sources:
        _ingest(ctx, source, FileLedger.of(recorded, source.id))


def _ingest(ctx: JobContext, source: Source, ledger: FileLedger) -> None:
    planned = _plan(ctx, source, ledger)
    if not planned:
        return
    ctx.reached("planned")
    ctx.say(f"{source.id}: reading {len(planned):,} files")
    raw = read_raw_rows(ctx.spark, source, [verdict.inspection for verdict in planned])
    tagged = apply_contract(raw, source, time_zone=ctx.pack.info.time_zone)
    known = ctx.recall(bronze.accepted(source)).select("_record_hash")
    with cached(mark_outcomes(tagged, known)) as marked:
        accounts = _publish(ctx, source, marked)
    ctx.record_once(ops.ROW_ACCOUNT, accounts)
    ctx.reached("accounted")
    ctx.record_once(ops.SOURCE_FILE, [_row(ctx, source, replace(verdict, status="ingested")) for verdict in planned])


def _plan(ctx: JobContext, source: Source, ledger: FileLedger) -> Sequence[Verdict]:
    """The files that this run ingests: on resume those it had planned, while their bytes are the same."""
    contract = source.content_hash()
    planned_before = ledger.planned(ctx.run.run_id)
    listed = list_files(ctx.landing, source)
    if not listed and not ledger.knows(contract):
        ctx.say(f"{source.id}: no file matches '{source.read.path}' below {ctx.landing}")
    if planned_before:
        waiting = [file for file in listed if file.path in planned_before.keys() - ledger.ingested(ctx.run.run_id)]
        if waiting and ledger.planned_under(ctx.run.run_id) != {contract}:
            # What of its rows is in bronze was judged by that contract, and would hide what this one accepts.
            raise IngestError(
                f"{source.id}: its contract has changed since run {ctx.run.run_id} began with its files. Start a new "
                "run, without --resume: it takes what is not in bronze yet."
            )
        verdicts = judge(inspect_files(ctx.spark, source, waiting), ledger, ctx.run.run_id) if waiting else ()
        return [one for one in verdicts if planned_before[one.inspection.file.path] == one.inspection.content_hash]
    fresh: list[LandingFile] = [file for file in listed if not ledger.is_settled(file, contract)]
    if not fresh:
        return ()
    ctx.say(f"{source.id}: inspecting {len(fresh):,} files")
    verdicts = judge(inspect_files(ctx.spark, source, fresh), ledger, ctx.run.run_id)
    ctx.record(ops.SOURCE_FILE, [_row(ctx, source, verdict) for verdict in verdicts])
    for verdict in verdicts:
        if verdict.status == "refused":
            ctx.say(f"{source.id}: refused {verdict.inspection.file.path}: {verdict.reason}")
    return [verdict for verdict in verdicts if verdict.status == "planned"]


def _row(ctx: JobContext, source: Source, verdict: Verdict) -> dict[str, Any]:
    return verdict.ledger_row(
        run_id=ctx.run.run_id,
        run_number=ctx.run.run_number,
        source_id=source.id,
        contract_hash=source.content_hash(),
        at=ctx.run.started_at,
    )


def _publish(ctx: JobContext, source: Source, marked: DataFrame) -> list[dict[str, Any]]:
    """Write accepted and quarantined rows; each file's account. Raises AccountError for rows unaccounted for."""
    accounts = account_rows(ctx, source, count_outcomes(marked))
    check_accounts(source, accounts)
    written = ctx.write(bronze.accepted(source), accepted_rows(ctx, source, marked), kept=True)
    expected = sum(account["accepted_count"] for account in accounts)
    if written != expected:
        raise AccountError(f"bronze.{source.id}: {expected} rows were accepted but {written} written. Report this.")
    if any(account["quarantined_count"] for account in accounts):
        ctx.write(bronze.quarantine(source), quarantine_rows(ctx, source, marked), kept=True)
    return accounts


def account_rows(ctx: JobContext, source: Source, counted: DataFrame) -> list[dict[str, Any]]:
    """Rows of ops.row_account, one per file."""
    common = {"run_id": ctx.run.run_id, "source_system": source.id, "recorded_at": ctx.run.started_at}
    return [row.asDict() | common for row in counted.withColumnRenamed("_source_file", "path").toLocalIterator()]


def accepted_rows(ctx: JobContext, source: Source, marked: DataFrame) -> DataFrame:
    """The accepted rows in the shape of `bronze.<source>`, without `_run_id`."""
    names = [name for name in bronze.accepted(source).column_names if name not in ("_ingested_at", "_run_id")]
    arrived = F.lit(ctx.run.started_at).alias("_ingested_at")
    return marked.where(F.col("_outcome") == ACCEPTED).select(*names, arrived)


def quarantine_rows(ctx: JobContext, source: Source, marked: DataFrame) -> DataFrame:
    """The quarantined rows in the quarantine table's shape: open, tried once."""
    return marked.where(F.col("_outcome") == QUARANTINED).select(
        F.sha2(F.concat_ws(":", "_file_hash", F.col("_row_number").cast("string")), 256).alias("quarantine_id"),
        F.col("_raw_row").alias("raw_row"),
        F.col("_rules").alias("rules"),
        F.lit(source.content_hash()).alias("contract_hash"),
        F.lit("open").alias("status"),
        F.col("_file_hash").alias("file_hash"),
        F.lit(_FIRST_TRY).alias("try_count"),
        F.lit(ctx.run.started_at).alias("_ingested_at"),
        "_source_file",
        "_row_number",
    )


def check_accounts(source: Source, accounts: Sequence[dict[str, Any]]) -> None:
    """Raises AccountError that names each file whose rows read are not accepted + quarantined + duplicate."""
    wrong = [
        f"{one['path']}: read {one['read_count']}, accepted {one['accepted_count']}, "
        f"quarantined {one['quarantined_count']}, duplicate {one['duplicate_count']}"
        for one in accounts
        if one["read_count"] != one["accepted_count"] + one["quarantined_count"] + one["duplicate_count"]
    ]
    if wrong:
        raise AccountError(
            f"bronze.{source.id}: rows are unaccounted for. {'; '.join(wrong)}. Nothing is lost: report this."
        )


if __name__ == "__main__":
    run_page(__file__)
