"""Read Spark SQL leaves and types without a JVM: what is wrong, which columns and functions they name."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import sqlglot
from sqlglot import exp, Token, TokenType
from sqlglot.errors import SqlglotError

from cdp_lib.errors import near_miss

_CLOCK = {"now", "curdate", "current_date", "current_time", "current_timestamp", "localtimestamp"}
_CHANCE = {"rand", "randn", "random", "randstr", "uniform", "shuffle", "uuid", "aes_encrypt"}
_ROWS_PLACES = {
    *("any_value", "first", "first_value", "last", "last_value", "monotonically_increasing_id", "spark_partition_id"),
    *("input_file_name", "input_file_block_start", "input_file_block_length"),
}
_SESSION = {
    *("current_catalog", "current_database", "current_path", "current_schema", "current_timezone"),
    *("current_user", "session_user", "user", "version"),
}
_CODE_AND_FILES = {
    *("reflect", "java_method", "try_reflect", "call_function", "call_udf"),
    *("from_avro", "to_avro", "schema_of_avro", "from_protobuf", "to_protobuf"),
}
REFUSED = frozenset(_CLOCK | _CHANCE | _ROWS_PLACES | _SESSION | _CODE_AND_FILES)
"""The same data must give the same answer in every run, and an expression reads rows alone."""

_KEY_WORDS = _CLOCK | _SESSION
"""Those of them that SQL has as key words are calls without brackets too."""

_NAMES = (TokenType.VAR, TokenType.IDENTIFIER)

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
_MOST_DIGITS = 38
SCALAR_TYPES = ("string", "int", "bigint", "double", "decimal(18,2)", "boolean", "date", "timestamp")


def parse_type(text: str) -> TypeTree:
    """The type that a Spark SQL type text names; raises ValueError with a near-miss where it names none."""
    try:
        parsed = exp.DataType.build(text, dialect="spark")
    except (SqlglotError, ValueError) as problem:
        message = f"unknown type {text!r}.{near_miss(text, (*SCALAR_TYPES, 'array<string>', 'map<string,string>'))}"
        raise ValueError(message) from problem
    return _type_tree(parsed, text)


def _type_tree(node: exp.DataType | None, text: str) -> TypeTree:
    if node is None:
        raise ValueError(f"a part of type {text!r} has no type")
    # Of an interval sqlglot gives no name but a tree of its own.
    name = _TYPE_NAMES.get(str(getattr(node.this, "value", "")).lower())
    if name is None:
        raise ValueError(f"unknown type {text!r}.{near_miss(text, SCALAR_TYPES)}")
    if name == "decimal":
        return TypeTree(name, _digits([part.name for part in node.expressions], text))
    children = tuple(
        (part.name, _type_tree(part.kind, text)) if isinstance(part, exp.ColumnDef) else ("", _type_tree(part, text))
        for part in node.expressions
        if isinstance(part, exp.ColumnDef | exp.DataType)
    )
    return TypeTree(name, (), children)


def _digits(parameters: Sequence[str], text: str) -> tuple[int, ...]:
    """(digits in all, digits behind the point) of a decimal."""
    said = tuple(int(one) if one.isdigit() else -1 for one in parameters)
    precision, scale = (*said, 0)[:2] if said else (10, 0)
    if not 0 <= scale <= precision or not 1 <= precision <= _MOST_DIGITS:
        raise ValueError(
            f"no such type {text!r}: a decimal has 1 to {_MOST_DIGITS} digits, and no more behind the point than in all"
        )
    return precision, scale


def parse_expression(text: str) -> exp.Expr:
    """The syntax tree of one Spark SQL expression; raises ValueError saying what stands wrong and where.

    Statements, several expressions, queries and names given with AS are no expressions: a leaf computes one value.
    """
    try:
        tree = sqlglot.parse_one(text, dialect="spark")
    except SqlglotError as problem:
        first = _TERMINAL_COLOUR.sub("", str(problem).splitlines()[0]).rstrip(".")
        raise ValueError(f"not a Spark SQL expression: {first} in {text!r}") from problem
    if isinstance(tree, exp.Alias):
        raise ValueError(f"the key is the name: remove AS {tree.alias} from {text!r}")
    if not isinstance(tree, exp.Condition | exp.Interval | exp.Lambda | exp.Filter) or tree.find(exp.Query):
        raise ValueError(f"not one Spark SQL expression but a statement or query: {text!r}")
    return tree


def columns_in(text: str) -> frozenset[str]:
    """The top-level columns that an expression reads, in lower case; `a.b.c` reads `a`."""
    return frozenset(_root(column).lower() for column in parse_expression(text).find_all(exp.Column))


def has_aggregate(text: str) -> bool:
    """Whether an expression aggregates rows; raises ValueError where it is none. Window functions do not count."""
    return any(True for _ in _aggregates(parse_expression(text)))


def columns_outside_aggregates(text: str) -> frozenset[str]:
    """Columns, in lower case, that an expression reads row by row; functions we do not know may aggregate."""
    tree = parse_expression(text)
    inside = {id(column) for call in _aggregates(tree) for column in call.find_all(exp.Column)}
    inside |= {id(column) for call in tree.find_all(exp.Anonymous) for column in call.find_all(exp.Column)}
    return frozenset(_root(column).lower() for column in tree.find_all(exp.Column) if id(column) not in inside)


def _aggregates(tree: exp.Expr) -> Iterator[exp.Expr]:
    for call in tree.find_all(exp.AggFunc, exp.Filter):
        if not isinstance(call.parent, exp.Window):
            yield call


def is_plain(text: str) -> bool:
    """Whether an expression is a bare column or literal: nothing in it can fail."""
    return isinstance(parse_expression(text), exp.Column | exp.Literal)


def of_one_row(text: str) -> str | None:
    """An aggregate over a single row: `max(x)` and `min(x)` are `x`; None where it takes another function's doing."""
    tokens = sqlglot.tokenize(text, dialect="spark")
    identities = [
        name for name, bracket in pairwise(tokens) if name.text.lower() in ("max", "min") and bracket.text == "("
    ]
    for name in reversed(identities):
        text = text[: name.start] + text[name.end + 1 :]
    return None if has_aggregate(text) else text.strip()


def expression_faults(text: str, columns: Collection[str] | None, functions: Collection[str] = ()) -> list[str]:
    """What is wrong with an expression over `columns`: syntax, unknown names with a near-miss, answers that vary.

    `functions` are the names Spark knows; left empty, function names are not checked. Columns None: nobody knows them.
    """
    try:
        tree = parse_expression(text)
    except ValueError as problem:
        return [str(problem)]
    faults = [] if columns is None else _unknown_columns(tree, text, columns)
    tokens = sqlglot.tokenize(text, dialect="spark")
    refused = _refused(tree, tokens)
    faults += [
        f"'{name}' in {text!r} may answer otherwise in another run, or reads more than its row; use a column, or "
        "as_of_date in traits from customer"
        for name in refused
    ]
    called = {call.name.lower() for call in tree.find_all(exp.Anonymous)}
    faults += [
        f"unknown function '{name}' in {text!r}.{near_miss(name, functions)}"
        for name in (sorted({*called, *_called_as_written(tokens)} - set(refused)) if functions else ())
        if name not in functions
    ]
    return faults


def _refused(tree: exp.Expr, tokens: Sequence[Token]) -> list[str]:
    """What is called of `REFUSED`, as it is written: quoted, qualified, or a key word without brackets too."""
    after = [*[token.token_type for token in tokens[1:]], None]
    named = {
        token.text.lower()
        for token, following in zip(tokens, after, strict=True)
        if token.token_type != TokenType.STRING
        and (following == TokenType.L_PAREN or (token.token_type not in _NAMES and token.text.lower() in _KEY_WORDS))
    }
    found = named & REFUSED
    # Without an argument it is the clock's.
    is_now = not found and tree.find(exp.CurrentTimestamp) is not None
    return sorted(found | {"unix_timestamp()"} if is_now else found)


def _called_as_written(tokens: Sequence[Token]) -> Iterator[str]:
    """Names before a bracket: the syntax tree has those that sqlglot knows of any dialect under names of its own."""
    for name, after in pairwise(tokens):
        is_call = name.token_type == TokenType.VAR and after.token_type == TokenType.L_PAREN
        if is_call and name.text.lower() != "group":  # WITHIN GROUP (...)
            yield name.text.lower()


def _unknown_columns(tree: exp.Expr, text: str, columns: Collection[str]) -> list[str]:
    known = {column.lower() for column in columns}
    named = {_root(column) for column in tree.find_all(exp.Column)}
    unknown = sorted(name for name in named if name.lower() not in known)
    return [f"unknown column '{name}' in {text!r}.{near_miss(name, columns)}" for name in unknown]


def fields_in(text: str) -> frozenset[str]:
    """Like `columns_in`, but with the key of a map column read by a literal one: `tags['size']` is `tags.size`."""
    tree = parse_expression(text)
    names = {id(column): _root(column).lower() for column in tree.find_all(exp.Column)}
    for access in tree.find_all(exp.Bracket):
        key = access.expressions[0]
        if id(access.this) in names and isinstance(key, exp.Literal) and key.is_string:
            names[id(access.this)] += f".{key.name}"
    return frozenset(names.values())


def map_entries(text: str) -> dict[str, str] | None:
    """Key: expression of a `map('key', value, ...)` with literal keys; None where the expression is not one."""
    tree = parse_expression(text)
    if not isinstance(tree, exp.VarMap):
        return None
    entries = list(zip(tree.keys, tree.values, strict=True))
    if not all(isinstance(key, exp.Literal) for key, _ in entries):
        return None
    return {key.name: value.sql("spark") for key, value in entries}


def _root(column: exp.Column) -> str:
    """`order.paid_amount` is the column `order`'s field: the leftmost name is the column read."""
    return column.parts[0].name
