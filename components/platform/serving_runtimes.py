"""Serving runtimes that KServe's chart does not have."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.objects.webhooks import patient
from components.platform.context import Supply
from components.settings.resource_profiles import SERVING_RUNTIME
from releases.types import ServingRuntime

HTTP_PORT = 8080


def serving_runtime(
    runtime: ServingRuntime, *, supply: Supply, version: str, opts: pulumi.ResourceOptions
) -> k8s.apiextensions.CustomResource:
    """The ClusterServingRuntime of a server that takes the arguments of KServe's own; `version` is its image's tag."""
    patience = pulumi.ResourceOptions(hooks=patient(f"{runtime.name}-webhooks"))
    return k8s.apiextensions.CustomResource(
        runtime.name,
        api_version="serving.kserve.io/v1alpha1",
        kind="ClusterServingRuntime",
        metadata=k8s.meta.v1.ObjectMetaArgs(name=runtime.name),
        spec=_spec(runtime, supply=supply, version=version),
        opts=pulumi.ResourceOptions.merge(opts, patience),
    )


def _spec(runtime: ServingRuntime, *, supply: Supply, version: str) -> dict[str, Any]:
    images = supply.images
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
                "image": f"{image}:{version}",
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
