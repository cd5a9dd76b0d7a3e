"""Gold tables, read by people and channels. `gold.customer` is its fixed columns plus the pack's traits."""

from cdp_lib.contracts.identity import GOLDEN_RECORD
from cdp_lib.contracts.silver import CUSTOMER_RECORD, ENTITIES, FACT_TIME
from cdp_lib.contracts.table import amount, Column, instant, number, ReplaceAll, Table, text
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.source import PiiKind
from cdp_lib.settings.sql import columns_in, parse_type
from cdp_lib.settings.trait import Trait

_OF_RECORD = ("first_name", "last_name", "email", "phone", "birth_date", "gender", "city", "postcode")

CUSTOMER_FIXED: tuple[Column, ...] = (
    text("golden_id", "The stable id of the person.", required=True),
    Column("as_of_date", "date", "The last day that the row knows, in the pack's zone.", required=True),
    *(CUSTOMER_RECORD.column(name) for name in _OF_RECORD),
    number("record_count", "Source records that are this person.", required=True, check="record_count >= 1"),
    Column("source_systems", "array<string>", "Sources that know the person, sorted.", required=True),
    instant("first_order_at", "First order up to the as-of date; null: none."),
    instant("last_order_at", "Last order up to the as-of date; null: none."),
    number(
        "order_count",
        "Orders up to the as-of date, refunds included as the source has them.",
        required=True,
        check="order_count >= 0",
    ),
    amount("total_amount", "Net paid up to the as-of date; 0 without orders.", required=True),
    text("currency", "ISO 4217 code of the amounts.", required=True),
    text("_run_id", "Run that computed the row.", required=True),
)

FIXED_TRAITS: tuple[Trait, ...] = tuple(
    Trait.model_validate({"kind": "trait", "name": name, "from": "order", "select": select})
    for name, select in (
        ("first_order_at", "min(ordered_at)"),
        ("last_order_at", "max(ordered_at)"),
        ("order_count", "count(*)"),
        ("total_amount", "sum(paid_amount)"),
    )
)
"""The fixed columns that are aggregates: computed in the same pass as the pack's traits."""


_FIGURES = frozenset({"boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal"})
"""Types whose values are not somebody's own words, name or day."""


def customer(pack: Pack) -> Table:
    """`gold.customer`: one row per golden_id, true as of `as_of_date`."""
    return Table(
        name="gold.customer",
        purpose="The single view: one row per person with who they are and what they did.",
        key=("golden_id",),
        columns=(*CUSTOMER_FIXED, *(_trait_column(trait, pack) for trait in pack.traits)),
        write=ReplaceAll(),
        cluster_by=("golden_id",),
    )


def _trait_column(trait: Trait, pack: Pack) -> Column:
    where = f" where {trait.where}" if trait.where else ""
    window = f" in the last {trait.window_days} days" if trait.window_days else ""
    default = f"{trait.select} from {trait.from_}{where}{window}."
    return Column(trait.name, trait_type(trait, pack), trait.description or default, pii=_personal_kind(trait, pack))


def _personal_kind(trait: Trait, pack: Pack) -> PiiKind | None:
    """The mark of the first personal column that the trait repeats; null for figures, which repeat none."""
    if trait.ratio or parse_type(trait_type(trait, pack)).name in _FIGURES:
        return None
    read = sorted(columns_in(trait.select if trait.is_derived else trait.call.argument))
    return next((mark for name in read if (mark := _mark_of(name, trait.from_, pack))), None)


def _mark_of(name: str, entity: str, pack: Pack) -> PiiKind | None:
    """The mark of a column that a trait reads. Traits may read one another, in no circle: `check_pack` sees to it."""
    if entity == "customer":
        read = next((trait for trait in pack.traits if trait.name == name), None)
        if read is not None:
            return _personal_kind(read, pack)
    fixed = {"customer": CUSTOMER_FIXED, "golden_record": GOLDEN_RECORD.columns}
    columns = fixed[entity] if entity in fixed else ENTITIES[entity].columns
    return next((column.pii for column in columns if column.name == name), None)


def trait_type(trait: Trait, pack: Pack) -> str:
    """The SQL type of a trait's column; raises ValueError where it must be declared with `type:`."""
    if trait.type:
        return trait.type
    if trait.is_derived:
        return _derived_type(trait)
    function, argument = trait.call
    if function in ("count", "count_distinct"):
        return "bigint"
    columns = {column.name: column.type for column in ENTITIES[trait.from_].columns} if trait.from_ in FACT_TIME else {}
    of_argument = columns.get(argument.strip("`").lower())
    if of_argument is None:
        raise ValueError(f"the type of {trait.select!r} cannot be derived; write `type:`, e.g. type: decimal(18,2)")
    if function in ("list", "distinct"):
        return f"array<{of_argument}>"
    is_decimal = parse_type(of_argument).name == "decimal"
    if function == "avg":
        return "decimal(18,2)" if is_decimal else "double"
    return of_argument


def _derived_type(trait: Trait) -> str:
    if trait.ratio:
        return "double"
    if trait.from_ == "golden_record" and trait.select in GOLDEN_RECORD.column_names:
        return GOLDEN_RECORD.column(trait.select).type
    raise ValueError(f"the type of {trait.select!r} cannot be derived; write `type:`, e.g. type: double")


def tables(pack: Pack) -> tuple[Table, ...]:
    """Every gold table of the pack."""
    return (customer(pack),)
