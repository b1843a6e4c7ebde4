"""Models that are served."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pulumi

from components.custom_resource import custom_resource
from components.footprint import SERVING_RUNTIME, PodResources
from components.model_settings import Model
from components.webhooks import patient

# How much longer the deployment waits than Knative does: KServe's word for a failure comes after Knative's.
MARGIN = 60
DECLARED = "kserve-multi-model/declared"


@dataclass(frozen=True, kw_only=True)
class InferenceServiceArgs:
    """A model and where it is served.

    Attributes:
        service_account: whose keys open the model's store; None for the namespace's default account.
        resources: of a model that says nothing itself; None for those of its serving runtime.
        gateway_address: URL of the gateway, without a path.
        context: the kube context, for whoever wants to look closer.

    """

    model: Model
    namespace: str
    domain: str
    service_account: pulumi.Output[str] | None
    resources: PodResources | None
    gateway_address: pulumi.Output[str]
    context: str | None


class InferenceService(pulumi.ComponentResource):
    """A model behind the gateway, done when it is ready.

    Attributes:
        endpoint: what a client needs to ask it, and what it should answer; known once it is ready.
        example: a command that asks it what it is.

    """

    endpoint: pulumi.Output[dict[str, Any]]
    example: pulumi.Output[str]

    def __init__(self, name: str, *, args: InferenceServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:serving:InferenceService", name, {}, opts)
        model = args.model
        service = custom_resource(
            name,
            api_version="serving.kserve.io/v1beta1",
            kind="InferenceService",
            name=model.name,
            namespace=args.namespace,
            annotations=_annotations(model),
            spec={"predictor": _predictor(args)},
            ready="Ready",
            timeout=model.timeout + MARGIN,
            opts=pulumi.ResourceOptions(parent=self, hooks=patient(f"model-{name}-webhooks")),
        )
        self.endpoint = pulumi.Output.all(service.id, args.gateway_address).apply(
            lambda known: _endpoint(args, gateway_address=known[1])
        )
        self.example = self.endpoint.apply(
            lambda e: f"curl -H 'Host: {e['host']}' {e['gateway_address']}{e['metadata_path']}"
        )
        self.register_outputs({"endpoint": self.endpoint})


def _annotations(model: Model) -> dict[str, str]:
    deadline = {"serving.knative.dev/progress-deadline": f"{model.timeout}s"}
    window = {"autoscaling.knative.dev/window": f"{model.scale.window}s"} if model.scale.window else {}
    return deadline | window


def _predictor(args: InferenceServiceArgs) -> dict[str, Any]:
    model = args.model
    served: dict[str, Any] = {
        "modelFormat": {"name": model.format, **({"version": model.version} if model.version else {})},
        "protocolVersion": model.protocol,
        "storageUri": model.storage_uri,
    }
    if model.runtime:
        served["runtime"] = model.runtime
    if model.resources:
        served["resources"] = model.resources.within(args.resources or SERVING_RUNTIME).values()
    elif args.resources:
        served["resources"] = args.resources.values()
    predictor: dict[str, Any] = {
        "annotations": {DECLARED: _digest(model, resources=served.get("resources"))},
        "minReplicas": model.replicas.min,
        "maxReplicas": model.replicas.max,
        "model": served,
    }
    if args.service_account is not None:
        predictor["serviceAccountName"] = args.service_account
    return predictor


def _digest(model: Model, *, resources: dict[str, dict[str, str]] | None) -> str:
    """Changes with everything that is declared of the server.

    KServe gives the generation of Knative's Service as the one of the InferenceService that it has observed, so a
    change that reached only one of the two would be waited for in vain, or not at all. With this, each reaches both.
    """
    stated = [model.model_dump(mode="json", exclude={"check"}), resources]
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()[:16]


def _endpoint(args: InferenceServiceArgs, *, gateway_address: str) -> dict[str, Any]:
    model = args.model
    host = f"{model.name}.{args.namespace}.{args.domain}"
    metadata_path = f"/{model.protocol}/models/{model.name}"
    return {
        "name": model.name,
        "namespace": args.namespace,
        "url": f"http://{host}",
        "host": host,
        "protocol": model.protocol,
        "predict_path": f"{metadata_path}:predict" if model.protocol == "v1" else f"{metadata_path}/infer",
        "metadata_path": metadata_path,
        "gateway_address": gateway_address,
        "context": args.context,
        "check": model.check.model_dump() if model.check else None,
    }
