"""Types of single settings: names, domains, quantities."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from components.settings.quantities import parse_quantity

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
DOMAIN = rf"{LABEL}(\.{LABEL})*"
HOST_PORT = r"[A-Za-z0-9.-]+(:\d+)?"
REGISTRY = rf"{HOST_PORT}(/[a-z0-9._-]+)*"
RESOURCE = r"cpu|memory|ephemeral-storage|[a-z0-9.-]+/[A-Za-z0-9._-]+"
LABEL_TEXT = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"


class Section(BaseModel):
    """A part of the settings: typed, unchangeable, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True)
class Matching:
    """Text that matches as a whole; `what` says what it should be and how to write it."""

    pattern: str
    what: str
    longest: int

    def check(self, text: str) -> str:
        """The text itself; ValueError where it does not match."""
        if not re.fullmatch(self.pattern, text) or len(text) > self.longest:
            raise ValueError(f"{text!r} is no {self.what}")
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "maxLength": self.longest}


def matching(pattern: str, *, what: str, longest: int = 253) -> Matching:
    """Text that matches as a whole, for an annotation."""
    return Matching(pattern, what, longest)


def without_keys(url: str) -> str:
    """A URL for a message: a user name and password in it are left out."""
    return re.sub(r"//[^/@]*@", "//…@", url)


def _number_as_text(amount: object) -> object:
    """Let YAML's numbers pass for quantities: `cpu: 1`, `cpu: 0.5`."""
    return str(amount) if isinstance(amount, int | float) and not isinstance(amount, bool) else amount


def _parsed(text: str) -> str:
    parse_quantity(text)
    return text


Name = Annotated[
    str,
    matching(LABEL, what="Kubernetes name: use up to 63 of a-z, 0-9 and -, with no - at either end"),
]
Domain = Annotated[
    str, matching(DOMAIN, what="domain: write it like models.example.com, each part at most 63 characters")
]
ResourceName = Annotated[str, matching(RESOURCE, what="resource: use cpu, memory, or one like nvidia.com/gpu")]
Quantity = Annotated[
    str, BeforeValidator(_number_as_text, json_schema_input_type=str | int | float), AfterValidator(_parsed)
]
# What a label's and an annotation's key is, in Kubernetes' words a qualified name.
Key = Annotated[
    str,
    matching(
        rf"({DOMAIN}/)?{LABEL_TEXT}",
        what="key: write it like team or example.com/team, with up to 63 of A-Z, a-z, 0-9, -, _ and . after the /",
        longest=253 + 1 + 63,
    ),
]
LabelValue = Annotated[
    str,
    matching(
        f"({LABEL_TEXT})?",
        what="label value: use up to 63 of A-Z, a-z, 0-9, -, _ and ., with a letter or digit at both ends",
        longest=63,
    ),
]
VariableName = Annotated[
    str,
    matching(r"[-._a-zA-Z][-._a-zA-Z0-9]*", what="name of a variable: use A-Z, a-z, 0-9, _, - and ., no digit first"),
]
