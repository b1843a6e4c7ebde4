"""Gateway API: the CustomResourceDefinitions of Gateway, HTTPRoute and the others of the standard channel."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.platform.context import InstallContext
from releases.types import Source

# Name of the Helm release, too.
NAME = "gateway-api"
# Of Helm's record; the definitions have no namespace.
RECORD_NAMESPACE = "default"


@dataclass(frozen=True, kw_only=True)
class GatewayAPIArgs:
    """What Gateway API is installed with, and the manifest of its CustomResourceDefinitions."""

    install: InstallContext
    definitions: Source


class GatewayAPI(pulumi.ComponentResource):
    """Gateway API's CustomResourceDefinitions, done when they are created."""

    def __init__(self, name: str, *, args: GatewayAPIArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:GatewayAPI", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        release = args.install.charts.definitions(
            NAME,
            args.definitions,
            namespace=RECORD_NAMESPACE,
            values={},
            opts=inside,
        )
        args.install.guards.definitions(release, NAME, releases=(f"{RECORD_NAMESPACE}/{NAME}",))
        self.register_outputs({})
