"""Raw rows held to their source's contract: typed, hashed, and marked with every rule that they break."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.source import Source
from cdp_lib.settings.sql import parse_type, TypeTree
from cdp_lib.transforms.ingest.checks import broken_rules, contract_groups, is_fine
from cdp_lib.transforms.ingest.parsing import given_text, typed_value

CANNOT_BE_SPLIT = "row: cannot be split into columns"

_PLACE = ("_source_file", "_row_number", "_file_hash")
_MALFORMED = "_malformed"
_BETWEEN = "\x1f"
"""Between the names of rules while they are one text; YAML lets no such character into a name."""
_TEXT_MAP = "map<string,string>"


def apply_contract(raw: DataFrame, source: Source, *, time_zone: str) -> DataFrame:
    """One row per raw row: the contract's columns typed, `_rules` it breaks (sorted; empty: none), `_record_hash`.

    `_record_hash` is the lower hex SHA-256 of the typed values and the rescued ones by name, nulls left out: the same
    content has the same hash whatever its file, its text form, or columns added to the contract since. `_raw_row` is
    the row's raw texts as JSON by the file's names, null for a good row. A condition that is null counts as kept: a
    missing value is judged by `required` alone; one that throws is broken and "cannot be computed". Local times are of
    the column's zone, else of `time_zone`. Further columns of `raw` are passed through. Assumes a session in UTC.
    """
    columns, null_values = source.columns, source.read.unknown_texts
    others = [name for name in raw.columns if name.startswith("_") and name not in (_MALFORMED, "_rescued")]
    kept = [*others, _MALFORMED, *(f"_raw_{name}" for name in columns)]
    texts = raw.select(
        *others,
        _MALFORMED,
        "_rescued",
        *(F.col(name).alias(f"_raw_{name}") for name in columns),
        *(given_text(name, column, null_values).alias(f"_text_{name}") for name, column in columns.items()),
    )
    typed = texts.select(
        *kept,
        _telling(F.col("_rescued"), null_values).alias("_rescued"),
        *(typed_value(F.col(f"_text_{name}"), column, time_zone).alias(name) for name, column in columns.items()),
        *(
            F.col(f"_text_{name}").isNotNull().alias(f"_is_given_{name}")
            for name, column in columns.items()
            if column.type != "string"
        ),
    )
    groups = contract_groups(source)
    # Computed once: Spark shares what two columns compute in any case.
    is_good = is_fine(groups)
    return typed.select(
        *columns,
        *others,
        "_rescued",
        _record_hash(source).alias("_record_hash"),
        _rules(is_good, broken_rules(groups)).alias("_rules"),
        F.when(~is_good, _raw_row(source)).alias("_raw_row"),
    )


def raw_rows_of_quarantine(quarantine: DataFrame, source: Source) -> DataFrame:
    """Rows of `bronze.<source>_quarantine` as raw rows again, split by the contract as it is now.

    Beside the raw-row columns: `_quarantine_id` and `_try_count`. A column that the contract has learnt since leaves
    `_rescued`; a row that could not be split stays `_malformed`.
    """
    fields = F.col("fields")
    headers = _headers(source)
    rescued = F.map_filter(fields, lambda name, _: ~name.isin([*headers.values(), _MALFORMED]))
    return quarantine.select(
        "_source_file",
        "_row_number",
        F.col("file_hash").alias("_file_hash"),
        F.from_json("raw_row", _TEXT_MAP).alias("fields"),
        F.col("quarantine_id").alias("_quarantine_id"),
        F.col("try_count").alias("_try_count"),
    ).select(
        *_PLACE,
        F.try_element_at(fields, F.lit(_MALFORMED)).alias(_MALFORMED),
        *(F.try_element_at(fields, F.lit(header)).alias(name) for name, header in headers.items()),
        F.when(F.size(rescued) > 0, rescued).alias("_rescued"),
        "_quarantine_id",
        "_try_count",
    )


def _headers(source: Source) -> dict[str, str]:
    return {name: column.header or name for name, column in source.columns.items()}


def _telling(rescued: Column, null_values: Sequence[str]) -> Column:
    """The rescued values that say something; null where there are none."""
    kept = F.map_filter(rescued, lambda _, text: text.isNotNull() & ~F.trim(text).isin(list(null_values)))
    return F.when(F.size(kept) > 0, kept)


def _rules(is_good: Column, broken: Sequence[tuple[str, Column]]) -> Column:
    """What is said of the row, sorted; empty for a good one. Of a row that could not be split nothing else is said.

    It is a lambda's result so that Spark interprets it: compiled, all rules together are more code than the JVM cares
    to optimise, and that slows down every row (probed: three times the CPU), though few rows need it.
    """
    none = F.array().cast("array<string>")
    names = F.concat_ws(_BETWEEN, *(F.when(is_true, F.lit(said)) for said, is_true in broken))
    said = F.get(F.transform(F.array(F.lit(0)), lambda _: F.split(names, _BETWEEN)), F.lit(0))
    cannot_be_split = F.array(F.lit(CANNOT_BE_SPLIT))
    return F.when(is_good, none).when(F.col(_MALFORMED).isNotNull(), cannot_be_split).otherwise(said)


def _raw_row(source: Source) -> Column:
    """One flat object of what the file said: null texts are left out, rescued ones stand beside the known."""
    texts = [F.col(f"_raw_{name}").alias(header) for name, header in _headers(source).items()]
    known = F.to_json(F.struct(*texts, _MALFORMED))
    rescued = F.to_json("_rescued")
    both = F.concat(F.substr(known, F.lit(1), F.length(known) - 1), F.lit(","), F.substr(rescued, F.lit(2)))
    return F.when(F.col("_rescued").isNull(), known).when(known == "{}", rescued).otherwise(both)


def _record_hash(source: Source) -> Column:
    """By name and without nulls: no value can pass for its neighbour's, and a new column leaves old hashes alone."""
    content = [
        _canonical(F.col(name), parse_type(source.columns[name].type)).alias(name) for name in sorted(source.columns)
    ]
    rescued = F.sort_array(F.map_entries("_rescued")).alias("_rescued")
    return F.sha2(F.to_json(F.struct(*content, rescued)), 256)


def _canonical(value: Column, kind: TypeTree) -> Column:
    """The value in a form whose JSON is the same for equal values and another for different ones."""
    if kind.name == "timestamp":
        # JSON would show milliseconds only.
        return F.unix_micros(value)
    if kind.name == "timestamp_ntz":
        return value.cast("string")
    if not _needs_care(kind):
        return value
    if kind.name == "array":
        return F.transform(value, lambda item: _canonical(item, kind.children[0][1]))
    if kind.name == "map":
        entries = F.map_entries(value)
        of_value = kind.children[1][1]
        return F.array_sort(
            F.transform(entries, lambda pair: F.struct(pair["key"], _canonical(pair["value"], of_value).alias("value")))
        )
    fields = [_canonical(value[name], child).alias(name) for name, child in kind.children]
    return F.when(value.isNotNull(), F.struct(*fields))


def _needs_care(kind: TypeTree) -> bool:
    return kind.name in ("map", "timestamp", "timestamp_ntz") or any(_needs_care(child) for _, child in kind.children)
