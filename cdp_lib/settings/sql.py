"""Read Spark SQL leaves and types without a JVM: what is wrong, which columns and functions they name."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from cdp_lib.errors import near_miss

_TERMINAL_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class TypeTree:
    """A parsed SQL type: `name` in lower case; `parameters` for decimal; `children` as (field name or "", type)."""

    name: str
    parameters: tuple[int, ...] = ()
    children: tuple[tuple[str, "TypeTree"], ...] = ()


_TYPE_NAMES = {
    "text": "string",
    "varchar": "string",
    "timestamptz": "timestamp",
    "timestamp": "timestamp_ntz",
    "timestampntz": "timestamp_ntz",
    "tinyint": "tinyint",
    "smallint": "smallint",
    "int": "int",
    "bigint": "bigint",
    "float": "float",
    "double": "double",
    "decimal": "decimal",
    "boolean": "boolean",
    "date": "date",
    "binary": "binary",
    "array": "array",
    "map": "map",
    "struct": "struct",
}
SCALAR_TYPES = ("string", "int", "bigint", "double", "decimal(18,2)", "boolean", "date", "timestamp")


def parse_type(text: str) -> TypeTree:
    """The type that a Spark SQL type text names; raises ValueError with a near-miss where it names none."""
    try:
        parsed = exp.DataType.build(text, dialect="spark")
    except (SqlglotError, ValueError) as problem:
        message = f"unknown type {text!r}.{near_miss(text, (*SCALAR_TYPES, 'array<string>', 'map<string,string>'))}"
        raise ValueError(message) from problem
    return _type_tree(parsed, text)


def _type_tree(node: exp.DataType, text: str) -> TypeTree:
    name = _TYPE_NAMES.get(str(node.this.value).lower())
    if name is None:
        raise ValueError(f"unknown type {text!r}.{near_miss(text, SCALAR_TYPES)}")
    if name == "decimal":
        return TypeTree(name, tuple(int(part.name) for part in node.expressions) or (10, 0))
    children = tuple(
        (part.name, _type_tree(part.kind, text)) if isinstance(part, exp.ColumnDef) else ("", _type_tree(part, text))
        for part in node.expressions
        if isinstance(part, exp.ColumnDef | exp.DataType)
    )
    return TypeTree(name, (), children)


def parse_expression(text: str) -> exp.Expression:
    """The syntax tree of one Spark SQL expression; raises ValueError saying what stands wrong and where."""
    try:
        return sqlglot.parse_one(text, dialect="spark")
    except SqlglotError as problem:
        first = _TERMINAL_COLOUR.sub("", str(problem).splitlines()[0]).rstrip(".")
        raise ValueError(f"not a Spark SQL expression: {first} in {text!r}") from problem


def columns_in(text: str) -> frozenset[str]:
    """The top-level columns that an expression reads, in lower case; `a.b.c` reads `a`."""
    return frozenset(_root(column).lower() for column in parse_expression(text).find_all(exp.Column))


def expression_faults(text: str, columns: Collection[str], functions: Collection[str] = ()) -> list[str]:
    """What is wrong with an expression over `columns`: syntax, unknown columns, unknown functions, each with a near-miss.

    `functions` are the names Spark knows; left empty, function names are not checked.
    """
    try:
        tree = parse_expression(text)
    except ValueError as problem:
        return [str(problem)]
    known = {column.lower() for column in columns}
    unknown = sorted({_root(column) for column in tree.find_all(exp.Column)} - _spelled_like(tree, known))
    faults = [f"unknown column '{name}' in {text!r}.{near_miss(name, columns)}" for name in unknown]
    called = sorted({call.name.lower() for call in tree.find_all(exp.Anonymous)})
    faults += [
        f"unknown function '{name}' in {text!r}.{near_miss(name, functions)}"
        for name in called
        if functions and name not in functions
    ]
    return faults


def _spelled_like(tree: exp.Expression, known: set[str]) -> set[str]:
    return {_root(column) for column in tree.find_all(exp.Column) if _root(column).lower() in known}


def _root(column: exp.Column) -> str:
    """`order.paid_amount` is the column `order`'s field: the leftmost name is the column read."""
    return column.parts[0].name
