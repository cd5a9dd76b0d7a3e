"""pydantic's complaints in the words and key paths of the file that a person wrote."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cdp_lib.errors import near_miss
from cdp_lib.settings.kind import NOTHING_BEHIND

_QUOTED = re.compile(r"'([^']*)'")
_CHOICES = {"literal_error": "expected", "enum": "expected", "union_tag_invalid": "expected_tags"}

Location = tuple[int | str, ...]


def closest(word: str, choices: Iterable[str]) -> str:
    """The choice that was most likely meant; empty where none is near, by the measure of `near_miss`."""
    return next(iter(get_close_matches(word, sorted(set(choices)), n=1, cutoff=0.6)), "")


def shape_faults(
    model: type[BaseModel], body: Mapping[str, Any], problem: ValidationError
) -> Iterator[tuple[str, str]]:
    """(key path, message) of every fault; the path is empty or begins with `.` or `[`, as the file has it.

    A key that is missing because it is misspelt is one fault, not two; so is a list that is too short because an item
    of it is wrong.
    """
    errors = problem.errors(include_url=False)
    unknown = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
    misspelt = {(*place[:-1], closest(str(place[-1]), keys_at(model, place[:-1]))) for place in unknown}
    for error in errors:
        is_misspelt = error["type"] == "missing" and error["loc"] in misspelt
        if is_misspelt or (error["type"] == "too_short" and _has_one_below(errors, error["loc"])):
            continue
        location = _as_written(body, error["loc"], error["type"])
        yield _key_path(location), _message(model, error)


def _has_one_below(errors: Sequence[ErrorDetails], place: Location) -> bool:
    return any(error["loc"][: len(place)] == place and len(error["loc"]) > len(place) for error in errors)


def _as_written(body: object, location: Location, error_type: str) -> Location:
    """The location without what pydantic adds: names of union branches, tags of kinds, and `[key]`."""
    path: list[int | str] = []
    node: Any = body
    for position, part in enumerate(location):
        is_absent_by_fault = error_type == "missing" and position == len(location) - 1
        if is_absent_by_fault or _holds(node, part):
            path.append(part)
            node = None if is_absent_by_fault else node[part]
    return tuple(path)


def _holds(node: Any, part: int | str) -> bool:
    if isinstance(node, Mapping):
        return part in node
    return isinstance(node, list | tuple) and isinstance(part, int) and part < len(node)


def _key_path(location: Location) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _message(model: type[BaseModel], error: ErrorDetails) -> str:
    kind, location = error["type"], error["loc"]
    if kind == "extra_forbidden":
        key = str(location[-1])
        return f"unknown key '{key}'.{near_miss(key, keys_at(model, location[:-1]))}"
    if kind == "missing":
        return "is missing"
    if error["input"] is None:
        return NOTHING_BEHIND
    text = str(error["msg"]).removeprefix("Value error, ")
    if kind == "value_error":
        return text
    if kind in _CHOICES:
        return _choice_message(error, kind)
    if kind == "string_pattern_mismatch" and location and location[-1] == "[key]":
        return f"key {error['input']!r} does not match {error.get('ctx', {}).get('pattern')}"
    return f"{text} (found {error['input']!r})"


def _choice_message(error: ErrorDetails, kind: str) -> str:
    context = error.get("ctx", {})
    choices = _QUOTED.findall(str(context.get(_CHOICES[kind], "")))
    found = str(context.get("tag", error["input"]))
    hint = near_miss(found, choices) or f" Choices: {', '.join(choices)}."
    return f"unknown value '{found}'.{hint}"


def keys_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys that may stand at a location of the model's documents, by its JSON Schema."""
    schema = model.model_json_schema(by_alias=True)
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    nodes: list[dict[str, Any]] = _branches(schema, definitions)
    for part in location:
        nodes = [branch for node in nodes for branch in _step(node, part, definitions)]
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _step(node: dict[str, Any], part: int | str, definitions: Mapping[str, Any]) -> list[dict[str, Any]]:
    tagged = node.get("discriminator", {}).get("mapping", {})
    if part in tagged:
        return _branches({"$ref": tagged[part]}, definitions)
    if isinstance(part, int):
        return _branches(node.get("items") or {}, definitions)
    named = node.get("properties", {}).get(part)
    others = [node.get("additionalProperties"), *node.get("patternProperties", {}).values()]
    below = [named] if named else [other for other in others if isinstance(other, dict)]
    return [branch for one in below for branch in _branches(one, definitions)]


def _branches(node: dict[str, Any], definitions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The node itself, or what its reference or its choices lead to; a tagged choice waits for its tag."""
    if "$ref" in node:
        return _branches(definitions.get(str(node["$ref"]).rsplit("/", 1)[-1], {}), definitions)
    if "discriminator" in node:
        return [node]
    choices = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    return [branch for choice in choices for branch in _branches(choice, definitions)] if choices else [node]
