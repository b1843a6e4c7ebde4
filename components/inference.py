"""Models that are served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import pulumi

from components.bandit import Bandit, BanditArgs
from components.connection import connect
from components.container_settings import Container
from components.custom_resource import custom_resource
from components.declared import digest
from components.declared import said as _said
from components.declared import toleration_spec as _toleration
from components.footprint import SERVING_RUNTIME, PodResources
from components.mode_fields import MODE_ANNOTATION, mode_annotations, mode_container_fields, mode_fields
from components.model_rollout import ModelRollout
from components.model_settings import Model
from components.owner import ANNOTATION as OWNER
from components.releases import BANDIT_IMAGE, GRPC_V2, OPENAI, ServingRuntime
from components.rollout import DECLARED
from components.server_settings import REQUEST_TIMEOUT
from components.settings import Cluster
from components.sources import ImageMirror
from components.transformer import transformer_spec
from components.webhooks import patient

# How much longer the deployment waits than Knative does: KServe's word for a failure comes after Knative's.
MARGIN = 60
# The port of every serving runtime's HTTP server.
PORT = 8080
# Knative's, for one of a model's versions.
VERSION_HEADER = "Knative-Serving-Tag"
# Where KServe's SDK serves gRPC, and so where a container is taken to.
GRPC_PORT = 8081
GRPC_SERVICE = "inference.GRPCInferenceService"
# Ready soon after loading, and no more 20 s after the server is gone; but a server that is busy with a request, and so
# answers nothing else, has ten times 30 s for it, which is what Knative gives a request.
PROBING = {"periodSeconds": 2, "timeoutSeconds": 30, "failureThreshold": 10}


@dataclass(frozen=True, kw_only=True)
class InferenceServiceArgs:
    """A model and where it is served.

    Attributes:
        runtimes: those that KServe has.
        owner: the stack it is of.
        domain: of the models' routes.
        service_account: whose keys open the model's store; None for the one the model names, if it does.
        resources: of a model that says nothing itself; None for those of its serving runtime.
        gateway_address: URL of the gateway, without a path.
        images: where the image of a bandit is, unless the model names it.
        changes_mode: whether it may run in another of KServe's modes now: then it is deleted before it is made anew.

    """

    model: Model
    runtimes: tuple[ServingRuntime, ...]
    cluster: Cluster
    namespace: str
    owner: str
    domain: str
    service_account: pulumi.Output[str] | None
    resources: PodResources | None
    gateway_address: pulumi.Output[str]
    images: ImageMirror | None = None
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
        transformer = _transformer(args)
        predictor = _predictor(args, transformer=transformer)
        rollout = _rollout(args, predictor=predictor, transformer=transformer)
        service = custom_resource(
            name,
            api_version="serving.kserve.io/v1beta1",
            kind="InferenceService",
            name=model.name,
            namespace=args.namespace,
            annotations={**mode_annotations(model), OWNER: args.owner},
            spec=_said({"predictor": predictor, "transformer": transformer}),
            ready="Ready",
            # What KServe says it has observed is then of the transformer, which may be younger than the model.
            newest=transformer is None,
            timeout=model.timeout + MARGIN,
            opts=pulumi.ResourceOptions(
                parent=self,
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
    args: InferenceServiceArgs, *, predictor: Mapping[str, Any], transformer: Mapping[str, Any] | None
) -> ModelRollout:
    return ModelRollout(
        connect=partial(connect, kubeconfig=args.cluster.kubeconfig, context=args.cluster.context),
        model=args.model,
        namespace=args.namespace,
        predictor=predictor["annotations"][DECLARED],
        transformer=transformer["annotations"][DECLARED] if transformer else None,
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


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where a model answers, by its protocol; `ready`, over HTTP, with an error until it is loaded."""

    metadata: str
    ready: str
    predict: str

    @classmethod
    def of(cls, model: Model) -> Self:
        """The paths of v1, or of the open inference protocol; gRPC's methods have paths, too."""
        if model.protocol == "v1":
            own = f"/v1/models/{model.name}"
            return cls(metadata=own, ready=own, predict=f"{own}:predict")
        if model.protocol == OPENAI:
            return cls(metadata="/v1/models", ready="/v1/models", predict="/v1/completions")
        own = f"/v2/models/{model.name}"
        if model.protocol == GRPC_V2:
            methods = f"/{GRPC_SERVICE}"
            return cls(metadata=f"{methods}/ModelMetadata", ready=f"{own}/ready", predict=f"{methods}/ModelInfer")
        return cls(metadata=own, ready=f"{own}/ready", predict=f"{own}/infer")


def _transformer(args: InferenceServiceArgs) -> dict[str, Any] | None:
    model = args.model
    if model.transformer is None:
        return None
    spec = transformer_spec(
        model.transformer, model=model, probe=_probe(Paths.of(model).ready), footprint=args.resources
    )
    return {**spec, "annotations": {DECLARED: _digest([mode_annotations(model), spec])}}


def _predictor(args: InferenceServiceArgs, *, transformer: Mapping[str, Any] | None) -> dict[str, Any]:
    model = args.model
    said = _said(
        {
            "minReplicas": model.replicas.min,
            "maxReplicas": model.replicas.max,
            "scaleMetric": model.scale.metric,
            "scaleTarget": model.scale.target,
            "containerConcurrency": model.concurrency,
            "timeout": model.request_timeout,
            **mode_fields(model),
            "nodeSelector": model.node_selector or None,
            "tolerations": [_toleration(toleration) for toleration in model.tolerations] or None,
            "labels": model.labels or None,
            "batcher": _batcher(model),
            "logger": {"url": model.logger.url, "mode": model.logger.mode} if model.logger else None,
            "model": None if model.container else _served(args),
            "containers": [_container(model.container, args)] if model.container else None,
        }
    )
    declared = _digest([mode_annotations(model), model.annotations, said, *([transformer] if transformer else [])])
    account = model.service_account if args.service_account is None else args.service_account
    return said | _said(
        {
            "annotations": {**model.annotations, DECLARED: declared},
            "serviceAccountName": account,
            "canaryTrafficPercent": _canary_traffic(model),
        }
    )


def _served(args: InferenceServiceArgs) -> dict[str, Any]:
    """The model of a format, which a serving runtime serves."""
    model = args.model
    runtimes = model.served_by(args.runtimes)
    # Its gRPC is at a port of its own and not always stated, so KServe is not left to choose.
    by_grpc = runtimes[0] if model.protocol == GRPC_V2 else None
    return _said(
        {
            "modelFormat": _said({"name": model.format, "version": model.version}),
            "protocolVersion": runtimes[0].stated(model.protocol),
            "storageUri": model.storage_uri,
            "runtime": by_grpc.name if by_grpc else model.runtime,
            "ports": [_port(by_grpc.grpc_port, model)] if by_grpc else None,
            **_surroundings(args, more_environment={}),
            # KServe chooses among them: all must be able to say it.
            "readinessProbe": _probe(Paths.of(model).ready) if all(r.tells_loaded for r in runtimes) else None,
        }
    )


def _container(container: Container, args: InferenceServiceArgs) -> dict[str, Any]:
    """A server of the stack's own; KServe fetches its files to /mnt/models."""
    model, path = args.model, container.ready_path
    by_grpc = model.protocol == GRPC_V2
    port = container.port or (GRPC_PORT if by_grpc else PORT)
    files = {"STORAGE_URI": model.storage_uri} if model.storage_uri else {}
    ready = path if by_grpc else path or Paths.of(model).ready
    return _said(
        {
            "name": "kserve-container",
            "image": container.image,
            "command": list(container.command) or None,
            "args": list(container.args) or None,
            "ports": [_port(port, model)],
            **_surroundings(args, more_environment=files),
            "readinessProbe": _probe(ready, port=PORT if by_grpc else port) if ready else None,
        }
    )


def _surroundings(args: InferenceServiceArgs, *, more_environment: Mapping[str, str]) -> dict[str, Any]:
    model = args.model
    asked = model.asked.within(args.resources or SERVING_RUNTIME) if model.asked else args.resources
    environment = {**model.environment, **more_environment}
    return {
        "resources": asked.values() if asked else None,
        "env": [{"name": name, "value": text} for name, text in environment.items()] or None,
        **mode_container_fields(model),
    }


def _port(port: int | None, model: Model) -> dict[str, Any]:
    """The port that requests go to; its name says whether they are HTTP/2, as gRPC is."""
    name = {"name": "h2c"} if model.protocol == GRPC_V2 else {}
    return {**name, "containerPort": port, "protocol": "TCP"}


def _probe(path: str, *, port: int = PORT) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": port}, **PROBING}


def _batcher(model: Model) -> dict[str, int] | None:
    if model.batcher is None:
        return None
    return {"maxBatchSize": model.batcher.max_batch_size, "maxLatency": model.batcher.max_latency}


def _canary_traffic(model: Model) -> int | None:
    """With 100 % there is no canary: KServe does the same as without one, and must not see two ways to say it."""
    return model.canary.traffic if model.canary and model.canary.traffic < 100 else None


def _digest(stated: object) -> str:
    """Changes with everything that is declared of the server.

    KServe gives the generation of Knative's Service as the one of the InferenceService that it has observed, so a
    change that reached only one of the two would be waited for in vain, or not at all. With this, each reaches both.
    A canary's traffic does so by itself, and without a new revision.
    """
    return digest(stated)


def _endpoint(args: InferenceServiceArgs, *, gateway_address: str) -> dict[str, Any]:
    model = args.model
    host = f"{model.name}.{args.namespace}.{args.domain}"
    paths = Paths.of(model)
    return {
        "name": model.name,
        "namespace": args.namespace,
        "url": f"http://{host}",
        "host": host,
        "protocol": model.protocol,
        "predict_path": paths.predict,
        "metadata_path": paths.metadata,
        "gateway_address": gateway_address,
        "context": args.cluster.context,
        "check": model.check.model_dump() if model.check else None,
        "versions": _versions(model),
        "bandit": _bandit_host(args) if model.canary and model.canary.bandit else None,
    }


def _versions(model: Model) -> dict[str, dict[str, str]]:
    """The headers that choose a version of a model with a canary, by KServe's names for the two."""
    names = ("latest", "prev") if _canary_traffic(model) is not None else ()
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
