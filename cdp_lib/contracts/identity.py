"""Silver's identity tables: which person each record is, how that came about, and the surviving record."""

from cdp_lib.contracts.silver import CUSTOMER_RECORD, RECORD_KEY
from cdp_lib.contracts.table import AppendOnce, Column, instant, number, one_of, ReplaceAll, Table, text

_SOURCE = CUSTOMER_RECORD.column("source_system")

IDENTITY_LINK = Table(
    name="silver.identity_link",
    purpose="Which person each record is: one row per customer_record.",
    key=RECORD_KEY,
    columns=(
        _SOURCE,
        text("source_record_id", "The source's own id of the person.", required=True, pii="online_id"),
        text("golden_id", "The stable id of the person over all sources.", required=True),
        text("cluster_id", "This run's group: hash of its smallest record.", required=True),
        text("matched_by", "Identifiers that tie the record to another one, in priority order; null: it stands alone."),
        text("founding_record", "Hash of the record that founded the golden_id.", required=True),
        instant("linked_at", "Run that gave the record this golden_id.", required=True),
        text("_run_id", "Run that wrote the row.", required=True),
    ),
    write=ReplaceAll(),
    cluster_by=("golden_id",),
)

IDENTITY_EVENT = Table(
    name="silver.identity_event",
    purpose="Everything that happened to golden ids: one row per assign, move, merge and split.",
    key=("identity_event_id",),
    columns=(
        text("identity_event_id", "SHA-256 of what happened in which run.", required=True),
        one_of("event_type", "What happened.", ("assign", "move", "merge", "split", "retire"), required=True),
        text("golden_id", "The id it happened to.", required=True),
        text("into_golden_id", "The id that stands for it from now on; null where it lives on itself."),
        text("source_system", "Record concerned; null where it concerns the whole person."),
        text("source_record_id", "Record concerned; null where it concerns the whole person.", pii="online_id"),
        text("cause", "Why.", required=True),
        instant("occurred_at", "Time of the run.", required=True),
        text("_run_id", "Run that wrote the row.", required=True),
    ),
    write=AppendOnce(),
)

GOLDEN_FIELDS = (
    "first_name",
    "last_name",
    "email",
    "phone",
    "birth_date",
    "gender",
    "address",
    "city",
    "postcode",
    "country",
)
"""Fields of customer_record that survive into golden_record, each from one winning source record."""

GOLDEN_RECORD = Table(
    name="silver.golden_record",
    purpose="One row per person: the winning value of every field and the source it came from.",
    key=("golden_id",),
    columns=(
        text("golden_id", "The stable id of the person.", required=True),
        *(column for column in CUSTOMER_RECORD.columns if column.name in GOLDEN_FIELDS),
        text("source_system", "Source of the surviving record.", required=True),
        text(
            "source_record_id",
            "The surviving record's id: its source ranks first, then the newest.",
            required=True,
            pii="online_id",
        ),
        Column(
            "field_sources",
            "map<string,string>",
            "Field: `source_system:source_record_id` that won it.",
            pii="online_id",
        ),
        Column("identifiers", "map<string,string>", "Winning exact identifiers.", pii="online_id"),
        Column("attributes", "map<string,string>", "Winning attributes.", pii="free_text"),
        number("record_count", "Records that are this person.", required=True, check="record_count >= 1"),
        Column("source_systems", "array<string>", "Sources that know the person, sorted.", required=True),
        text("_record_hash", "SHA-256 of the content columns.", required=True),
        text("_run_id", "Run that wrote the row.", required=True),
    ),
    write=ReplaceAll(),
    cluster_by=("golden_id",),
)

TABLES = (IDENTITY_LINK, IDENTITY_EVENT, GOLDEN_RECORD)
