"""Ops tables: what ran, which files came, how many rows went where, which checks held. Written without Spark."""

from cdp_lib.contracts.table import AppendOnce, Column, instant, number, one_of, Table, text

JOB_RUN = Table(
    name="ops.job_run",
    purpose="One row per state that a job of a run reached; the last row of a run and job is its state.",
    key=("run_id", "job", "attempt", "status"),
    columns=(
        text("run_id", "Names the run.", required=True),
        number(
            "run_number", "Rises with every run of the lakehouse's pack; Delta's transaction version.", required=True
        ),
        text("workflow", "E.g. daily.", required=True),
        text("job", "The job; `*` is the run itself.", required=True),
        number("attempt", "1 for the first try.", required=True),
        one_of("status", "State.", ("started", "succeeded", "failed", "skipped"), required=True),
        Column("as_of_date", "date", "The run's as-of date; null before it is known."),
        instant("recorded_at", "When the state was reached.", required=True),
        Column("seconds", "double", "Wall time of the attempt; null while started."),
        Column("inputs", "map<string,bigint>", "Table: Delta version read.", required=True),
        Column(
            "outputs",
            "map<string,bigint>",
            "Table: Delta version after the job; when started, before it.",
            required=True,
        ),
        text("watched", "Fingerprint of what the job reads outside the lakehouse."),
        text("config_hash", "Hash of the pack and the code that shaped the job.", required=True),
        text("error", "Kind and message of the failure, without personal data."),
        text("owner", "User, host and process.", required=True),
    ),
    write=AppendOnce(),
)

SOURCE_FILE = Table(
    name="ops.source_file",
    purpose="What became of each landing file: one row per file content and run that dealt with it.",
    key=("run_id", "source_system", "path", "content_hash", "status"),
    columns=(
        text("run_id", "Run that dealt with it.", required=True),
        number("run_number", "That run's number.", required=True),
        text("source_system", "Source id of the pack.", required=True),
        text("path", "Relative to the landing folder.", required=True),
        text("content_hash", "SHA-256 of the bytes.", required=True),
        number("byte_count", "Size in bytes.", required=True),
        instant("modified_at", "Modification time in the landing folder.", required=True),
        one_of(
            "status",
            "What became of it; `planned` is followed by another.",
            ("planned", "ingested", "empty", "resent", "refused"),
            required=True,
        ),
        text("reason", "Why it was refused, or what is worth knowing (changed, columns rescued)."),
        text("contract_hash", "Hash of the source's contract at that time.", required=True),
        instant("recorded_at", "Time of the run.", required=True),
    ),
    write=AppendOnce(),
)

ROW_ACCOUNT = Table(
    name="ops.row_account",
    purpose="Where the rows of each file went, each figure counted: read = accepted + quarantined + duplicate.",
    key=("run_id", "source_system", "path"),
    columns=(
        text("run_id", "Run.", required=True),
        text("source_system", "Source id of the pack.", required=True),
        text("path", "Landing file; `quarantine` for a replay.", required=True),
        number("read_count", "Rows that the reader found.", required=True),
        number("accepted_count", "Rows added to bronze.", required=True),
        number("quarantined_count", "Rows that broke the contract.", required=True),
        number("duplicate_count", "Rows whose key and content bronze already had.", required=True),
        instant("recorded_at", "Time of the run.", required=True),
    ),
    write=AppendOnce(),
)

QUALITY_RESULT = Table(
    name="ops.quality_result",
    purpose="One row per check of a table that a run was about to publish.",
    key=("run_id", "table_name", "expectation", "column_name"),
    columns=(
        text("run_id", "Run.", required=True),
        text("job", "Job that wrote the table.", required=True),
        text("table_name", "Table checked.", required=True),
        text("expectation", "Great Expectations type, or the rule's id.", required=True),
        text("column_name", "Column or columns; empty for the table.", required=True),
        one_of(
            "severity",
            "What a failure does: error stops the run; withhold leaves the table as it was.",
            ("error", "warn", "withhold"),
            required=True,
        ),
        Column("success", "boolean", "Whether it held.", required=True),
        text("observed", "What was seen: figures only, never values of rows."),
        instant("checked_at", "When.", required=True),
    ),
    write=AppendOnce(),
)

AUDIT = Table(
    name="ops.audit",
    purpose="What people did to the platform by hand: one row per deed.",
    key=("happened_at", "actor", "action", "subject"),
    columns=(
        instant("happened_at", "When.", required=True),
        text("actor", "Who, as user@host:pid.", required=True),
        text("action", "What, e.g. identity_link, review_import, model_promote.", required=True),
        text("subject", "What it was done to: hashes of records, a model's name; no personal data.", required=True),
        text("detail", "How it ended, e.g. the model's version."),
    ),
    write=AppendOnce(),
)

MODEL_MONITOR = Table(
    name="ops.model_monitor",
    purpose="What a model said of days that have passed, beside what came true: one row per run, table and metric.",
    key=("run_id", "table_name", "scored_as_of_date", "metric"),
    columns=(
        text("run_id", "Run that compared.", required=True),
        text("table_name", "Scores that were compared, e.g. gold.churn_score.", required=True),
        text("model_version", "Model that gave them.", required=True),
        Column("scored_as_of_date", "date", "The scores' as-of date.", required=True),
        Column("horizon_days", "int", "Days after it that the scores speak of.", required=True),
        Column("elapsed_days", "int", "Days of them that have passed; predictions are taken pro rata.", required=True),
        text(
            "metric",
            "E.g. purchase_count, spend_amount, auc, brier; left_out_count: scored, but not known today.",
            required=True,
        ),
        Column("predicted", "double", "What the scores said; null: the metric has no such side."),
        Column("observed", "double", "What came true, or the metric itself.", required=True),
        number("customer_count", "Customers compared.", required=True),
        instant("recorded_at", "When.", required=True),
    ),
    write=AppendOnce(),
)

TABLES = (JOB_RUN, SOURCE_FILE, ROW_ACCOUNT, QUALITY_RESULT, AUDIT, MODEL_MONITOR)
