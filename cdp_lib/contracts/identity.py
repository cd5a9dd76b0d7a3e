"""Silver's identity tables: which person each record is, how that came about, and the surviving record."""

from cdp_lib.contracts.matching import MATCH_KEY, match_pair, REVIEW_PAIR
from cdp_lib.contracts.silver import CUSTOMER_RECORD, RECORD_KEY
from cdp_lib.contracts.table import AppendOnce, Column, instant, MergeByKey, number, one_of, Table, text
from cdp_lib.settings.pack import Pack

_SOURCE = CUSTOMER_RECORD.column("source_system")

IDENTITY_LINK = Table(
    name="silver.identity_link",
    purpose="Which person each record is: one row per customer_record.",
    key=RECORD_KEY,
    columns=(
        _SOURCE,
        text("source_record_id", "The source's own id of the person.", required=True, pii="online_id"),
        text("golden_id", "The stable id of the person over all sources.", required=True),
        text("cluster_id", "The group of records that is the person: hash of its smallest record.", required=True),
        text(
            "component_id",
            "Hash of the smallest record that any chain of links, ties or decisions leads to, allowed or not: what may "
            "change the group.",
            required=True,
        ),
        text(
            "matched_by",
            "What ties the record to another one of the person: identifiers in priority order, `match` for a probable "
            "match, `decision` for a person's; null: it stands alone.",
        ),
        text("founding_record", "Hash of the record that founded the golden_id.", required=True),
        instant("founded_at", "Run that founded the golden_id: of ids that are merged, the oldest survives."),
        instant("linked_at", "Run that gave the record this golden_id.", required=True),
        text("_run_id", "Run that wrote the row.", required=True),
    ),
    # No `newest_by`: one job writes it, run after run, and a clock that was set back must not hold a link in place.
    write=MergeByKey(),
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
    write=MergeByKey(),
    cluster_by=("golden_id",),
)

IDENTITY_OVERRIDE = Table(
    name="silver.identity_override",
    purpose="What people decided about two records, whatever the figures say: one row per decision, the newest holds.",
    key=("override_id",),
    columns=(
        text("override_id", "SHA-256 of the pair, the decision and its time.", required=True),
        text("source_system_l", "Source of the first record.", required=True),
        text("source_record_id_l", "Id of the first record there.", required=True, pii="online_id"),
        text("source_system_r", "Source of the second record.", required=True),
        text("source_record_id_r", "Id of the second record there.", required=True, pii="online_id"),
        one_of(
            "decision",
            "link: one person. unlink: two people. withdraw: an earlier decision holds no longer.",
            ("link", "unlink", "withdraw"),
            required=True,
        ),
        instant("decided_at", "When.", required=True),
        text("decided_by", "Who, as user@host.", required=True, pii="online_id"),
        text("reason", "Why, in the person's words.", pii="free_text"),
        one_of("origin", "How it came in.", ("command", "review"), required=True),
    ),
    write=AppendOnce(),
)

TABLES = (IDENTITY_LINK, IDENTITY_EVENT, GOLDEN_RECORD)
"""What every pack's identity is."""


def tables(pack: Pack) -> tuple[Table, ...]:
    """What the identity job writes for the pack: with `matching`, probable matches too."""
    matching = pack.identity.matching
    return TABLES if matching is None else (*TABLES, match_pair(matching), MATCH_KEY, REVIEW_PAIR)
