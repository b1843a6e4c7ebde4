"""Decide from an object's metadata who made it.

A model's label is not enough, because users put it on objects of their own; the owner reference is. Kubernetes deletes
owners before their pods, so a pod may outlive its ReplicaSet and Deployment; then the labels decide that only KServe's
and Knative's own pods have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Protocol

from kube.views.base import MODEL_LABEL, REVISION_LABEL, Metadata
from kube.views.kubernetes import Deployment, Pod, ReplicaSet

GRAPH_LABEL = "serving.kserve.io/inferencegraph"
KNATIVE_LABEL = "serving.knative.dev/service"
REVISION_UID_LABEL = "serving.knative.dev/revisionUID"
# Only the controller of Deployments sets it; its value is the end of the ReplicaSet's name.
HASH_LABEL = "pod-template-hash"
# How KServe ends the names of a model's servers; the last one is of the workers of a predictor on several nodes.
PARTS = ("predictor", "transformer", "explainer", "predictor-worker")
# Knative shortens the names of Deployments that would be too long, but keeps the beginning of the revision's name.
KEPT = 20


class Maker(Protocol):
    """Who makes Deployments, and other objects."""

    def made(self, item: Metadata) -> bool:
        """Whether this maker's controller owns the object, or owned it."""

    def labelled(self, pod: Metadata, *, deployment: str) -> bool:
        """Whether a pod, whose Deployment had this name and is gone, has the labels of this maker's pods."""


@dataclass(frozen=True, kw_only=True)
class ModelServers:
    """KServe and Knative, for these models and graphs of a namespace."""

    models: Set[str]
    graphs: Set[str]

    def __or__(self, other: ModelServers) -> ModelServers:
        """The models and graphs of both."""
        return ModelServers(models=self.models | other.models, graphs=self.graphs | other.graphs)

    @property
    def names(self) -> set[str]:
        """Names of their servers: of KServe's Deployments, and of Knative's Services."""
        return {f"{model}-{part}" for model in self.models for part in PARTS} | {*self.graphs}

    def mentioned(self, item: Metadata) -> bool:
        """Whether a label names one of them; anybody's objects may have it."""
        return (
            item.labels.get(MODEL_LABEL) in self.models
            or item.labels.get(GRAPH_LABEL) in self.graphs
            or item.labels.get(KNATIVE_LABEL) in self.names
        )

    def made(self, item: Metadata) -> bool:
        """Whether KServe made it for one of them, or Knative for one of their servers."""
        owner = item.controller
        if owner is None:
            return False
        if owner.group == "serving.kserve.io":
            return owner.name in {"InferenceService": self.models, "InferenceGraph": self.graphs}.get(owner.kind, ())
        return owner.group.endswith(".knative.dev") and item.labels.get(KNATIVE_LABEL) in self.names

    def labelled(self, pod: Metadata, *, deployment: str) -> bool:
        """Whether it has all labels of such a pod, and the Deployment has the name that belongs to them."""
        revision = pod.labels.get(REVISION_LABEL)
        if revision and REVISION_UID_LABEL in pod.labels:
            named = deployment[:KEPT] == f"{revision}-deployment"[:KEPT] and deployment.endswith("-deployment")
            return named and pod.labels.get(KNATIVE_LABEL) in self.names
        named = deployment in self.names and pod.labels.get("app") == f"isvc.{deployment}"
        return named and self.mentioned(pod)


@dataclass(frozen=True, kw_only=True)
class KnativeOperator:
    """Knative's operator, for its KnativeServing, which was deleted."""

    def made(self, item: Metadata) -> bool:
        """Whether the KnativeServing controls it."""
        owner = item.controller
        return owner is not None and (owner.group, owner.kind) == ("operator.knative.dev", "KnativeServing")

    def labelled(self, pod: Metadata, *, deployment: str) -> bool:
        """Whether it has the label of Serving's own pods, which those of net-istio and net-gateway-api have, too."""
        return pod.labels.get("app.kubernetes.io/name") == "knative-serving"


def pods_of(
    maker: Maker, pods: Iterable[Pod], *, sets: Iterable[ReplicaSet], deployments: Iterable[Deployment]
) -> Iterator[Pod]:
    """Pods of the Deployments that this maker made, and not those of a StatefulSet, a Job or a Rollout.

    List the pods first, then their owners, so that what is missing was deleted.
    """
    known_sets = {item.metadata.uid: item.metadata for item in sets}
    known_deployments = {item.metadata.uid: item.metadata for item in deployments}
    for pod in pods:
        owner = pod.metadata.controller
        if owner is None or owner.kind != "ReplicaSet":
            continue
        replica_set = known_sets.get(owner.uid)
        above = replica_set.controller if replica_set else None
        if replica_set and (above is None or above.kind != "Deployment"):
            continue
        if above and (deployment := known_deployments.get(above.uid)):
            if maker.made(deployment):
                yield pod
            continue
        name, hyphen, suffix = owner.name.rpartition("-")
        if hyphen and suffix == pod.metadata.labels.get(HASH_LABEL) and maker.labelled(pod.metadata, deployment=name):
            yield pod
