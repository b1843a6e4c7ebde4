"""Models that are served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi

from components.charts.sources import ImageMirror
from components.objects.custom_resource import custom_resource
from components.objects.owner import ANNOTATION as OWNER
from components.objects.webhooks import patient
from components.rollout.model import ModelRollout
from components.rollout.wait import DECLARED
from components.serving.bandit import Bandit, BanditArgs
from components.serving.mode_fields import MODE_ANNOTATION, mode_annotations
from components.serving.model_paths import Paths
from components.serving.predictor import ServersArgs, canary_traffic, companions_of, predictor_of
from components.settings.model import Model
from components.settings.server import REQUEST_TIMEOUT, ComponentType
from components.settings.stack import Cluster
from endpoints.endpoint import Check, Endpoint
from kube.connection import connect
from releases.runtimes import BANDIT_IMAGE
from releases.types import GRPC_V2

# How much longer the deployment waits than Knative does: KServe's word for a failure comes after Knative's.
MARGIN = 60
# Knative's, for one of a model's versions.
VERSION_HEADER = "Knative-Serving-Tag"


@dataclass(frozen=True, kw_only=True)
class InferenceServiceArgs(ServersArgs):
    """A model and where it is served.

    Attributes:
        owner: the stack it is of.
        domain: of the models' routes.
        gateway_address: URL of the gateway, without a path.
        images: where the image of a bandit is, unless the model names it.
        termination_wait: deleted after it, and waits until its pods are gone.
        changes_mode: whether it may run in another of KServe's modes now: then it is deleted before it is made anew.

    """

    cluster: Cluster
    namespace: str
    owner: str
    domain: str
    gateway_address: pulumi.Output[str]
    images: ImageMirror | None = None
    termination_wait: pulumi.Resource | None = None
    changes_mode: bool = False


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
        companions = companions_of(args)
        predictor = predictor_of(args, companions=companions)
        rollout = _rollout(args, predictor=predictor, companions=companions)
        service = custom_resource(
            name,
            api_version="serving.kserve.io/v1beta1",
            kind="InferenceService",
            name=model.name,
            namespace=args.namespace,
            annotations={**mode_annotations(model), OWNER: args.owner},
            spec={"predictor": predictor, **{str(kind): spec for kind, spec in companions.items()}},
            # What KServe says it has observed is of a companion, which may be younger: then the hooks alone wait.
            ready=None if companions else "Ready",
            timeout=model.timeout + MARGIN,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=args.termination_wait,
                hooks=rollout.hooks(name, patience=patient(f"model-{name}-webhooks")),
                replace_on_changes=[f'metadata.annotations["{MODE_ANNOTATION}"]'],
                delete_before_replace=args.changes_mode or None,
            ),
        )
        _bandit(args, declared=rollout.predictor, opts=pulumi.ResourceOptions(parent=self, depends_on=[service]))
        self.endpoint = pulumi.Output.all(service.id, args.gateway_address).apply(
            lambda known: _endpoint(args, gateway_address=known[1])
        )
        self.example = self.endpoint.apply(_example)
        self.register_outputs({"endpoint": self.endpoint})


def _rollout(
    args: InferenceServiceArgs,
    *,
    predictor: Mapping[str, Any],
    companions: Mapping[ComponentType, Mapping[str, Any]],
) -> ModelRollout:
    return ModelRollout(
        connect=partial(connect, kubeconfig=args.cluster.kubeconfig, context=args.cluster.context),
        model=args.model,
        namespace=args.namespace,
        predictor=predictor["annotations"][DECLARED],
        companions={kind: companion["annotations"][DECLARED] for kind, companion in companions.items()},
        share=predictor.get("canaryTrafficPercent", 100),
        timeout=args.model.timeout + MARGIN,
    )


def _bandit(args: InferenceServiceArgs, *, declared: str, opts: pulumi.ResourceOptions) -> None:
    """What divides requests among a model's versions, where that is asked for."""
    model = args.model
    bandit = model.canary.bandit if model.canary else None
    image = args.images.image(BANDIT_IMAGE) if args.images else None
    if bandit is None or (stated := bandit.image or image) is None:
        return
    Bandit(
        model.bandit_name,
        args=BanditArgs(
            model=model.name,
            namespace=args.namespace,
            host=_bandit_host(args),
            predict_path=Paths.of(model).predict,
            versions=declared,
            epsilon=bandit.epsilon,
            timeout=model.request_timeout or REQUEST_TIMEOUT,
            image=stated,
        ),
        opts=opts,
    )


def _bandit_host(args: InferenceServiceArgs) -> str:
    return f"{args.model.bandit_name}.{args.namespace}.{args.domain}"


def _endpoint(args: InferenceServiceArgs, *, gateway_address: str) -> dict[str, Any]:
    model = args.model
    host = f"{model.name}.{args.namespace}.{args.domain}"
    paths = Paths.of(model)
    return Endpoint(
        name=model.name,
        namespace=args.namespace,
        url=f"http://{host}",
        host=host,
        protocol=model.protocol,
        predict_path=paths.predict,
        metadata_path=paths.metadata,
        explain_path=paths.explain if model.explainer else None,
        gateway_address=gateway_address,
        context=args.cluster.context,
        check=Check(**model.check.model_dump()) if model.check else None,
        versions=_versions(model),
        bandit=_bandit_host(args) if model.canary and model.canary.bandit else None,
    ).model_dump()


def _versions(model: Model) -> dict[str, dict[str, str]]:
    """The headers that choose a version of a model with a canary, by KServe's names for the two."""
    names = ("latest", "prev") if canary_traffic(model) is not None else ()
    return {name: {VERSION_HEADER: name} for name in names}


def _example(endpoint: Mapping[str, Any]) -> str:
    address, host, path = (endpoint[key] for key in ("gateway_address", "host", "metadata_path"))
    if endpoint["protocol"] != GRPC_V2:
        return f"curl -H 'Host: {host}' {address}{path}"
    name = json.dumps({"name": endpoint["name"]})
    return (
        f"grpcurl -plaintext -proto open_inference_grpc.proto -authority {host} -d '{name}' "
        f"{address.removeprefix('http://')} {path.removeprefix('/')}"
    )
