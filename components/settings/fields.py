"""Types of single values in the settings: names, domains, labels, quantities."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
DOMAIN = rf"{LABEL}(\.{LABEL})*"
HOST_PORT = r"[A-Za-z0-9.-]+(:\d+)?"
REGISTRY = rf"{HOST_PORT}(/[a-z0-9._-]+)*"
RESOURCE = r"cpu|memory|ephemeral-storage|[a-z0-9.-]+/[A-Za-z0-9._-]+"
LABEL_TEXT = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_QUANTITY = re.compile(
    r"(?P<number>\d+(?:\.\d*)?|\.\d+)(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?\d+))?"
)


class Section(BaseModel):
    """A mapping in the settings: typed, frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True, kw_only=True)
class Matching:
    """An annotation for text that must match a pattern from start to end.

    Attributes:
        what: for the error: what the text should be, and how to write it.
        longest: most characters allowed.

    """

    pattern: str
    what: str
    longest: int = 253

    def check(self, text: str) -> str:
        """Give the text back; raise ValueError where it does not match."""
        if not re.fullmatch(self.pattern, text) or len(text) > self.longest:
            raise ValueError(f"{text!r} is not a valid {self.what}")
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "maxLength": self.longest}


def without_keys(url: str) -> str:
    """Replace the user name and password of a URL by `…`, for messages."""
    return re.sub(r"//[^/@]*@", "//…@", url)


def parse_quantity(text: str) -> Decimal:
    """Read a Kubernetes quantity, as `500m`, `1.5`, `2Gi` or `1e3`, in whole units (cores, bytes).

    Raises:
        ValueError: it is not a quantity; the text gives examples.

    """
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError(
            f"{text!r} is not a Kubernetes quantity; write an amount like 500m or 2 (CPU), 256Mi or 2Gi (memory)"
        )
    return Decimal(match["number"]).scaleb(int(match["exponent"] or 0)) * _SUFFIXES[match["suffix"] or ""]


def _number_as_text(amount: object) -> object:
    """Accept YAML's numbers as quantities: `cpu: 1`, `cpu: 0.5`."""
    return str(amount) if isinstance(amount, int | float) and not isinstance(amount, bool) else amount


def _checked_quantity(text: str) -> str:
    parse_quantity(text)
    return text


Name = Annotated[
    str,
    Matching(pattern=LABEL, what="Kubernetes name: use up to 63 of a-z, 0-9 and -, with no - at either end"),
]
Domain = Annotated[
    str, Matching(pattern=DOMAIN, what="domain: write it like models.example.com, each part at most 63 characters")
]
# Name of an object of most kinds; Kubernetes calls it a DNS subdomain.
ObjectName = Annotated[
    str, Matching(pattern=DOMAIN, what="name of an object: use a-z, 0-9, - and ., a letter or digit at both ends")
]
SecretKey = Annotated[str, Matching(pattern=r"[-._a-zA-Z0-9]+", what="key of a Secret: use A-Z, a-z, 0-9, -, _ and .")]
ResourceName = Annotated[str, Matching(pattern=RESOURCE, what="resource: use cpu, memory, or one like nvidia.com/gpu")]
Quantity = Annotated[
    str, BeforeValidator(_number_as_text, json_schema_input_type=str | int | float), AfterValidator(_checked_quantity)
]
# The key of a label or annotation; Kubernetes calls it a qualified name.
Key = Annotated[
    str,
    Matching(
        pattern=rf"({DOMAIN}/)?{LABEL_TEXT}",
        what="key: write it like team or example.com/team, with up to 63 of A-Z, a-z, 0-9, -, _ and . after the /",
        longest=253 + 1 + 63,
    ),
]
LabelValue = Annotated[
    str,
    Matching(
        pattern=f"({LABEL_TEXT})?",
        what="label value: use up to 63 of A-Z, a-z, 0-9, -, _ and ., with a letter or digit at both ends",
        longest=63,
    ),
]
VariableName = Annotated[
    str,
    Matching(
        pattern=r"[-._a-zA-Z][-._a-zA-Z0-9]*", what="variable name: use A-Z, a-z, 0-9, _, - and ., no digit first"
    ),
]
