"""Where a stack's platform comes from: another stack, or parts that the cluster has already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field, PlainValidator

from components.settings.fields import Section
from components.settings.platform_stack import STACK, STACK_FORMS

Part = Literal["cert_manager", "gateway_api", "istio", "knative", "kserve"]
# In the order in which they build on each other.
PARTS: tuple[Part, ...] = get_args(Part)
Choice = Literal["all", "auto"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
TITLES: Mapping[Part, str] = {
    "cert_manager": "cert-manager",
    "gateway_api": "Gateway API",
    "istio": "Istio",
    "knative": "Knative",
    "kserve": "KServe",
}
# Each of these runs on the other, so where it exists already, the other does, too.
RUNS_ON: Mapping[Part, Part] = {"knative": "istio", "kserve": "istio"}


def _existing(value: object) -> Choice | tuple[Part, ...]:
    if isinstance(value, str) and value in CHOICES:
        return CHOICES[CHOICES.index(value)]
    forms = f"write all, auto, or a list of {', '.join(PARTS)}"
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"{value!r} is not a choice; {forms}")
    if unknown := [repr(part) for part in value if part not in PARTS]:
        raise ValueError(f"{', '.join(unknown)}: there is no such part; {forms}")
    for part, other in RUNS_ON.items():
        if part in value and other not in value:
            raise ValueError(f"{part} needs the {other} that is there; add {other} to the list, or write all")
    return tuple(part for part in PARTS if part in value)


class PlatformSource(Section):
    """Parts that the cluster has already: the stack uses them as they are, and neither changes nor deletes them.

    The name of a stack instead of this section means that stack's whole platform.
    """

    existing: Annotated[
        Choice | tuple[Part, ...], PlainValidator(_existing, json_schema_input_type=Choice | tuple[Part, ...])
    ] = Field(
        description="`all`: every part that the models need, so that the stack installs none; `auto`: what is there, "
        "and the stack installs the rest; or a list of some of `cert_manager`, `gateway_api`, `istio`, `knative` and "
        "`kserve`. When left out, the stack installs all parts and refuses a cluster that has one of them"
    )


def platform_source(value: object) -> str | PlatformSource | None:
    """Validate the setting `platform`: the name of a stack, or a section.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, Mapping):
        return PlatformSource.model_validate(value)
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(STACK, value):
        raise ValueError(f"{value!r} is not a valid stack: write {STACK_FORMS}; or write existing: and what is there")
    return value
