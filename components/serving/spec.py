"""Spec of an InferenceService: its predictor, and the transformer and explainer beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.platform.pull_secrets import references
from components.rollout.server import SERVER_CONTAINER
from components.serving.model_runtime import ModelRuntime
from components.serving.modes import SERVING_MODES, ServingMode
from components.serving.paths import Paths
from components.serving.pod_spec import drop_none, mounts, pod_fields, probe, server_labels, variables
from components.serving.storage_container import PLATFORMS, StorageContainer
from components.serving.storage_credentials import StoreAccess
from components.settings.model import Model
from components.settings.resource_profiles import SERVING_RUNTIME, PodResources
from components.settings.server import (
    COMPONENT_TYPES,
    PORT,
    Component,
    ComponentType,
    ContainerSettings,
    Resources,
    Transformer,
)
from kube.views.kserve import SPEC_HASH_ANNOTATION
from releases.types import GRPC_V2, ServingRuntime

# Port of gRPC in KServe's SDK, and so of a container that does not say its port.
GRPC_PORT = 8081


@dataclass(frozen=True, kw_only=True)
class InferenceServiceSpec:
    """Builds the spec of a model's InferenceService.

    Attributes:
        runtimes: serving runtimes of the release.
        store: access to the model's storage; None for the account that the model names.
        pull_secrets: names of the Secrets that its pods pull images with, beside those of the model.
        resources: of servers whose settings name none; None for those of the serving runtime.
        storage_container: what downloads its files; None for the platform's.
        names_the_platforms: whether it says so, because another model of its location has one of its own.
        own_runtime: the serving runtime in its namespace; None for one of KServe's, and for a container.

    """

    model: Model
    runtimes: tuple[ServingRuntime, ...]
    store: StoreAccess | None
    resources: PodResources | None
    pull_secrets: tuple[str, ...] = ()
    storage_container: StorageContainer | None = None
    names_the_platforms: bool = False
    own_runtime: ModelRuntime | None = None

    @property
    def mode(self) -> ServingMode:
        """What depends on the model's mode."""
        return SERVING_MODES[self.model.mode]

    @property
    def annotations(self) -> dict[str, str]:
        """Annotations of the InferenceService."""
        model = self.model
        scaling = self.mode.annotations(replicas=model.replicas, scale=model.scale, timeout=model.timeout)
        return scaling | self.mode.model_annotations

    @property
    def _own_specs(self) -> list[Mapping[str, Any]]:
        """For the hash: only new pods get a changed ClusterStorageContainer or ServingRuntime."""
        return [own.spec for own in (self.storage_container, self.own_runtime) if own]

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the InferenceService, which KServe and Knative read."""
        return {self.mode.visibility_label: self.model.visibility} if self.model.visibility else {}

    def components(self) -> dict[str, dict[str, Any]]:
        """Spec of each component by its name, the predictor first. Each has SPEC_HASH_ANNOTATION.

        The hash changes with everything that is declared of the component. The generation that KServe reports as
        observed is that of Knative's Service. So a change that reached only the InferenceService, or only Knative's
        Service, would be waited for in vain, or not at all. With the hash, each change reaches both. The share of a
        canary is not in it: that share reaches both by itself, and must not start a new revision.
        """
        beside = {
            str(kind): self._component(component, kind=kind)
            for kind in COMPONENT_TYPES
            if (component := self.model.component(kind))
        }
        return {"predictor": self._predictor(beside)} | beside

    def _predictor(self, beside: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        model, store = self.model, self.store
        spec = drop_none(
            {
                "minReplicas": model.replicas.min,
                "maxReplicas": model.replicas.max,
                "scaleMetric": model.scale.metric,
                "scaleTarget": model.scale.target,
                "containerConcurrency": model.concurrency,
                "timeout": model.request_timeout,
                **self.mode.predictor_fields(model),
                "storageContainerName": self._storage_container_name(),
                **pod_fields(model, labels=server_labels(model.service, "predictor")),
                "labels": {**model.labels, **(store.pod_labels if store else {})} or None,
                "imagePullSecrets": self._pull_secrets(),
                "batcher": _batcher(model),
                "logger": {"url": model.logger.url, "mode": model.logger.mode} if model.logger else None,
                "model": None if model.container else self._model(),
                "containers": [self._container(model.container)] if model.container else None,
            }
        )
        annotations = {**model.annotations, **(store.pod_annotations if store else {})}
        declared = spec_hash([self.annotations, annotations, spec, *beside.values(), *self.labels, *self._own_specs])
        return spec | drop_none(
            {
                "annotations": {**annotations, SPEC_HASH_ANNOTATION: declared},
                "serviceAccountName": store.service_account if store else model.service_account,
                "canaryTrafficPercent": canary_traffic(model),
            }
        )

    def _storage_container_name(self) -> str | None:
        if self.storage_container:
            return self.storage_container.name
        return PLATFORMS if self.names_the_platforms else None

    def _pull_secrets(self) -> list[dict[str, str]] | None:
        of_store = self.store.pull_secrets if self.store else ()
        return references([*self.pull_secrets, *self.model.image_pull_secrets, *of_store]) or None

    def _model(self) -> dict[str, Any]:
        """Model of a format, which a serving runtime serves."""
        model = self.model
        runtimes = model.matching_runtimes(self.runtimes)
        # The port of gRPC differs between runtimes, and not all of them declare it. So KServe is not left to choose.
        for_grpc = runtimes[0] if model.protocol == GRPC_V2 else None
        named = self.own_runtime or for_grpc
        return drop_none(
            {
                "modelFormat": drop_none({"name": model.format, "version": model.version}),
                "protocolVersion": runtimes[0].protocol_version(model.protocol),
                "storageUri": model.location,
                "runtime": named.name if named else model.runtime,
                "args": self._arguments(runtimes[0].name_argument) or None,
                "ports": [_port(for_grpc.grpc_port, model)] if for_grpc else None,
                **self._container_fields(variables(model.environment)),
                # KServe chooses one of the runtimes, so all of them must report that the model is loaded.
                "readinessProbe": probe(Paths.of(model).ready) if all(r.reports_loaded for r in runtimes) else None,
            }
        )

    def _arguments(self, name_argument: str | None) -> list[str]:
        """Arguments that KServe appends to those of the serving runtime, which give the model the service's name."""
        name = self.model.model_name
        return [*([f"{name_argument}={name}"] if name and name_argument else []), *self.model.args]

    def _container(self, container: ContainerSettings) -> dict[str, Any]:
        """Container of the stack's own, for which KServe downloads the model's files to /mnt/models."""
        model, is_grpc = self.model, self.model.protocol == GRPC_V2
        port = container.port or (GRPC_PORT if is_grpc else PORT)
        files = [{"name": "STORAGE_URI", "value": model.location}] if model.location else []
        ready = container.ready_path or (None if is_grpc else Paths.of(model).ready)
        return drop_none(
            {
                "name": SERVER_CONTAINER,
                "image": container.image,
                "command": list(container.command) or None,
                "args": list(container.args) or None,
                "ports": [_port(port, model)],
                **self._container_fields([*variables(model.environment), *files]),
                "readinessProbe": probe(ready, port=PORT if is_grpc else port) if ready else None,
            }
        )

    def _container_fields(self, environment: list[dict[str, Any]]) -> dict[str, Any]:
        """Fields that a serving runtime's container and one of the stack's own have in common."""
        return {
            "resources": self._resources(self.model.resources_with_gpus),
            "env": environment or None,
            "volumeMounts": mounts(self.model.volumes),
            **self.mode.container_fields,
        }

    def _resources(self, own: Resources | None) -> dict[str, dict[str, str]] | None:
        """Resources of a container with these in its settings; None for those of the serving runtime."""
        resources = own.within(self.resources or SERVING_RUNTIME) if own else self.resources
        return resources.values() if resources else None

    def _component(self, component: Component, *, kind: ComponentType) -> dict[str, Any]:
        """Transformer or explainer. It is ready when it answers for the model."""
        port = component.port if isinstance(component, Transformer) else PORT
        container = {
            "name": SERVER_CONTAINER,
            "image": component.image,
            "command": component.command,
            "args": _component_arguments(component, port=port, model=self.model),
            "ports": [{"containerPort": port, "protocol": "TCP"}],
            "env": variables(component.environment),
            "volumeMounts": mounts(component.volumes),
            "resources": self._resources(component.resources),
            "readinessProbe": probe(Paths.of(self.model).ready, port=port),
        }
        spec = drop_none(
            {
                "minReplicas": component.replicas.min,
                "maxReplicas": component.replicas.max,
                "containerConcurrency": component.concurrency,
                "timeout": component.request_timeout,
                "imagePullSecrets": self._pull_secrets(),
                **pod_fields(component, labels=server_labels(self.model.service, kind)),
                "containers": [{name: value for name, value in container.items() if value}],
            }
        )
        return {**spec, "annotations": {SPEC_HASH_ANNOTATION: spec_hash([self.annotations, spec, *self.labels])}}


def canary_traffic(model: Model) -> int | None:
    """Share of the latest version in per cent, or None without a canary.

    100 % is no canary either. KServe does the same in both cases, and must not see a change from one to the other.
    """
    return model.canary.traffic if model.canary and model.canary.traffic < 100 else None


def _component_arguments(component: Component, *, port: int, model: Model) -> list[str]:
    """Arguments of the settings, and those that KServe leaves out or gets wrong, unless the settings have them.

    KServe passes the service's name as the model's, does not pass on the protocol, always gives 8080 as the port, and
    starts as many processes as a server gets requests at a time.
    """
    added = {
        "--model_name": model.model_name,
        "--predictor_protocol": model.protocol if model.protocol != "v1" else None,
        "--http_port": port if port != PORT else None,
        "--workers": 1 if component.concurrency else None,
    }
    missing = [name for name in added if not any(argument.startswith(name) for argument in component.args)]
    return [*component.args, *(f"{name}={added[name]}" for name in missing if added[name])]


def _port(port: int | None, model: Model) -> dict[str, Any]:
    """Port that requests go to. The name h2c says that they are HTTP/2, as those of gRPC are."""
    name = {"name": "h2c"} if model.protocol == GRPC_V2 else {}
    return {**name, "containerPort": port, "protocol": "TCP"}


def _batcher(model: Model) -> dict[str, int] | None:
    if model.batcher is None:
        return None
    return {"maxBatchSize": model.batcher.max_batch_size, "maxLatency": model.batcher.max_latency}


def spec_hash(declared: object) -> str:
    """16 hexadecimal digits that change with everything in a JSON document."""
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:16]
