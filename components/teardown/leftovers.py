"""Find and wait for what deleted models leave behind: Kubernetes removes their children only afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import httpx2 as httpx

from components.teardown.makers import GRAPH_LABEL, KnativeOperator, Maker, ModelServers, pods_of
from kube.kubeconfig import KubeconfigError, UnsupportedLoginError
from kube.read import PASSING_ERRORS, ForbiddenError, read_list
from kube.views.base import Object
from kube.views.gateways import HTTPRoute
from kube.views.knative import KnativeIngress, Route, ServerlessService
from kube.views.kserve import InferenceGraph, InferenceService, Served
from kube.views.kubernetes import Deployment, Pod, ReplicaSet, Service

# A pod that answers requests may take 600 s to end, where this login may not remove it from the API server.
TIMEOUT_SECONDS = 660
POLL_SECONDS = 1.0
# Knative must still run while these exist: its Routes and Ingresses have finalizers.
OBJECTS: tuple[type[Object], ...] = (Service, Deployment, HTTPRoute, KnativeIngress, ServerlessService, Route)
Kind = TypeVar("Kind", bound=Object)


class UnreadableError(Exception):
    """The cluster does not let this login read what is left."""


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """Finds what deleted models and graphs left in a namespace: only what KServe and Knative made for them.

    Attributes:
        models: names of these models. None for `models` and `graphs` means every pod that Knative's operator made there
            for its deleted KnativeServing.
        graphs: names of these graphs.
        own: whether the namespace is deleted, too; then the terminating pods of all deleted models and graphs count, as
            the namespace waits for them.
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
        pods = self._list(Pod, client) if Pod in self.kinds else ()
        if self.models is None and self.graphs is None:
            return self._pods_of(KnativeOperator(), pods, client)
        models, graphs = self._existing(InferenceService, client), self._existing(InferenceGraph, client)
        deleted = ModelServers(models={*(self.models or ())} - models, graphs={*(self.graphs or ())} - graphs)
        terminating = [pod for pod in pods if pod.metadata.deleted] if self.own else []
        others = ModelServers(
            models={pod.model for pod in terminating} - {"", *models},
            graphs={pod.metadata.labels.get(GRAPH_LABEL, "") for pod in terminating} - {"", *graphs},
        )
        candidates = [pod for pod in pods if deleted.mentioned(pod.metadata) or pod in terminating]
        return (*self._pods_of(deleted | others, candidates, client), *self._objects(deleted, client))

    def _pods_of(self, maker: Maker, pods: Sequence[Pod], client: httpx.Client) -> tuple[Pod, ...]:
        if not pods:
            return ()
        sets, deployments = self._list(ReplicaSet, client), self._list(Deployment, client)
        return tuple(pods_of(maker, pods, sets=sets, deployments=deployments))

    def _objects(self, deleted: ModelServers, client: httpx.Client) -> tuple[Object, ...]:
        """Objects of deleted models and graphs that are not pods."""
        if not deleted.names:
            return ()
        kinds = [kind for kind in self.kinds if kind is not Pod]
        return tuple(item for kind in kinds for item in self._list(kind, client) if deleted.made(item.metadata))

    def _existing(self, kind: type[Served], client: httpx.Client) -> set[str]:
        return {item.name for item in self._list(kind, client) if not item.metadata.deleted}

    def _list(self, kind: type[Kind], client: httpx.Client) -> tuple[Kind, ...]:
        return read_list(kind, client, namespace=self.namespace, metadata_only=True)


def wait_until_gone(
    leftovers: Leftovers,
    *,
    connect: Callable[[], httpx.Client],
    kubectl: str = "kubectl",
    timeout: float = TIMEOUT_SECONDS,
) -> None:
    """Wait until nothing is left, for `timeout` seconds at most. Remove terminating pods from the API server.

    Args:
        leftovers: what to wait for.
        connect: gives a connection to the cluster.
        kubectl: how a user calls kubectl for this cluster, in the text of the error.
        timeout: seconds.

    Raises:
        TimeoutError: something is left; the text names it, and the next command.
        UnreadableError: this login may not read what is left; the text has the API server's words, and what to do.
    """
    stop = time.monotonic() + timeout
    try:
        with ExitStack() as stack:
            # Connecting fails with a login plugin that fails, so each attempt tries it until it succeeds.
            client = cache(lambda: stack.enter_context(connect()))
            while (left := _remaining(leftovers, client)) and time.monotonic() < stop:
                time.sleep(POLL_SECONDS)
    except (UnsupportedLoginError, ForbiddenError) as problem:
        raise UnreadableError(_unreadable(problem, leftovers.namespace, kubectl=kubectl)) from problem
    if left:
        raise TimeoutError(_text(left, leftovers.namespace, kubectl=kubectl, timeout=timeout))


def _text(left: tuple[Object, ...] | Exception, namespace: str, *, kubectl: str, timeout: float) -> str:
    """What is left, or why that cannot be read, and what to do."""
    start = f"namespace {namespace}: still there after {timeout:.0f} s: "
    kubectl = f"{kubectl} --namespace {namespace} get"
    if isinstance(left, Exception):
        return (
            f"{start}{type(left).__name__}: {left}\n"
            f"The cluster could not be read. Once this answers, run the same command again: {kubectl} pods"
        )
    return (
        f"{start}{', '.join(map(str, left))}\n"
        "To see which finalizers, and which controllers by their owners, they wait for: "
        f"{kubectl} -o yaml {' '.join(item.kubectl_name for item in left)}\n"
        "Once they are gone, run the same command again."
    )


def _unreadable(problem: Exception, namespace: str, *, kubectl: str) -> str:
    """Why it is not known what is left, and what to do. Going on would delete what the finalizers of the rest need."""
    return (
        f"namespace {namespace}: whether the deleted models are gone cannot be read: {problem}\n"
        "Run the same command again with a login that has the rights of docs/cluster-role-models.yaml, or, for the "
        "whole platform, of docs/cluster-role.yaml.\n"
        f"Without one, have somebody see that their pods are gone: {kubectl} --namespace {namespace} get pods\n"
        "Then forget this wait, a TerminationWait in the list of `pulumi stack --show-urns`: pulumi state delete <URN>"
    )


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


def _remaining(leftovers: Leftovers, client: Callable[[], httpx.Client]) -> tuple[Object, ...] | Exception:
    """Everything that is left, or why it cannot be read. Terminating pods are removed from the API server."""
    try:
        left = leftovers.look(client())
        for item in left:
            if item.metadata.deleted and isinstance(item, Pod):
                _force_delete(client(), item, namespace=leftovers.namespace)
    except PASSING_ERRORS as problem:
        return problem
    return left


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
