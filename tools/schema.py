"""Writes `docs/stack.schema.json`, with which editors complete and check stack files: `python -m tools.schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from components.settings.stack import Settings

TARGET = Path(__file__).parent.parent / "docs" / "stack.schema.json"
PREFIX = "kserve-multi-model:"
# A secret as `pulumi config set --secret` writes it; in plain text the program refuses it.
SECRET = {
    "type": "object",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}


class StackSchema(GenerateJsonSchema):
    """The schema of the settings' types, in the dialect that editors support best, without pydantic's own details."""

    schema_dialect = "http://json-schema.org/draft-07/schema#"

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Write no titles: a setting's name is enough."""
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Do not allow null: a setting that is not wanted is left out."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Write a default only when it is a plain value, which an editor can complete."""
        described = super().default_schema(schema)
        if not isinstance(described.get("default"), str | int | float):
            described.pop("default", None)
        return described


def render() -> str:
    """The text of the file."""
    settings = Settings.model_json_schema(schema_generator=StackSchema)
    definitions = settings.pop("$defs")
    whole = {
        "$schema": StackSchema.schema_dialect,
        "title": "A stack of kserve-multi-model",
        "$comment": "Made by `python -m tools.schema` from components/; a unit test compares.",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "type": "object",
                "description": settings["description"],
                # A stack of models only takes the release from its platform's stack.
                "anyOf": [{"required": [f"{PREFIX}{name}"]} for name in (*settings["required"], "platform")],
                "properties": {f"{PREFIX}{name}": setting for name, setting in settings["properties"].items()},
                # Settings of providers and other programs have other prefixes.
                "patternProperties": {f"^(?!{PREFIX})": True},
                "additionalProperties": False,
            }
        },
        "$defs": definitions,
    }
    return json.dumps(_as_written(whole), indent=2, ensure_ascii=False) + "\n"


def _as_written(node: Any) -> Any:
    """Adjust a schema to what a stack file contains: encrypted secrets, and only keys that match a pattern."""
    if isinstance(node, list):
        return [_as_written(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("format") == "password":
        return SECRET | ({"description": node["description"]} if "description" in node else {})
    closed = {"additionalProperties": False} if "patternProperties" in node else {}
    return {key: _as_written(value) for key, value in node.items()} | closed


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
