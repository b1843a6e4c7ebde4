"""Find and wait for what deleted models leave behind: Kubernetes removes their children only afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import httpx2 as httpx

from kube.kubeconfig import KubeconfigError, UnsupportedLoginError
from kube.read import PASSING_ERRORS, ForbiddenError, read_list
from kube.views.base import MODEL_LABEL, Object
from kube.views.gateways import HTTPRoute
from kube.views.knative import KnativeIngress, Route, ServerlessService
from kube.views.kserve import InferenceGraph, InferenceService, Served
from kube.views.kubernetes import Deployment, Pod, ReplicaSet, Service

# A pod that answers requests may take 600 s to end, where this login may not remove it from the API server.
TIMEOUT_SECONDS = 660
POLL_SECONDS = 1.0
# Wait this long where the cluster cannot be read: twice as long as Knative keeps a server up for late requests.
UNREADABLE_SECONDS = 60
# Knative must still run while these exist: its Routes and Ingresses have finalizers.
OBJECTS: tuple[type[Object], ...] = (Service, Deployment, HTTPRoute, KnativeIngress, ServerlessService, Route)
GRAPH_LABEL = "serving.kserve.io/inferencegraph"
KNATIVE_LABEL = "serving.knative.dev/service"
Kind = TypeVar("Kind", bound=Object)


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """Finds what deleted models and graphs left in a namespace.

    Attributes:
        models: names of these models. None for `models` and `graphs` means every pod there that a deleted Deployment
            made.
        graphs: names of these graphs.
        own: whether the namespace is deleted, too; then the terminating pods of all deleted Deployments count, as the
            namespace waits for them.
        kinds: views of the kinds to look at.

    """

    namespace: str
    models: Collection[str] | None = None
    graphs: Collection[str] | None = None
    own: bool = False
    kinds: tuple[type[Object], ...] = (Pod, *OBJECTS)

    def look(self, client: httpx.Client) -> tuple[Object, ...]:
        """Read the metadata of what is left from the API server.

        Raises:
            ForbiddenError: the API server refused to answer.
            LoginFailedError: the login plugin failed.
            httpx.HTTPError: it could not be reached.
            ValueError: its answer is not a list of objects.
        """
        if self.models is None and self.graphs is None:
            return self._pods(client, with_owned=True)
        pods = self._pods(client, with_owned=False) if self.own else ()
        return (*self._of_deleted(client), *(pod for pod in pods if pod.metadata.deleted))

    def _pods(self, client: httpx.Client, *, with_owned: bool) -> tuple[Pod, ...]:
        """Pods of deleted Deployments.

        With `with_owned`, a Deployment with an owner counts as deleted, too: its owner was deleted, and the garbage
        collector deletes it next. The finished pods of a Job stay, so they are not waited for. Pods of any other
        Deployment may be somebody else's, and terminate because it is updated or scaled.
        """
        pods = self._list(Pod, client)
        sets = [item.metadata for item in self._list(ReplicaSet, client)]
        deployments = [item.metadata for item in self._list(Deployment, client)]
        staying = {item.uid for item in deployments if not item.deleted and not (with_owned and item.owners)}
        kept = {item.uid for item in sets if any(owner.uid in staying for owner in item.owners)}
        return tuple(
            pod
            for pod in pods
            if any(owner.kind == "ReplicaSet" and owner.uid not in kept for owner in pod.metadata.owners)
        )

    def _of_deleted(self, client: httpx.Client) -> tuple[Object, ...]:
        """Objects of the deleted models and graphs."""
        models = self._deleted(InferenceService, client, names=self.models)
        graphs = self._deleted(InferenceGraph, client, names=self.graphs)
        servers = {f"{name}-{part}" for name in models for part in ("predictor", "transformer", "explainer")} | graphs
        if not servers:
            return ()
        return tuple(
            item
            for kind in self.kinds
            for item in self._list(kind, client)
            # Kubernetes would never delete an object without an owner: it is a user's own, with the same label.
            if (item.metadata.owners or item.metadata.deleted)
            and (
                item.metadata.labels.get(MODEL_LABEL) in models
                or item.metadata.labels.get(GRAPH_LABEL) in graphs
                or item.metadata.labels.get(KNATIVE_LABEL) in servers
            )
        )

    def _deleted(self, kind: type[Served], client: httpx.Client, *, names: Collection[str] | None) -> set[str]:
        existing = {item.name for item in self._list(kind, client) if not item.metadata.deleted}
        return {*(names or ())} - existing

    def _list(self, kind: type[Kind], client: httpx.Client) -> tuple[Kind, ...]:
        return read_list(kind, client, namespace=self.namespace, metadata_only=True)


def wait_until_gone(
    leftovers: Leftovers, *, connect: Callable[[], httpx.Client], timeout: float = TIMEOUT_SECONDS
) -> None:
    """Wait until nothing is left, for `timeout` seconds at most. Remove terminating pods from the API server.

    Where the cluster cannot be read with this login, wait UNREADABLE_SECONDS instead.

    Raises:
        TimeoutError: something is left; the text names it.
    """
    stop = time.monotonic() + timeout
    try:
        with ExitStack() as stack:
            # Connecting fails with a login plugin that fails, so each attempt tries it until it succeeds.
            client = cache(lambda: stack.enter_context(connect()))
            while (left := _remaining(leftovers, client)) and time.monotonic() < stop:
                time.sleep(POLL_SECONDS)
    except (UnsupportedLoginError, ForbiddenError):
        time.sleep(UNREADABLE_SECONDS)
        return
    if left:
        raise TimeoutError(f"namespace {leftovers.namespace}: still there after {timeout:.0f} s: {', '.join(left)}")


def is_unreachable(connect: Callable[[], httpx.Client]) -> bool:
    """Whether the cluster cannot be asked at all: it does not answer, or its kubeconfig is gone."""
    try:
        with connect() as client:
            client.get("/version")
    except UnsupportedLoginError:
        return False
    except (KubeconfigError, httpx.TransportError):
        return True
    return False


def _remaining(leftovers: Leftovers, client: Callable[[], httpx.Client]) -> list[str]:
    """Names of everything that is left, or why it cannot be read. Terminating pods are removed from the API server."""
    try:
        left = leftovers.look(client())
        for item in left:
            if item.metadata.deleted and isinstance(item, Pod):
                _force_delete(client(), item, namespace=leftovers.namespace)
    except PASSING_ERRORS as problem:
        return [f"{type(problem).__name__}: {problem}"]
    return [str(item) for item in left]


def _force_delete(client: httpx.Client, pod: Pod, *, namespace: str) -> None:
    """Remove a terminating pod from the API server, as `kubectl delete --force` does. Ignore a missing permission.

    The kubelet still stops the containers within the grace period that it began with. Deleting the pod again with a
    shorter one would not help: the kubelet reads that only after the first one is over.
    """
    options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.metadata.uid}}
    client.request(
        "DELETE",
        Pod.path(namespace=namespace, name=pod.name),
        json={"apiVersion": "v1", "kind": "DeleteOptions", **options},
    )
