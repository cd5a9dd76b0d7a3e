"""YAML as people mean it: `no`, `on`, 012 and 2017-01-01 are texts, and a key stands once."""

import re
from collections.abc import Iterator

import yaml

_PLAIN = (
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    ("int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), "-+0123456789"),
    ("float", re.compile(r"^[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"), "-+.0123456789"),
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$"), ("~", "n", "N", "")),
    ("merge", re.compile(r"^<<$"), "<"),
)
"""(tag, texts that have it, their first characters): the plain scalars of YAML 1.2's core schema."""


class PlainLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the plain scalars of YAML 1.2.

    YAML 1.1 turns `no` into false, `on:` into a key true, 0123 into 83 and 12:30 into 750; a country code, a join
    key, a postcode and a time would be lost. Dates stay texts: the settings know which of them are dates.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's name and type; nothing changes it
        first: [(f"tag:yaml.org,2002:{tag}", pattern) for tag, pattern, firsts in _PLAIN if first in firsts]
        for first in sorted({first for _, _, firsts in _PLAIN for first in firsts})
    }


def duplicate_keys(node: yaml.Node, path: str = "") -> Iterator[tuple[str, str]]:
    """(key path, message) of every key that stands twice in one mapping, where YAML would keep the last in silence."""
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield from duplicate_keys(item, f"{path}[{position}]")
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in lines:
            yield f"{path}.{name}", f"the key stands twice, in lines {lines[name]} and {line}; keep one"
        lines.setdefault(name, line)
        yield from duplicate_keys(value, f"{path}.{name}")
