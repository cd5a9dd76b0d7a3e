"""Bronze tables, derived from a pack's sources: every accepted version of every row, and what was refused."""

from cdp_lib.contracts.table import AppendOnce, Column, instant, MergeByKey, number, one_of, Table, text
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.source import Source

ACCEPT_LINEAGE = (
    text("_run_id", "Run that ingested the row.", required=True),
    instant("_ingested_at", "When that run began.", required=True),
    text("_source_file", "Landing file, relative to the landing folder.", required=True),
    number("_row_number", "Place of the row in its file, from 1; blank lines are not counted.", required=True),
    text("_record_hash", "SHA-256 of the row's content: the same content has the same hash.", required=True),
    Column("_rescued", "map<string,string>", "Values of columns that the contract does not know.", pii="raw"),
)


def accepted(source: Source) -> Table:
    """`bronze.<source>`: one row per accepted version of a source row. Versions of a key differ in content."""
    return Table(
        name=f"bronze.{source.id}",
        purpose=f"Rows of source {source.id} as they came, typed. {source.description}".strip(),
        key=("_record_hash",),
        columns=(
            *(
                Column(
                    name,
                    column.type,
                    column.description or f"`{column.header or name}` of the source file.",
                    required=column.required or name in source.key,
                    pii=column.pii,
                    check=" AND ".join(f"({condition})" for condition in column.expect) or None,
                )
                for name, column in source.columns.items()
            ),
            *ACCEPT_LINEAGE,
        ),
        write=AppendOnce(),
    )


def quarantine(source: Source) -> Table:
    """`bronze.<source>_quarantine`: one row per refused source row, with what is needed to drive it again."""
    return Table(
        name=f"bronze.{source.id}_quarantine",
        purpose=f"Rows of source {source.id} that broke its contract.",
        key=("quarantine_id",),
        columns=(
            text("quarantine_id", "SHA-256 of file content hash and row number.", required=True),
            Column("raw_row", "string", "JSON of column name to text, as the file had it.", required=True, pii="raw"),
            Column("rules", "array<string>", "Every rule that the row broke.", required=True),
            text("contract_hash", "Hash of the source's contract that refused it.", required=True),
            one_of("status", "What became of it.", ("open", "replayed", "duplicate"), required=True),
            text("file_hash", "SHA-256 of the landing file's bytes.", required=True),
            number("try_count", "Times a contract was tried on it.", required=True),
            *(column for column in ACCEPT_LINEAGE if column.name not in ("_record_hash", "_rescued")),
        ),
        write=MergeByKey(newest_by=("try_count",)),
    )


def tables(pack: Pack) -> tuple[Table, ...]:
    """Both bronze tables of every source, in the pack's order."""
    return tuple(table for source in pack.sources for table in (accepted(source), quarantine(source)))
