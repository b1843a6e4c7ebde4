"""Waits for a Deployment, where KServe's word is of the pods before.

In mode Standard KServe calls a model ready while enough pods are available, whichever version they serve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import httpx2 as httpx
from pydantic import AliasPath, BaseModel, Field

from components.rollout.wait import DECLARED, Rollout, found

SERVER = "kserve-container"


class Deployment(BaseModel):
    """What a Deployment was told, and what became of it."""

    generation: int = Field(validation_alias=AliasPath("metadata", "generation"))
    declared: str = Field("", validation_alias=AliasPath("spec", "template", "metadata", "annotations", DECLARED))
    wanted: int = Field(1, validation_alias=AliasPath("spec", "replicas"))
    observed: int = Field(0, validation_alias=AliasPath("status", "observedGeneration"))
    replicas: int = Field(0, validation_alias=AliasPath("status", "replicas"))
    updated: int = Field(0, validation_alias=AliasPath("status", "updatedReplicas"))
    available: int = Field(0, validation_alias=AliasPath("status", "availableReplicas"))

    def missing(self, declared: str) -> str | None:
        """What is missing until its pods, and no others, are as declared; None when nothing is."""
        if self.declared != declared:
            return "KServe has not changed the Deployment yet"
        if self.observed < self.generation:
            return "Kubernetes has not looked yet"
        if self.updated < self.wanted or self.available < self.updated:
            return f"{self.available} of {self.wanted} servers are ready"
        if self.replicas > self.updated:
            return f"{self.replicas - self.updated} of the servers before are still there"
        return None


class Container(BaseModel):
    """A container's state."""

    name: str
    state: dict[str, object] = Field(default_factory=dict)


class Pod(BaseModel):
    """A server of the model, of this version or another."""

    name: str = Field(validation_alias=AliasPath("metadata", "name"))
    declared: str = Field("", validation_alias=AliasPath("metadata", "annotations", DECLARED))
    containers: tuple[Container, ...] = Field((), validation_alias=AliasPath("status", "containerStatuses"))

    def serves(self, server: str) -> bool:
        """Whether its server, the container of this name, runs."""
        return any(container.name == server and "running" in container.state for container in self.containers)


class Pods(BaseModel):
    """A list of them."""

    items: tuple[Pod, ...]


@dataclass(frozen=True, kw_only=True)
class DeploymentRollout(Rollout):
    """Followed in the Deployment and its pods.

    Attributes:
        selector: labels of its pods, as `key=value`.
        server: the container in them that serves.

    """

    selector: str
    server: str = SERVER
    by: ClassVar[str] = "the Deployment"

    def look(self, client: httpx.Client) -> str | None:
        """What the Deployment lacks, or which pod of before may still be asked."""
        namespace = self.place[0]
        deployment = found(Deployment, client, deployment_path(self.place))
        if missing := deployment.missing(self.declared):
            return missing
        # One that ends answers for as long as the gateway may not know that it does.
        pods = found(Pods, client, f"/api/v1/namespaces/{namespace}/pods", labelSelector=self.selector)
        before = [pod.name for pod in pods.items if pod.serves(self.server) and pod.declared != self.declared]
        return f"{', '.join(before)} of before still answers" if before else None


def deployment_path(place: tuple[str, str]) -> str:
    """Where the API server has the Deployment of this namespace and name."""
    namespace, name = place
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
