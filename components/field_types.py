"""Types of single settings: names, domains, quantities."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from components.quantities import parse_quantity

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
DOMAIN = rf"{LABEL}(\.{LABEL})*"
HOST_PORT = r"[A-Za-z0-9.-]+(:\d+)?"
REGISTRY = rf"{HOST_PORT}(/[a-z0-9._-]+)*"
RESOURCE = r"cpu|memory|ephemeral-storage|[a-z0-9.-]+/[A-Za-z0-9._-]+"


class Section(BaseModel):
    """A part of the settings: typed, unchangeable, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def matching(pattern: str, *, what: str, longest: int = 253) -> AfterValidator:
    """Text that matches as a whole; `what` says what it should be and how to write it."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text) or len(text) > longest:
            raise ValueError(f"{text!r} is no {what}")
        return text

    return AfterValidator(check)


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
Quantity = Annotated[str, BeforeValidator(_number_as_text), AfterValidator(_parsed)]
