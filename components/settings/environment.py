"""Environment variables of a model's containers: a text, or a key of an existing Secret."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from components.settings.errors import HINTS
from components.settings.fields import ObjectName, SecretKey, Section


def without_placeholder(text: str) -> str:
    """Give the text back. Raises ValueError where KServe would replace a part of it."""
    if "{{" in text:
        raise ValueError("contains '{{', which KServe would take for a placeholder of its own; write it differently")
    return text


class SecretVariable(Section):
    """A variable whose value is in an existing Secret. The value is never read here."""

    secret: ObjectName = Field(description="the Secret's name; it is in the model's namespace")
    key: SecretKey = Field(description="the key of the Secret that has the value")


def _one_kind(value: object) -> object:
    """Choose the kind before pydantic does, whose errors would name every kind that the value is not."""
    if isinstance(value, str):
        return without_placeholder(value)
    if isinstance(value, dict):
        return SecretVariable.model_validate(value)
    if not isinstance(value, SecretVariable):
        raise ValueError(HINTS["string_type"])
    return value


Variable = Annotated[str | SecretVariable, BeforeValidator(_one_kind, json_schema_input_type=str | SecretVariable)]
