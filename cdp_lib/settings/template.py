"""Read Jinja templates without rendering them: what is wrong, and which fields they name."""

from jinja2 import Environment, nodes
from jinja2.exceptions import TemplateSyntaxError

from cdp_lib.errors import near_miss

_JINJA = Environment(autoescape=True)


def template_fields(text: str) -> frozenset[tuple[str, str]]:
    """(root, field) of every `root.field` that a template reads, field "" for the bare root.

    Names that the template binds itself (a loop's variable) are left out. Raises ValueError with the line of the fault.
    """
    try:
        tree = _JINJA.parse(text)
        _check_names(tree)
        _JINJA.compile(text)
    except TemplateSyntaxError as problem:
        raise ValueError(f"not a Jinja template, line {problem.lineno}: {problem.message}") from None
    bound = {name.name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param")} | {"loop"}
    attributes = [found for found in tree.find_all(nodes.Getattr) if isinstance(found.node, nodes.Name)]
    named = {(found.node.name, found.attr) for found in attributes if isinstance(found.node, nodes.Name)}
    inside = {id(found.node) for found in attributes}
    bare = {(found.name, "") for found in tree.find_all(nodes.Name) if found.ctx == "load" and id(found) not in inside}
    return frozenset((root, field) for root, field in named | bare if root not in bound)


def _check_names(tree: nodes.Template) -> None:
    """Jinja itself looks for what is named within an `if` only when it comes there."""
    for kind, word, known in ((nodes.Filter, "filter", _JINJA.filters), (nodes.Test, "test", _JINJA.tests)):
        for found in tree.find_all(kind):
            if found.name not in known:
                raise ValueError(
                    f"line {found.lineno}: no {word} is called '{found.name}'.{near_miss(found.name, known)}"
                )
