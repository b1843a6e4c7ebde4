"""ClusterServingRuntimes that KServe's chart does not have."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.objects import retry_on_webhook_error
from components.platform.context import InstallContext
from components.settings.resource_profiles import SERVING_RUNTIME
from releases.types import ServingRuntime

SERVER_PORT = 8080


def serving_runtime(
    runtime: ServingRuntime, *, install: InstallContext, version: str, opts: pulumi.ResourceOptions
) -> k8s.apiextensions.CustomResource:
    """Declare the ClusterServingRuntime of a server that takes the same arguments as KServe's own servers.

    `version` is the tag of its image.
    """
    hooks = retry_on_webhook_error(f"{runtime.name}-webhooks")
    return k8s.apiextensions.CustomResource(
        runtime.name,
        api_version="serving.kserve.io/v1alpha1",
        kind="ClusterServingRuntime",
        metadata=k8s.meta.v1.ObjectMetaArgs(name=runtime.name),
        spec=_spec(runtime, install=install, version=version),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=hooks)),
    )


def _spec(runtime: ServingRuntime, *, install: InstallContext, version: str) -> dict[str, Any]:
    images = install.images
    image = images.image(runtime.image) if images else runtime.image
    return {
        "annotations": {"prometheus.kserve.io/port": str(SERVER_PORT), "prometheus.kserve.io/path": "/metrics"},
        "protocolVersions": list(runtime.protocols),
        "supportedModelFormats": [
            {
                "name": model_format.name,
                "version": model_format.version,
                "autoSelect": model_format.auto_select,
                "priority": 1,
            }
            for model_format in runtime.formats
        ],
        "containers": [
            {
                "name": "kserve-container",
                "image": f"{image}:{version}",
                "args": [
                    "--model_name={{.Name}}",
                    "--model_dir=/mnt/models",
                    f"--http_port={SERVER_PORT}",
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
