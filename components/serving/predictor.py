"""What KServe is told of a model's servers: the predictor, and the companions beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components.rollout.companions import companion_spec
from components.rollout.spec_hash import digest
from components.rollout.spec_hash import said as _said
from components.rollout.spec_hash import toleration_spec as _toleration
from components.rollout.wait import DECLARED
from components.serving.mode_fields import mode_annotations, mode_container_fields, mode_fields
from components.serving.model_paths import Paths
from components.settings.model import Model
from components.settings.resource_profiles import SERVING_RUNTIME, PodResources
from components.settings.server import COMPONENT_TYPES, ComponentType, ContainerSettings
from releases.types import GRPC_V2, ServingRuntime

# The port of every serving runtime's HTTP server.
PORT = 8080
# Where KServe's SDK serves gRPC, and so where a container is taken to.
GRPC_PORT = 8081
# Ready soon after loading, and no more 20 s after the server is gone; but a server that is busy with a request, and so
# answers nothing else, has ten times 30 s for it, which is what Knative gives a request.
PROBING = {"periodSeconds": 2, "timeoutSeconds": 30, "failureThreshold": 10}


@dataclass(frozen=True, kw_only=True)
class ServersArgs:
    """A model and what its servers are made of.

    Attributes:
        runtimes: those that KServe has.
        service_account: whose keys open the model's store; None for the one the model names, if it does.
        resources: of a model that says nothing itself; None for those of its serving runtime.

    """

    model: Model
    runtimes: tuple[ServingRuntime, ...]
    service_account: pulumi.Output[str] | None
    resources: PodResources | None


def companions_of(args: ServersArgs) -> dict[ComponentType, dict[str, Any]]:
    """A model's transformer and explainer as KServe reads them, without those that it does not have."""
    probe = _probe(Paths.of(args.model).ready)
    stated = {kind: args.model.component(kind) for kind in COMPONENT_TYPES}
    specs = {
        kind: companion_spec(companion, model=args.model, probe=probe, footprint=args.resources)
        for kind, companion in stated.items()
        if companion
    }
    return {
        kind: {**spec, "annotations": {DECLARED: _digest([mode_annotations(args.model), spec])}}
        for kind, spec in specs.items()
    }


def predictor_of(args: ServersArgs, *, companions: Mapping[ComponentType, Mapping[str, Any]]) -> dict[str, Any]:
    """A model's server as KServe reads it, beside what `companions_of` gives."""
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
    declared = _digest([mode_annotations(model), model.annotations, said, *companions.values()])
    account = model.service_account if args.service_account is None else args.service_account
    return said | _said(
        {
            "annotations": {**model.annotations, DECLARED: declared},
            "serviceAccountName": account,
            "canaryTrafficPercent": canary_traffic(model),
        }
    )


def _served(args: ServersArgs) -> dict[str, Any]:
    """The model of a format, which a serving runtime serves."""
    model = args.model
    runtimes = model.matching_runtimes(args.runtimes)
    # Its gRPC is at a port of its own and not always stated, so KServe is not left to choose.
    by_grpc = runtimes[0] if model.protocol == GRPC_V2 else None
    return _said(
        {
            "modelFormat": _said({"name": model.format, "version": model.version}),
            "protocolVersion": runtimes[0].protocol_version(model.protocol),
            "storageUri": model.storage_uri,
            "runtime": by_grpc.name if by_grpc else model.runtime,
            "ports": [_port(by_grpc.grpc_port, model)] if by_grpc else None,
            **_surroundings(args, more_environment={}),
            # KServe chooses among them: all must be able to say it.
            "readinessProbe": _probe(Paths.of(model).ready) if all(r.reports_loaded for r in runtimes) else None,
        }
    )


def _container(container: ContainerSettings, args: ServersArgs) -> dict[str, Any]:
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


def _surroundings(args: ServersArgs, *, more_environment: Mapping[str, str]) -> dict[str, Any]:
    model = args.model
    own = model.resources_with_gpus
    resources = own.within(args.resources or SERVING_RUNTIME) if own else args.resources
    environment = {**model.environment, **more_environment}
    return {
        "resources": resources.values() if resources else None,
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


def canary_traffic(model: Model) -> int | None:
    """With 100 % there is no canary: KServe does the same as without one, and must not see two ways to say it."""
    return model.canary.traffic if model.canary and model.canary.traffic < 100 else None


def _digest(stated: object) -> str:
    """Changes with everything that is declared of the server.

    KServe gives the generation of Knative's Service as the one of the InferenceService that it has observed, so a
    change that reached only one of the two would be waited for in vain, or not at all. With this, each reaches both.
    A canary's traffic does so by itself, and without a new revision.
    """
    return digest(stated)
