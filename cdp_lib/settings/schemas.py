"""JSON Schemas of the pack kinds, so that an editor completes and checks pack files."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from cdp_lib.settings.kind import Frozen
from cdp_lib.settings.pack import KINDS

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
ANY_KIND = "any"
"""Name of the schema that fits every document: it looks at `kind` and asks for what that kind needs."""


def pack_schemas() -> dict[str, dict[str, Any]]:
    """Kind: its JSON Schema; and under `any` the schema of a document of whatever kind."""
    schemas = {kind: _schema(model) for kind, model in KINDS.items()}
    return schemas | {ANY_KIND: _any_schema()}


def schema_files() -> dict[str, str]:
    """Path below the repository: text. The same kinds give the same bytes."""
    return {
        f"docs/schemas/{kind}.json": json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        for kind, schema in sorted(pack_schemas().items())
    }


def _schema(model: type[Frozen]) -> dict[str, Any]:
    return {"$schema": _DIALECT} | model.model_json_schema(by_alias=True, schema_generator=_AsWritten)


class _AsWritten(GenerateJsonSchema):
    """What may stand in a file: a key that may be left out has something behind it where it is not."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is not None:
            return super().default_schema(schema)
        said: Any = schema["schema"]
        while said["type"] in ("function-before", "function-after", "nullable"):
            said = said["schema"]
        return self.generate_inner(said)


def _any_schema() -> dict[str, Any]:
    """An editor shows the faults of the named kind alone: `oneOf` would show those of every kind."""
    choices = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"$ref": f"{kind}.json"},
        }
        for kind in sorted(KINDS)
    ]
    return {
        "$schema": _DIALECT,
        "title": "One document of a pack",
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": sorted(KINDS)}},
        "allOf": choices,
    }
