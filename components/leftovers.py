"""What is left of models and graphs that are deleted: Kubernetes removes what KServe made of them only afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import httpx2 as httpx
from pydantic import AliasPath, BaseModel, Field

from components.connection import UnknownLogin
from components.rollout import PAUSE, Following, UnheardError, asked
from components.served import Served

TIMEOUT = 300
# For a cluster that cannot be asked: twice as long as Knative's servers wait for requests that were on their way.
UNSEEN_PAUSE = 60
PODS = "/api/v1/namespaces/{}/pods"
# A Route and an Ingress have finalizers, for which Knative has to be there.
OBJECTS = (
    "/api/v1/namespaces/{}/services",
    "/apis/apps/v1/namespaces/{}/deployments",
    "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
    "/apis/networking.internal.knative.dev/v1alpha1/namespaces/{}/ingresses",
    "/apis/networking.internal.knative.dev/v1alpha1/namespaces/{}/serverlessservices",
    "/apis/serving.knative.dev/v1/namespaces/{}/routes",
)
MODELS = "/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices"
GRAPHS = "/apis/serving.kserve.io/v1alpha1/namespaces/{}/inferencegraphs"
MODEL_LABEL = "serving.kserve.io/inferenceservice"
GRAPH_LABEL = "serving.kserve.io/inferencegraph"
KNATIVE_LABEL = "serving.knative.dev/service"
METADATA_ONLY = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}


class Owner(BaseModel):
    """What an object goes with."""

    kind: str


class Item(BaseModel):
    """An object; `deletion` is when it was deleted or, where that takes time, when it will be gone at the latest."""

    path: str = ""
    name: str = Field(validation_alias=AliasPath("metadata", "name"))
    uid: str = Field("", validation_alias=AliasPath("metadata", "uid"))
    labels: dict[str, str] = Field(default_factory=dict, validation_alias=AliasPath("metadata", "labels"))
    owners: tuple[Owner, ...] = Field((), validation_alias=AliasPath("metadata", "ownerReferences"))
    deletion: str | None = Field(None, validation_alias=AliasPath("metadata", "deletionTimestamp"))

    @property
    def called(self) -> str:
        """What it is, for a message."""
        return f"{self.path.rpartition('/')[2]}/{self.name}"


class _Items(BaseModel):
    # Of metadata only, an empty list is none.
    items: tuple[Item, ...] | None


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """Finds what is left in a namespace.

    Attributes:
        served: what it is left of; None for all the pods that Deployments had there.
        own: whether the namespace goes, too: then for its end all pods count that are about to end.
        kinds: paths of what is looked for.

    """

    namespace: str
    served: Served | None
    own: bool = False
    kinds: tuple[str, ...] = (PODS, *OBJECTS)

    def look(self, client: httpx.Client) -> tuple[Item, ...]:
        """Read it. Raises UnheardError where the cluster does not tell, HTTPError, ValueError."""
        if self.served is None:
            return self._pods(client)
        ending = tuple(pod for pod in self._pods(client) if pod.deletion) if self.own else ()
        return (*self._of(self.served, client), *ending)

    def _pods(self, client: httpx.Client) -> tuple[Item, ...]:
        """Those of Deployments; one of a Job may have ended, and stays."""
        pods = self._listed(client, PODS)
        return tuple(pod for pod in pods if any(owner.kind == "ReplicaSet" for owner in pod.owners))

    def _of(self, served: Served, client: httpx.Client) -> tuple[Item, ...]:
        models = self._deleted(client, MODELS, names=served.models)
        graphs = self._deleted(client, GRAPHS, names=served.graphs)
        servers = {f"{name}-{part}" for name in models for part in ("predictor", "transformer", "explainer")} | graphs
        if not servers:
            return ()
        return tuple(
            item
            for kind in self.kinds
            for item in self._listed(client, kind)
            if item.labels.get(MODEL_LABEL) in models
            or item.labels.get(GRAPH_LABEL) in graphs
            or item.labels.get(KNATIVE_LABEL) in servers
        )

    def _deleted(self, client: httpx.Client, kind: str, *, names: Iterable[str]) -> set[str]:
        there = {item.name for item in self._listed(client, kind) if not item.deletion}
        return {*names} - there

    def _listed(self, client: httpx.Client, kind: str) -> tuple[Item, ...]:
        path = kind.format(self.namespace)
        answer = asked(client, path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return ()
        found = _Items.model_validate(answer.raise_for_status().json())
        return tuple(item.model_copy(update={"path": path}) for item in found.items or ())


def end(leftovers: Leftovers, *, connect: Callable[[], httpx.Client], timeout: float = TIMEOUT) -> None:
    """Return when nothing is left; pods that are about to end are left to the kubelet.

    A cluster that cannot be asked is given UNSEEN_PAUSE seconds. Raises TimeoutError.
    """
    stop = time.monotonic() + timeout
    try:
        with connect() as client:
            client.headers.update(METADATA_ONLY)
            while (left := _released(leftovers, client)) and time.monotonic() < stop:
                time.sleep(PAUSE)
    except (UnknownLogin, UnheardError):
        time.sleep(UNSEEN_PAUSE)
        return
    if left:
        raise TimeoutError(f"namespace {leftovers.namespace}: still there after {timeout:.0f} s: {', '.join(left)}")


def _released(leftovers: Leftovers, client: httpx.Client) -> list[str]:
    """What was left before its pods were released."""
    try:
        left = leftovers.look(client)
        for item in left:
            if item.deletion and item.path == PODS.format(leftovers.namespace):
                _release(client, item)
    except (httpx.HTTPError, ValueError) as problem:
        return [f"{type(problem).__name__}: {problem}"]
    return [item.called for item in left]


def _release(client: httpx.Client, pod: Item) -> None:
    """Have the API server forget a pod that the kubelet has begun to end; who may not do that waits for its end.

    The kubelet goes on as it began, so that requests are answered. It would not be hurried by another deletion with
    less time: it looks again only after the first.
    """
    options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
    client.request(
        "DELETE",
        f"{pod.path}/{pod.name}",
        headers={"Accept": "application/json"},
        json={"apiVersion": "v1", "kind": "DeleteOptions", **options},
    )


@dataclass(frozen=True, kw_only=True)
class FormerRemoval(Following):
    """The end of what is left of one that had the same name.

    KServe would take it for what it makes for the new one, until Kubernetes removes it.
    """

    served: Served
    by: ClassVar[str] = "Kubernetes"
    failure: ClassVar[str] = "cannot be made: what is left of the one before is still there"

    def look(self, client: httpx.Client) -> str | None:
        """What is left."""
        left = Leftovers(namespace=self.place[0], served=self.served, kinds=OBJECTS).look(client)
        return ", ".join(item.called for item in left) or None
