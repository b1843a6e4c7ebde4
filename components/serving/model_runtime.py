"""The serving runtime of a model whose format the release's KServe has no runtime for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pulumi
import pulumi_kubernetes as k8s

from components.charts.sources import ImageMirror
from components.objects import retry_on_webhook_error
from components.rollout.server import SERVER_CONTAINER
from components.serving.pod_spec import drop_none, probe
from components.settings.model import Model
from components.settings.resource_profiles import SERVING_RUNTIME
from releases.types import DeclaredRuntime, ServingRuntime


@dataclass(frozen=True, kw_only=True)
class ModelRuntime:
    """A ServingRuntime for one model, which names it.

    Each model has its own, so that several stacks can have models in one namespace.

    Attributes:
        resource_name: name in Pulumi.

    """

    resource_name: str
    name: str
    namespace: str
    spec: Mapping[str, Any]

    @classmethod
    def of(
        cls, model: Model, *, namespace: str, runtimes: Sequence[ServingRuntime], images: ImageMirror | None
    ) -> Self | None:
        """That of a model; None where KServe has a runtime for it, or where it has a container."""
        runtime = model.declared_runtime(runtimes)
        if runtime is None:
            return None
        return cls(
            resource_name=f"{model.name}-runtime",
            name=f"{model.service}-{runtime.extra}",
            namespace=namespace,
            spec=_spec(
                runtime,
                image=images.image(runtime.image) if images else runtime.image,
                protocol=runtime.protocol_version(model.protocol),
            ),
        )

    def declare(self, opts: pulumi.ResourceOptions) -> pulumi.Resource:
        """Declare it. The model has to wait for it: KServe gives up on one whose runtime is missing."""
        return k8s.apiextensions.CustomResource(
            self.resource_name,
            api_version="serving.kserve.io/v1alpha1",
            kind="ServingRuntime",
            metadata=k8s.meta.v1.ObjectMetaArgs(name=self.name, namespace=self.namespace),
            spec=dict(self.spec),
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(hooks=retry_on_webhook_error(f"{self.resource_name}-webhooks"))
            ),
        )


def _spec(runtime: DeclaredRuntime, *, image: str, protocol: str | None) -> dict[str, Any]:
    variables = [*runtime.environment]
    if runtime.protocol_variable and protocol:
        variables.append((runtime.protocol_variable, protocol))
    container = {
        "name": SERVER_CONTAINER,
        "image": f"{image}:{runtime.tag}",
        "command": list(runtime.command) or None,
        "args": list(runtime.arguments) or None,
        "env": [{"name": name, "value": value} for name, value in variables] or None,
        "resources": SERVING_RUNTIME.values(),
        "readinessProbe": probe(runtime.ready_path) if runtime.ready_path else None,
        # What a server of others prints last is all that it tells of its failure.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    metrics = {
        "prometheus.kserve.io/port": str(runtime.metrics_port),
        "prometheus.kserve.io/path": runtime.metrics_path,
    }
    return drop_none(
        {
            "annotations": metrics if runtime.metrics_port else None,
            "protocolVersions": list(runtime.protocols),
            # KServe selects it for no other model of the namespace, and it stands in the way of no other runtime.
            "supportedModelFormats": [
                {"name": model_format.name, "version": model_format.version, "autoSelect": False}
                for model_format in runtime.formats
            ],
            "containers": [drop_none(container)],
        }
    )
