"""Serving runtimes that KServe's chart does not have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.footprint import SERVING_RUNTIME
from components.releases import ServingRuntime
from components.supply import Supply
from components.webhooks import patient

HTTP_PORT = 8080


@dataclass(frozen=True, kw_only=True)
class ServingRuntimesArgs:
    """The runtimes, and the tag of their images."""

    supply: Supply
    runtimes: tuple[ServingRuntime, ...]
    version: str


class ServingRuntimes(pulumi.ComponentResource):
    """A ClusterServingRuntime each, of servers that take the arguments which KServe's own servers take."""

    def __init__(self, name: str, *, args: ServingRuntimesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:ServingRuntimes", name, {}, opts)
        for runtime in args.runtimes:
            k8s.apiextensions.CustomResource(
                runtime.name,
                api_version="serving.kserve.io/v1alpha1",
                kind="ClusterServingRuntime",
                metadata=k8s.meta.v1.ObjectMetaArgs(name=runtime.name),
                spec=_spec(runtime, args=args),
                opts=pulumi.ResourceOptions(parent=self, hooks=patient(f"{runtime.name}-webhooks")),
            )
        self.register_outputs({})


def _spec(runtime: ServingRuntime, *, args: ServingRuntimesArgs) -> dict[str, Any]:
    images = args.supply.images
    image = images.image(runtime.image) if images else runtime.image
    return {
        "annotations": {"prometheus.kserve.io/port": str(HTTP_PORT), "prometheus.kserve.io/path": "/metrics"},
        "protocolVersions": list(runtime.protocols),
        "supportedModelFormats": [
            {"name": each.name, "version": each.version, "autoSelect": each.auto_select, "priority": 1}
            for each in runtime.formats
        ],
        "containers": [
            {
                "name": "kserve-container",
                "image": f"{image}:{args.version}",
                "args": [
                    "--model_name={{.Name}}",
                    "--model_dir=/mnt/models",
                    f"--http_port={HTTP_PORT}",
                    f"--grpc_port={runtime.grpc_port}",
                    "--nthread=1",
                ],
                "resources": SERVING_RUNTIME.values(),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "privileged": False,
                    "runAsNonRoot": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }
