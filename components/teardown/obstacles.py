"""What is in the way of a destroy, read before it deletes anything: it would harm what others have, or hang."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import httpx2 as httpx

from components.charts.helm_records import ReleaseMark
from components.objects import STACK_ANNOTATION
from components.teardown.others_in_platform import OthersInPlatform
from kube.read import ForbiddenError, read_list
from kube.views.base import MODEL_LABEL
from kube.views.knative import KnativeService, KnativeServing
from kube.views.kserve import InferenceGraph, InferenceService
from kube.views.kubernetes import Deployment

# Long enough for a controller that is restarting.
WAIT_SECONDS = 60.0
POLL_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class _Controller:
    """A Deployment that removes finalizers; `labels` select it in whatever namespace it is."""

    name: str
    labels: str


KSERVE = _Controller(name="KServe's controller", labels="control-plane=kserve-controller-manager")
KNATIVE = tuple(
    _Controller(
        name=f"Knative's {component}",
        labels=f"app.kubernetes.io/name=knative-serving,app.kubernetes.io/component={component}",
    )
    for component in ("controller", "webhook")
)
OPERATOR = _Controller(name="Knative's operator", labels="app.kubernetes.io/name=knative-operator")


@dataclass(frozen=True, kw_only=True)
class Obstacles:
    """Looks for what is in the way of destroying a stack.

    Attributes:
        mark: tells the objects of the stack, and its Helm releases, from others.
        namespaces: of its models and graphs.
        has_platform: whether the stack has installed parts of the platform.
        pull_secrets: names of Secrets that the stack's pods pull images with, and that are put there for them.

    """

    mark: ReleaseMark
    namespaces: Collection[str]
    has_platform: bool
    pull_secrets: Collection[str] = ()

    def objects_of_others(self, client: httpx.Client) -> list[str]:
        """Objects of others that Kubernetes would delete with the stack's; one text per kind.

        Those whose CustomResourceDefinition is the stack's, and those in the namespaces of its platform.

        Raises:
            ForbiddenError: this login may not read them.
            httpx.HTTPError: the API server cannot be reached, or answers with an error.
            ValueError: an answer cannot be read.
        """
        # The namespaces of models are looked at when they are deleted.
        looking = OthersInPlatform(mark=self.mark, pull_secrets=self.pull_secrets)
        return looking.everywhere(client, besides=self.namespaces) if self.has_platform else []

    def stopped_controllers(self, client: httpx.Client, *, wait: float = WAIT_SECONDS) -> list[str]:
        """Controllers that do not run, though finalizers of the stack's objects wait for them, after `wait` seconds.

        Empty where this login may not read them. Raises as `objects_of_others` does otherwise.
        """
        end = time.monotonic() + wait
        try:
            while stopped := [name for name, labels in self._needed(client) if not _runs(client, labels)]:
                if time.monotonic() >= end:
                    return stopped
                time.sleep(POLL_SECONDS)
        except ForbiddenError:
            pass
        return []

    def _needed(self, client: httpx.Client) -> Iterator[tuple[str, str]]:
        """Name and labels of the controllers that the stack's objects need to go."""
        needed: list[_Controller] = []
        served = [
            item
            for namespace in self.namespaces
            for kind in (InferenceService, InferenceGraph)
            for item in read_list(kind, client, namespace=namespace, metadata_only=True)
            if item.metadata.annotations.get(STACK_ANNOTATION) == self.mark.identity
        ]
        if served:
            needed.append(KSERVE)
        behind_knative = (
            item.metadata.labels.get(MODEL_LABEL)
            for namespace in self.namespaces
            for item in read_list(KnativeService, client, namespace=namespace, metadata_only=True)
        )
        if {item.name for item in served} & {*behind_knative}:
            needed += KNATIVE
        # An operator of others has nothing to remove for this stack.
        serving = read_list(KnativeServing, client, metadata_only=True) if self.has_platform else ()
        if any(item.metadata.annotations.get(STACK_ANNOTATION) == self.mark.identity for item in serving):
            needed.append(OPERATOR)
        return ((controller.name, controller.labels) for controller in needed)


def _runs(client: httpx.Client, labels: str) -> bool:
    return any(found.available for found in read_list(Deployment, client, labels=labels))
