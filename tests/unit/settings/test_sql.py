"""Spark SQL leaves are read without a JVM."""

import pytest

from cdp_lib.settings.sql import (
    columns_in,
    columns_outside_aggregates,
    expression_faults,
    fields_in,
    has_aggregate,
    map_entries,
    of_one_row,
    parse_expression,
    parse_type,
    TypeTree,
)
from jobs.compose import sql_functions


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a + B", {"a", "b"}),
        ("address.city", {"address"}),
        ("items[0].price", {"items"}),
        ("transform(items, x -> x.price * rate)", {"items", "rate"}),
        ("map_filter(tags, (k, v) -> v IS NOT NULL)", {"tags"}),
        ("timestamp'2017-01-01 00:00:00'", set()),
        ("'text'", set()),
        ("`odd name`", {"odd name"}),
        ("count(*)", set()),
    ],
)
def test_columns_are_the_top_level_names(text: str, columns: set[str]) -> None:
    assert columns_in(text) == columns


@pytest.mark.parametrize(
    ("text", "aggregates", "outside"),
    [
        ("sum(a) / count(*)", True, set()),
        ("min(if(a > 1, b, NULL)) + c", True, {"c"}),
        ("sum(a) FILTER (WHERE b > 1)", True, set()),
        ("sum(a) OVER (PARTITION BY b)", False, {"a", "b"}),
        ("array_sort(collect_set(a))", True, set()),
        ("aggregate(xs, 0, (acc, x) -> acc + x)", False, {"xs"}),
        ("some_udaf(a)", False, set()),
        ("upper(a)", False, {"a"}),
    ],
)
def test_aggregates_and_what_stands_beside_them(text: str, aggregates: bool, outside: set[str]) -> None:
    assert (has_aggregate(text), columns_outside_aggregates(text)) == (aggregates, outside)


def test_fields_name_the_key_of_a_map_read_by_a_literal() -> None:
    assert fields_in("cast(tags['size'] AS int) + weights[unit] + amount") == {"tags.size", "weights", "unit", "amount"}


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("map('a', x, 'b', upper(y))", {"a": "x", "b": "UPPER(y)"}),
        ("map()", {}),
        ("map(k, v)", None),
        ("map_from_arrays(ks, vs)", None),
    ],
)
def test_entries_of_a_literal_map(text: str, entries: dict[str, str] | None) -> None:
    assert map_entries(text) == entries


@pytest.mark.parametrize("text", ["", "a +", "a AS b", "SELECT a", "a; b", "DROP TABLE a", "*", "a IN (SELECT b)"])
def test_what_is_no_single_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expression|the key is the name"):
        parse_expression(text)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("decimal(18,2)", TypeTree("decimal", (18, 2))),
        ("decimal(5)", TypeTree("decimal", (5, 0))),
        ("decimal", TypeTree("decimal", (10, 0))),
        ("array<string>", TypeTree("array", (), (("", TypeTree("string")),))),
        ("map<string,int>", TypeTree("map", (), (("", TypeTree("string")), ("", TypeTree("int"))))),
        (
            "struct<sku:string,n:bigint>",
            TypeTree("struct", (), (("sku", TypeTree("string")), ("n", TypeTree("bigint")))),
        ),
        ("timestamp", TypeTree("timestamp")),
        ("STRING", TypeTree("string")),
    ],
)
def test_types_are_trees(text: str, tree: TypeTree) -> None:
    assert parse_type(text) == tree


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strin", r"unknown type 'strin'\. Did you mean 'string'\?"),
        ("interval", "unknown type 'interval'"),
        ("interval day", "unknown type 'interval day'"),
        (
            "decimal(50,2)",
            r"no such type 'decimal\(50,2\)': a decimal has 1 to 38 digits, and no more behind the point",
        ),
        ("array<decimal(2,5)>", r"no such type 'array<decimal\(2,5\)>'"),
        ("decimal(x)", r"no such type 'decimal\(x\)'"),
        ("", "unknown type"),
    ],
)
def test_unknown_types_are_met_with_a_near_miss(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_type(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("reflect('java.lang.System', 'getenv', 'HOME')", "reflect"),
        ("`java_method`('java.lang.System', 'nanoTime')", "java_method"),
        ("system.builtin.try_reflect('java.lang.System', 'nanoTime')", "try_reflect"),
        ("transform(xs, x -> Uuid ( ))", "uuid"),
        ("a /* now */ + uniform(1, 2)", "uniform"),
        ("current_user", "current_user"),
        ("concat(a, CURRENT_DATE)", "current_date"),
        ("localtimestamp", "localtimestamp"),
        ("unix_timestamp() - a", "unix_timestamp()"),
    ],
)
def test_what_is_not_of_the_rows_is_refused_however_it_is_written(text: str, name: str) -> None:
    (fault,) = [one for one in expression_faults(text, None) if "reads more than its row" in one]
    assert fault.startswith(f"'{name}' in ")


@pytest.mark.parametrize(
    "text", ["user", "a.version", "uuid", "first", "'now()'", "unix_timestamp(a)", "lower(reflect)"]
)
def test_columns_and_texts_may_be_called_like_a_function(text: str) -> None:
    assert expression_faults(text, {"user", "a", "uuid", "first", "reflect"}) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strpos(a, 'x')", "unknown function 'strpos'"),
        ("safe_divide(a, b)", "unknown function 'safe_divide' in 'safe_divide(a, b)'. Did you mean 'try_divide'?"),
        ("upper(starts_with(a, b))", "unknown function 'starts_with' in 'upper(starts_with(a, b))'. Did you mean"),
        ("lit(3)", "unknown function 'lit'"),
    ],
)
def test_functions_of_other_dialects_are_unknown(text: str, said: str) -> None:
    (fault,) = expression_faults(text, ("a", "b"), sql_functions())
    assert fault.startswith(said)


@pytest.mark.parametrize(
    "text",
    [
        "len(a) + locate('x', a) + if(a, 1, 2) + bigint(b)",
        "try_cast(a AS decimal(18,2)) + extract(year FROM b) + position('x' IN a)",
        "sum(a) FILTER (WHERE b IN (1, 2)) OVER (PARTITION BY (b))",
        "transform(a, (x, i) -> (x + i)) AND (b) OR NOT (a) AND exists(a, x -> x > 1)",
        "trim(BOTH ' ' FROM a) || left(a, 2) || struct(a).a || date'2025-01-31'",
    ],
)
def test_functions_and_syntax_of_spark_are_known(text: str) -> None:
    assert expression_faults(text, ("a", "b"), sql_functions()) == []


@pytest.mark.parametrize(
    ("text", "single"),
    [
        ("max(changed_at)", "(changed_at)"),
        ("coalesce(MAX(a), min (b), c)", "coalesce((a),  (b), c)"),
        ("to_timestamp(max(a), 'max(b)')", "to_timestamp((a), 'max(b)')"),
        ("greatest(max, min)", "greatest(max, min)"),
        ("changed_at", "changed_at"),
        ("max(a) + count(b)", None),
    ],
)
def test_an_aggregate_over_one_row(text: str, single: str | None) -> None:
    assert of_one_row(text) == single
