"""A platform that another stack has, for a stack of models alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pulumi
from pydantic import BaseModel, ConfigDict, ValidationError

from components.settings.errors import SettingsError

STACK = r"([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+/)?[A-Za-z0-9_.-]+"
STACK_FORMS = "its name, or organization/project/stack"
# The stack output that says what models need to know of a platform.
OUTPUT = "platform"


class PlatformOutput(BaseModel):
    """What a stack with a platform tells of it.

    Attributes:
        settings: those of its settings that hold for every model on it, as its stack file says them.
        gateway_address: URL of the gateway for clients, without a path.

    """

    model_config = ConfigDict(frozen=True)

    settings: dict[str, Any]
    gateway_address: str


@dataclass(frozen=True, kw_only=True)
class PlatformStack:
    """The platform of another stack, by that stack's output.

    Attributes:
        settings: those that hold for every model on it.
        gateway_address: URL of the gateway for clients, without a path.
        ready: what models wait for, as of a platform of one's own: nothing.
        monitoring: how a user gets to Prometheus; that stack says it.

    """

    name: str
    settings: Mapping[str, Any]
    gateway_address: pulumi.Output[str]
    ready: Sequence[pulumi.Resource] = ()
    monitoring: pulumi.Output[dict[str, Any]] | None = None

    @classmethod
    async def named(cls, name: object) -> Self | None:
        """Read the output of the stack of this name, where a name is given; raises SettingsError if it is unusable."""
        if not isinstance(name, str) or not re.fullmatch(STACK, name):
            return None  # left out, or for the check of the settings to refuse
        full = name if "/" in name else f"{pulumi.get_organization()}/{pulumi.get_project()}/{name}"
        details = await pulumi.StackReference(full).get_output_details(OUTPUT)
        try:
            told = PlatformOutput.model_validate(details.value)
        except ValidationError:
            remedy = f"deploy it first: pulumi up --stack {name}"
            raise SettingsError([f"platform: stack {full!r} has no output {OUTPUT!r} that fits; {remedy}"]) from None
        return cls(name=name, settings=told.settings, gateway_address=pulumi.Output.from_input(told.gateway_address))
