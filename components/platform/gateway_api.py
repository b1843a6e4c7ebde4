"""Gateway API: the CustomResourceDefinitions of Gateway, HTTPRoute and the others of the standard channel."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.platform.context import InstallContext
from releases.types import Source


@dataclass(frozen=True, kw_only=True)
class GatewayAPIArgs:
    """What Gateway API is installed with, and the manifest of its CustomResourceDefinitions."""

    install: InstallContext
    definitions: Source


class GatewayAPI(pulumi.ComponentResource):
    """Gateway API's CustomResourceDefinitions, done when they are created."""

    def __init__(self, name: str, *, args: GatewayAPIArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:GatewayAPI", name, {}, opts)
        args.install.charts.definitions(
            "gateway-api",
            args.definitions,
            namespace="default",  # of Helm's record; the definitions have no namespace
            values={},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
