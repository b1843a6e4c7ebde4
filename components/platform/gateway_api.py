"""Gateway API: the definitions of Gateway, HTTPRoute and their kin."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.platform.context import Supply
from releases.types import Source


@dataclass(frozen=True, kw_only=True)
class GatewayAPIArgs:
    """The version and where it comes from."""

    supply: Supply
    definitions: Source


class GatewayAPI(pulumi.ComponentResource):
    """The standard channel's CustomResourceDefinitions."""

    def __init__(self, name: str, *, args: GatewayAPIArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:GatewayAPI", name, {}, opts)
        args.supply.charts.definitions(
            "gateway-api",
            args.definitions,
            namespace="default",  # of Helm's record only
            values={},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
