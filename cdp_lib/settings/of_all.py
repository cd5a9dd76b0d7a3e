"""Aggregates over all customers inside an expression over one of them: `avg(amount) OVER (PARTITION BY city)`."""

from dataclasses import dataclass

from sqlglot import exp

from cdp_lib.settings.sql import parse_expression


@dataclass(frozen=True)
class OfAll:
    """One such aggregate, and the expressions whose equal values make a group; without any, everybody is one."""

    name: str
    aggregate: str
    group_by: tuple[str, ...]


def aggregates_of_all(text: str, name: str) -> tuple[str, tuple[OfAll, ...]]:
    """The expression with a column `<name>_<n>` in place of each aggregate over whole groups, and those aggregates.

    A window with an order or a frame is no such aggregate, and stays. An expression without any stays as it is written.
    """
    tree = parse_expression(text)
    whole = [node for node in tree.find_all(exp.Window) if not node.args.get("order") and not node.args.get("spec")]
    if not whole:
        return text, ()
    found = tuple(
        OfAll(
            f"{name}_{place}",
            node.this.sql(dialect="spark"),
            tuple(key.sql(dialect="spark") for key in node.args.get("partition_by") or ()),
        )
        for place, node in enumerate(whole)
    )
    columns = {id(node): exp.column(one.name, quoted=True) for node, one in zip(whole, found, strict=True)}

    def in_place(node: exp.Expr) -> exp.Expr:
        return columns.get(id(node), node)

    return tree.transform(in_place, copy=False).sql(dialect="spark"), found
