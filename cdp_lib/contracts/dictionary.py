"""The data dictionary as Markdown, written from the tables' declarations: nothing in it can be out of date."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from cdp_lib.contracts import activation, bronze, gold, identity, matching, ops, results, scores, silver
from cdp_lib.contracts.table import AppendOnce, Column, LINEAGE_PREFIX, MergeByKey, ReplaceSlice, Table
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.matching import Matching
from cdp_lib.settings.pack import Pack, PackInfo
from cdp_lib.settings.source import Source

_FOLDER = "docs/data_dictionary"
_MADE_BY = "Made by `make docs` from the declarations in `cdp_lib/contracts` and the packs; do not edit."
_WHERE = (
    "Tables lie at `<lakehouse>/<pack>/<layer>/<table>` in the Delta format. "
    "These are the tables, and the parts of tables, that every pack has."
)
_CONVENTIONS = (
    "Instants are UTC. Amounts are decimal(18,2) in the row's currency. A null means unknown, unless the meaning says "
    "more. Columns that begin with `_` say where a row came from. *Required* columns are never null. *Personal* names "
    "the kind of personal data that a column holds."
)
_LAYERS = (
    ("bronze", "What arrived, typed, every accepted version of every row; and what was refused."),
    ("silver", "The same meaning in every business: cleaned, conformed, and who is who."),
    ("gold", "What people and channels read."),
    ("ops", "What ran, what came, what was found."),
)


def dictionary_files(packs: Sequence[Pack]) -> dict[str, str]:
    """Path below the repository: text. One file for what all packs share, one per pack for what its YAML adds."""
    return {f"{_FOLDER}.md": _shared(packs)} | {f"{_FOLDER}/{pack.name}.md": _of_pack(pack) for pack in packs}


def _shared(packs: Sequence[Pack]) -> str:
    names = ", ".join(
        f"[{pack.name}](data_dictionary/{pack.name}.md)" for pack in sorted(packs, key=lambda one: one.name)
    )
    parts = ["# Data dictionary", _MADE_BY, f"{_WHERE} What a pack adds: {names or 'nothing yet'}.", _CONVENTIONS]
    shared = list(_shared_tables())
    for layer, purpose in _LAYERS:
        tables = [table for table in shared if table.layer == layer]
        parts += [f"## {layer}\n\n{purpose}", *(_section(table) for table in tables)]
    return "\n\n".join(parts) + "\n"


def _shared_tables() -> Iterator[Table]:
    """Fixed tables, and the fixed part of those that a pack completes."""
    source = Source.model_validate(
        {"kind": "source", "id": "source", "key": ["key"], "columns": {"key": {"type": "string"}}}
        | {"read": {"format": "csv", "path": "*.csv"}}
    )
    its_own = Column("...", "any", "The source's own columns, by its contract.")
    accepted = bronze.accepted(source)
    columns = (its_own, *(column for column in accepted.columns if column.name != "key"))
    yield replace(accepted, name="bronze.<source>", purpose="Rows of one source as they came, typed.", columns=columns)
    yield replace(
        bronze.quarantine(source), name="bronze.<source>_quarantine", purpose="Rows that broke the source's contract."
    )
    yield from silver.ENTITIES.values()
    yield from _identity_tables()
    business = Pack(PackInfo(kind="pack", id="any", currency="XXX", time_zone="UTC"), (), Identity(kind="identity"))
    customer = gold.customer(business)
    yield replace(customer, columns=(*customer.columns, Column("...", "any", "The pack's traits, by their names.")))
    yield from (*activation.TABLES, *scores.TABLES, *results.TABLES)
    yield from (*ops.TABLES, *activation.OPS_TABLES)


def _identity_tables() -> Iterator[Table]:
    yield from identity.TABLES
    yield identity.IDENTITY_OVERRIDE
    pairs = matching.match_pair(Matching(comparisons=(), rivals=()))
    level = Column("<field>_level", "int", "How well the field agrees, 0: clearly differs; null: unknown on a side.")
    yield replace(pairs, columns=(*pairs.columns[:3], level, *pairs.columns[3:]))
    yield from (matching.MATCH_KEY, matching.REVIEW_PAIR)


def _of_pack(pack: Pack) -> str:
    info = pack.info
    parts = [
        f"# Data dictionary of {info.title or pack.name}",
        _MADE_BY,
        f"What this pack adds to the [tables of every pack](../data_dictionary.md). Amounts are in "
        f"{info.currency}; days are those of {info.time_zone}.",
        "## gold.customer\n\nThe pack's traits, after the fixed columns.",
        _columns(gold.customer(pack).columns[len(gold.CUSTOMER_FIXED) :]) if pack.traits else "None yet.",
        "## bronze\n\nEach source has also a table `bronze.<source>_quarantine`. Lineage columns are left out here.",
        *(_source_section(source) for source in pack.sources),
    ]
    return "\n\n".join(parts) + "\n"


def _source_section(source: Source) -> str:
    table = bronze.accepted(source)
    own = tuple(column for column in table.columns if not column.name.startswith(LINEAGE_PREFIX))
    fed = ", ".join(dict.fromkeys(f"silver.{feed.to}" for feed in source.feeds)) or "nothing; kept in bronze"
    facts = [f"Read from: `{source.read.path}`", f"names a row: {_names(source.key)}", f"feeds: {fed}"]
    return "\n\n".join(
        [f"### `{table.name}`", source.description or table.purpose, f"{'; '.join(facts)}.", _columns(own)]
    )


def _section(table: Table) -> str:
    facts = [f"Key: {_names(table.key)}", f"written: {_write_mode(table)}"]
    if table.cluster_by:
        facts.append(f"clustered by: {_names(table.cluster_by)}")
    parts = [f"### `{table.name}`", table.purpose, f"{'; '.join(facts)}.", _columns(table.columns, table.key)]
    if table.checks:
        parts.append(
            "\n".join(["Checks over several columns:", "", *(f"- {name}: `{rule}`" for name, rule in table.checks)])
        )
    return "\n\n".join(parts)


def _write_mode(table: Table) -> str:
    mode = table.write
    if isinstance(mode, MergeByKey):
        order = f"the newest row wins by {_names(mode.newest_by)}" if mode.newest_by else "a row that differs replaces"
        return f"merged by key, {order}"
    if isinstance(mode, AppendOnce):
        return "rows are added once and never changed"
    if isinstance(mode, ReplaceSlice):
        return f"rows of the written `{mode.column}` are replaced"
    return "replaced as a whole"


def _columns(columns: Iterable[Column], key: Sequence[str] = ()) -> str:
    lines = ["| column | type | required | personal | meaning | check |", "|---|---|---|---|---|---|"]
    for column in columns:
        required = "yes" if column.required or column.name in key else ""
        check = f"`{column.check}`" if column.check else ""
        cells = [f"`{column.name}`", f"`{column.type}`", required, column.pii or "", column.description, check]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
