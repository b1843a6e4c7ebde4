"""Wait until the new version of one server gets the requests. In mode Knative a server is a Service of Knative.

KServe's Ready condition is not enough, because it can still describe the version before:

- In mode Knative the generation that KServe reports as observed is that of Knative's Service, not that of the
  InferenceService. KServe also changes Knative's Service without a change of the InferenceService, to roll a canary
  back or for a new serving runtime. From then on the reported generation stays ahead, and the Ready condition of the
  version before passes for that of the new one.
- In mode Standard KServe reports a model as ready while enough pods are available, whichever version they serve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import httpx2 as httpx

from components.rollout.wait import Wait, WaitScope
from components.settings.model import SELECTOR_LABEL
from components.settings.modes import Mode
from kube.read import read, read_list
from kube.views.base import condition
from kube.views.gateways import HTTPRoute
from kube.views.knative import KnativeService
from kube.views.kserve import SPEC_HASH_ANNOTATION, InferenceService
from kube.views.kubernetes import Deployment, Pod, Service

SERVER_CONTAINER = "kserve-container"
NOT_UPDATED = "KServe has not updated it yet"


@dataclass(frozen=True, kw_only=True)
class ServerRollout(Wait):
    """Wait until the new version of a server gets the requests.

    Attributes:
        spec_hash: value of SPEC_HASH_ANNOTATION in the new version.

    """

    spec_hash: str
    failure: ClassVar[str] = "does not serve what was declared"


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
        service = read(KnativeService, client, KnativeService.path(namespace=self.scope.namespace, name=self.name))
        if reason := self._service_pending(service):
            return reason
        # KServe rolls a promoted version back in two steps. After the first, two names of one revision share the
        # requests.
        if self.model and _is_one_revision(service) and self._has_previous_version(client):
            return "KServe has not rolled back to the version before yet"
        return None

    def _service_pending(self, service: KnativeService) -> str | None:
        latest = sum(target.percent for target in service.traffic if target.latest)
        if service.template_annotations.get(SPEC_HASH_ANNOTATION) != self.spec_hash or latest != self.share:
            return NOT_UPDATED
        if service.observed_generation != service.metadata.generation:
            return "Knative has not acted on the update yet"
        ready = condition(service.conditions, "Ready")
        if ready is None or ready.status != "True":
            return ": ".join(filter(None, (ready.reason, ready.message))) if ready else "it is not ready"
        return None

    def _has_previous_version(self, client: httpx.Client) -> bool:
        path = InferenceService.path(namespace=self.scope.namespace, name=self.model or "")
        return bool(read(InferenceService, client, path).previous_revision)


def _is_one_revision(service: KnativeService) -> bool:
    """Whether the requests that do not go to the latest revision go to the same revision by its name."""
    return any(
        target.revision == service.latest_ready_revision and target.percent and not target.latest
        for target in service.traffic
    )


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
        deployment = read(Deployment, client, Deployment.path(namespace=self.scope.namespace, name=self.name))
        if reason := self._deployment_pending(deployment):
            return reason
        # The gateway may not know yet that a pod is terminating. So such a pod serves on for some seconds.
        pods = read_list(Pod, client, namespace=self.scope.namespace, labels=self.selector)
        old = [pod.name for pod in pods if self._serves_old_version(pod)]
        return f"old pods still serve: {', '.join(old)}" if old else None

    def _deployment_pending(self, deployment: Deployment) -> str | None:
        """What has to happen until all pods, and no others, are of the new version, or None."""
        if deployment.pod_annotations.get(SPEC_HASH_ANNOTATION) != self.spec_hash:
            return NOT_UPDATED
        if deployment.observed_generation < deployment.metadata.generation:
            return "Kubernetes has not acted on the update yet"
        if deployment.updated < deployment.wanted or deployment.available < deployment.updated:
            return f"{deployment.available} of {deployment.wanted} pods are ready"
        if deployment.replicas > deployment.updated:
            return f"{deployment.replicas - deployment.updated} old pods still exist"
        return None

    def _serves_old_version(self, pod: Pod) -> bool:
        runs = any(status.name == self.container and status.running for status in pod.containers)
        return runs and pod.metadata.annotations.get(SPEC_HASH_ANNOTATION) != self.spec_hash


@dataclass(frozen=True, kw_only=True)
class Servers(WaitScope):
    """Servers of one model or graph: what KServe makes for each of them in its mode."""

    mode: Mode

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
            return KnativeRollout(scope=self, name=name, spec_hash=spec_hash, share=share, model=model)
        selector = f"{SELECTOR_LABEL}=isvc.{name}"
        return DeploymentRollout(scope=self, name=name, spec_hash=spec_hash, selector=selector, container=container)

    def paths(self, name: str) -> tuple[str, ...]:
        """API paths of what KServe makes for the server of this name. While any of them exists, the first one does."""
        if self.mode == "Knative":
            return (KnativeService.path(namespace=self.namespace, name=name),)
        return (
            Deployment.path(namespace=self.namespace, name=name),
            Service.path(namespace=self.namespace, name=name),
            f"/apis/autoscaling/v2/namespaces/{self.namespace}/horizontalpodautoscalers/{name}",
            HTTPRoute.path(namespace=self.namespace, name=name),
        )
