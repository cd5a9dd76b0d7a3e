"""Drive quarantined rows through their source's contract again, once the contract has changed."""

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import bronze, ops
from cdp_lib.contracts.table import Table
from cdp_lib.io.caching import cached
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.source import Source
from cdp_lib.transforms.ingest.contract import apply_contract, raw_rows_of_quarantine
from cdp_lib.transforms.ingest.outcome import ACCEPTED, count_outcomes, DUPLICATE, mark_outcomes
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.bronze_ingest import accepted_rows, account_rows, check_accounts
from jobs.page import run_page

PATH_OF_ACCOUNTS = "quarantine"


def _quarantines(pack: Pack) -> tuple[Table, ...]:
    return tuple(bronze.quarantine(source) for source in pack.sources)


@job(reads=(_quarantines,), writes=(bronze.tables,), remembers=(bronze.tables,), shaped_by=("pack", "source"))
def run(ctx: JobContext) -> None:
    """One source after the other; rows that a contract has refused once are tried under another one only."""
    for source in ctx.pack.sources:
        _replay(ctx, source)


def _replay(ctx: JobContext, source: Source) -> None:
    table = bronze.quarantine(source)
    quarantine = ctx.recall(table)
    is_waiting = (F.col("status") == "open") & (F.col("contract_hash") != source.content_hash())
    raw = raw_rows_of_quarantine(quarantine.where(is_waiting), source)
    tagged = apply_contract(raw, source, time_zone=ctx.pack.info.time_zone)
    known = ctx.recall(bronze.accepted(source)).select("_record_hash")
    with cached(mark_outcomes(tagged, known)) as marked:
        accounts = account_rows(ctx, source, count_outcomes(marked.withColumn("_source_file", F.lit(PATH_OF_ACCOUNTS))))
        if not accounts:
            return
        check_accounts(source, accounts)
        ctx.write(bronze.accepted(source), accepted_rows(ctx, source, marked), kept=True)
        ctx.write(table, _retried(quarantine, marked, source))
    ctx.record_once(ops.ROW_ACCOUNT, accounts)


def _retried(quarantine: DataFrame, marked: DataFrame, source: Source) -> DataFrame:
    """The quarantine's rows that were tried again: what became of them under this contract."""
    outcome = F.col("_outcome")
    status = F.when(outcome == ACCEPTED, "replayed").when(outcome == DUPLICATE, "duplicate").otherwise("open")
    tried = marked.select(
        F.col("_quarantine_id").alias("quarantine_id"),
        status.alias("status"),
        F.col("_rules").alias("rules"),
        F.lit(source.content_hash()).alias("contract_hash"),
        (F.col("_try_count") + 1).alias("try_count"),
    )
    kept = quarantine.drop("status", "rules", "contract_hash", "try_count", "_run_id")
    return kept.join(tried, "quarantine_id", "inner")


if __name__ == "__main__":
    run_page(__file__)
