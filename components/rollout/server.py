"""Wait until the new version of one server gets the requests. In mode Knative a server is a Service of Knative.

KServe's Ready condition is not enough, because it can still describe the version before:

- In mode Knative the generation that KServe reports as observed is that of Knative's Service, not that of the
  InferenceService. KServe also changes Knative's Service without a change of the InferenceService, to roll a canary
  back or for a new serving runtime. From then on the reported generation stays ahead, and the Ready condition of the
  version before passes for that of the new one.
- In mode Standard KServe reports a model as ready while enough pods are available, whichever version they serve.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import httpx2 as httpx
from pydantic import AliasPath, BaseModel, Field

from components.rollout.wait import Wait
from components.settings.model import SELECTOR_LABEL
from components.settings.modes import Mode
from kube.read import read

# Its value changes with everything that is declared of a server. KServe copies it to the server's pods.
SPEC_HASH_ANNOTATION = "kserve-multi-model/declared"
SERVER_CONTAINER = "kserve-container"
NOT_UPDATED = "KServe has not updated it yet"
TEMPLATE_HASH = AliasPath("spec", "template", "metadata", "annotations", SPEC_HASH_ANNOTATION)


@dataclass(frozen=True, kw_only=True)
class ServerRollout(Wait):
    """Wait until the new version of a server gets the requests.

    Attributes:
        spec_hash: value of SPEC_HASH_ANNOTATION in the new version.

    """

    spec_hash: str
    failure: ClassVar[str] = "does not serve what was declared"


class Condition(BaseModel):
    """Condition of an object's status; `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


class Target(BaseModel):
    """Share of the requests for one revision, in per cent."""

    latest: bool = Field(False, validation_alias="latestRevision")
    revision: str = Field("", validation_alias="revisionName")
    percent: int = 0


class KnativeService(BaseModel):
    """Service of Knative: `generation`, `spec_hash` and `traffic` are what it should be, the rest is its status."""

    generation: int = Field(validation_alias=AliasPath("metadata", "generation"))
    spec_hash: str = Field("", validation_alias=TEMPLATE_HASH)
    traffic: tuple[Target, ...] = Field((), validation_alias=AliasPath("spec", "traffic"))
    observed_generation: int = Field(0, validation_alias=AliasPath("status", "observedGeneration"))
    latest_ready: str = Field("", validation_alias=AliasPath("status", "latestReadyRevisionName"))
    conditions: tuple[Condition, ...] = Field((), validation_alias=AliasPath("status", "conditions"))

    @property
    def is_one_revision(self) -> bool:
        """Whether the requests that do not go to the latest revision go to the same revision by its name."""
        return any(
            target.revision == self.latest_ready and target.percent and not target.latest for target in self.traffic
        )

    def pending(self, spec_hash: str, *, share: int) -> str | None:
        """What has to happen until the version with this hash gets its share of the requests, or None."""
        if self.spec_hash != spec_hash or sum(target.percent for target in self.traffic if target.latest) != share:
            return NOT_UPDATED
        if self.observed_generation != self.generation:
            return "Knative has not acted on the update yet"
        ready = next((condition for condition in self.conditions if condition.type == "Ready"), None)
        if ready is None or ready.status != "True":
            return ": ".join(filter(None, (ready.reason, ready.message))) if ready else "it is not ready"
        return None


class RolledOutVersions(BaseModel):
    """Part of an InferenceService's status; `previous` got all requests before the revision that last got them all."""

    previous: str = Field(
        "", validation_alias=AliasPath("status", "components", "predictor", "previousRolledoutRevision")
    )


@dataclass(frozen=True, kw_only=True)
class KnativeRollout(ServerRollout):
    """Wait for Knative's Service.

    Attributes:
        share: part of the requests that the latest revision has to get, in per cent.
        model: InferenceService whose predictor it is. None for other servers, which never have a canary.

    """

    share: int = 100
    model: str | None = None

    def pending(self, client: httpx.Client) -> str | None:
        """What Knative or KServe has yet to do."""
        service = read(KnativeService, client, knative_service_path(self.namespace, self.name))
        if reason := service.pending(self.spec_hash, share=self.share):
            return reason
        # KServe rolls a promoted version back in two steps. After the first, two names of one revision share the
        # requests.
        if self.model and service.is_one_revision and self._has_previous_version(client):
            return "KServe has not rolled back to the version before yet"
        return None

    def _has_previous_version(self, client: httpx.Client) -> bool:
        path = f"/apis/serving.kserve.io/v1beta1/namespaces/{self.namespace}/inferenceservices/{self.model}"
        return bool(read(RolledOutVersions, client, path).previous)


class Deployment(BaseModel):
    """Deployment: `generation`, `spec_hash` and `desired` are what it should be, the rest is its status."""

    generation: int = Field(validation_alias=AliasPath("metadata", "generation"))
    spec_hash: str = Field("", validation_alias=TEMPLATE_HASH)
    desired: int = Field(1, validation_alias=AliasPath("spec", "replicas"))
    observed_generation: int = Field(0, validation_alias=AliasPath("status", "observedGeneration"))
    replicas: int = Field(0, validation_alias=AliasPath("status", "replicas"))
    updated: int = Field(0, validation_alias=AliasPath("status", "updatedReplicas"))
    available: int = Field(0, validation_alias=AliasPath("status", "availableReplicas"))

    def pending(self, spec_hash: str) -> str | None:
        """What has to happen until all pods, and no others, are of the version with this hash, or None."""
        if self.spec_hash != spec_hash:
            return NOT_UPDATED
        if self.observed_generation < self.generation:
            return "Kubernetes has not acted on the update yet"
        if self.updated < self.desired or self.available < self.updated:
            return f"{self.available} of {self.desired} pods are ready"
        if self.replicas > self.updated:
            return f"{self.replicas - self.updated} old pods still exist"
        return None


class Container(BaseModel):
    """Status of a container; its state has one key: waiting, running or terminated."""

    name: str
    state: dict[str, object] = Field(default_factory=dict)


class Pod(BaseModel):
    """Pod of a Deployment, of any version."""

    name: str = Field(validation_alias=AliasPath("metadata", "name"))
    spec_hash: str = Field("", validation_alias=AliasPath("metadata", "annotations", SPEC_HASH_ANNOTATION))
    containers: tuple[Container, ...] = Field((), validation_alias=AliasPath("status", "containerStatuses"))

    def runs(self, container: str) -> bool:
        """Whether the container of this name runs."""
        return any(one.name == container and "running" in one.state for one in self.containers)


class PodList(BaseModel):
    """List of pods."""

    items: tuple[Pod, ...]


@dataclass(frozen=True, kw_only=True)
class DeploymentRollout(ServerRollout):
    """Wait for a Deployment and its pods.

    Attributes:
        selector: labels of its pods, as `key=value`.
        container: container in its pods that serves.

    """

    selector: str
    container: str = SERVER_CONTAINER

    def pending(self, client: httpx.Client) -> str | None:
        """What the Deployment lacks, or which old pods may still get requests."""
        deployment = read(Deployment, client, deployment_path(self.namespace, self.name))
        if reason := deployment.pending(self.spec_hash):
            return reason
        # The gateway may not know yet that a pod is terminating. So such a pod serves on for some seconds.
        pods = read(PodList, client, f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=self.selector)
        old = [pod.name for pod in pods.items if pod.runs(self.container) and pod.spec_hash != self.spec_hash]
        return f"old pods still serve: {', '.join(old)}" if old else None


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Servers of one model or graph: what KServe makes for each of them in its mode.

    Attributes:
        connect: opens a client of the cluster.
        timeout: seconds that each server may take.

    """

    connect: Callable[[], httpx.Client]
    mode: Mode
    namespace: str
    timeout: int

    def rollout(
        self,
        name: str,
        *,
        spec_hash: str,
        share: int = 100,
        model: str | None = None,
        container: str = SERVER_CONTAINER,
    ) -> ServerRollout:
        """Wait for the server of this name; the attributes of the two kinds of rollout describe the arguments."""
        if self.mode == "Knative":
            return KnativeRollout(
                connect=self.connect,
                namespace=self.namespace,
                name=name,
                timeout=self.timeout,
                spec_hash=spec_hash,
                share=share,
                model=model,
            )
        return DeploymentRollout(
            connect=self.connect,
            namespace=self.namespace,
            name=name,
            timeout=self.timeout,
            spec_hash=spec_hash,
            selector=f"{SELECTOR_LABEL}=isvc.{name}",
            container=container,
        )

    def paths(self, name: str) -> tuple[str, ...]:
        """API paths of what KServe makes for the server of this name. While any of them exists, the first one does."""
        if self.mode == "Knative":
            return (knative_service_path(self.namespace, name),)
        return (
            deployment_path(self.namespace, name),
            f"/api/v1/namespaces/{self.namespace}/services/{name}",
            f"/apis/autoscaling/v2/namespaces/{self.namespace}/horizontalpodautoscalers/{name}",
            f"/apis/gateway.networking.k8s.io/v1/namespaces/{self.namespace}/httproutes/{name}",
        )


def knative_service_path(namespace: str, name: str) -> str:
    """API path of a Service of Knative."""
    return f"/apis/serving.knative.dev/v1/namespaces/{namespace}/services/{name}"


def deployment_path(namespace: str, name: str) -> str:
    """API path of a Deployment."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
