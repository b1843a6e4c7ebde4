"""The platform of another stack, for a stack that has models only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import pulumi
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from components.settings.errors import SettingsError
from components.settings.gateway_names import GatewayNames
from endpoints.endpoint import GatewayService

STACK = r"([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+/)?[A-Za-z0-9_.-]+"
STACK_FORMS = "its name, or organization/project/stack"
# Name of the stack output that describes the platform to other stacks.
OUTPUT = "platform"


class PlatformOutput(BaseModel):
    """The output of a stack with a platform.

    Attributes:
        settings: those of its settings that apply to every model on the platform, as in its stack file.
        gateway_address: the gateway's URL for clients, without a path; None where nothing leads to it from outside.
        gateway_service: the gateway's Service; None in the output of an older version, which always has an address.
        gateways: those that routes are bound to; left out where they are this program's own.

    """

    model_config = ConfigDict(frozen=True)

    settings: dict[str, Any]
    gateway_address: str | None = None
    gateway_service: GatewayService | None = None
    gateways: GatewayNames = GatewayNames()

    @model_validator(mode="after")
    def _leads_to_a_gateway(self) -> Self:
        if not self.gateway_address and not self.gateway_service:
            raise ValueError("has neither a gateway_address nor a gateway_service")
        return self


@dataclass(frozen=True, kw_only=True)
class PlatformStack:
    """The platform of another stack; has what a `Platform` of this stack would give to models.

    Attributes:
        settings: those that apply to every model on the platform.
        gateway_address: the gateway's URL for clients, without a path; None where nothing leads to it from outside.
        gateway_service: the gateway's Service; None if it is not known.
        gateways: those that routes are bound to.
        resources: what this stack declares of it: nothing.
        ready: what models wait for: nothing, because the platform is there.
        monitoring: how to reach Prometheus: None, because the other stack exports it.

    """

    name: str
    settings: Mapping[str, Any]
    gateway_address: pulumi.Output[str | None]
    gateway_service: GatewayService | None
    gateways: GatewayNames = field(default_factory=GatewayNames)
    resources: Sequence[pulumi.Resource] = ()
    ready: Sequence[pulumi.Resource] = ()
    monitoring: pulumi.Output[dict[str, Any]] | None = None

    @classmethod
    async def named(cls, name: object) -> Self | None:
        """Read the output of the stack with this name; None where no usable name is given.

        Raises:
            SettingsError: the stack has no such output, or one that cannot be read.

        """
        if not isinstance(name, str) or not re.fullmatch(STACK, name):
            return None  # left out, or malformed: then the validation of the settings refuses it
        full = name if "/" in name else f"{pulumi.get_organization()}/{pulumi.get_project()}/{name}"
        details = await pulumi.StackReference(full).get_output_details(OUTPUT)
        try:
            output = PlatformOutput.model_validate(details.value)
        except ValidationError:
            remedy = f"deploy it first: pulumi up --stack {name}"
            raise SettingsError([f"platform: stack {full!r} has no usable output {OUTPUT!r}; {remedy}"]) from None
        return cls(
            name=name,
            settings=output.settings,
            gateway_address=pulumi.Output.from_input(output.gateway_address),
            gateway_service=output.gateway_service,
            gateways=output.gateways,
        )
