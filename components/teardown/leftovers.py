"""Find and wait for what deleted models leave behind: Kubernetes removes their children only afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

import httpx2 as httpx
from pydantic import AliasPath, BaseModel, Field

from components.teardown.termination_wait import Served
from kube.kubeconfig import KubeconfigError, UnsupportedLoginError
from kube.read import PASSING_ERRORS, ForbiddenError, get

# A pod that answers requests may take 600 s to end, where this login may not remove it from the API server.
TIMEOUT_SECONDS = 660
POLL_SECONDS = 1.0
# Wait this long where the cluster cannot be read: twice as long as Knative keeps a server up for late requests.
UNREADABLE_SECONDS = 60
PODS = "/api/v1/namespaces/{}/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
REPLICA_SETS = "/apis/apps/v1/namespaces/{}/replicasets"
# Knative must still run while these exist: its Routes and Ingresses have finalizers.
OBJECTS = (
    "/api/v1/namespaces/{}/services",
    DEPLOYMENTS,
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
    """An owner reference."""

    kind: str
    uid: str = ""


class Item(BaseModel):
    """Metadata of an object.

    Attributes:
        path: API path of the list it was found in.
        deletion: `deletionTimestamp`; of a terminating pod the time by which it must have ended.
    """

    path: str = ""
    name: str = Field(validation_alias=AliasPath("metadata", "name"))
    uid: str = Field("", validation_alias=AliasPath("metadata", "uid"))
    labels: dict[str, str] = Field(default_factory=dict, validation_alias=AliasPath("metadata", "labels"))
    owners: tuple[Owner, ...] = Field((), validation_alias=AliasPath("metadata", "ownerReferences"))
    deletion: str | None = Field(None, validation_alias=AliasPath("metadata", "deletionTimestamp"))

    @property
    def called(self) -> str:
        """Kind and name, for a message: `pods/flowers-predictor-…`."""
        return f"{self.path.rpartition('/')[2]}/{self.name}"


class _Items(BaseModel):
    # The API server answers null for an empty list of metadata.
    items: tuple[Item, ...] | None


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """Finds what deleted models and graphs left in a namespace.

    Attributes:
        served: names of those models and graphs; None means every pod there that a deleted Deployment made.
        own: whether the namespace is deleted, too; then the terminating pods of all deleted Deployments count, as the
            namespace waits for them.
        kinds: API paths of the kinds to look at.

    """

    namespace: str
    served: Served | None
    own: bool = False
    kinds: tuple[str, ...] = (PODS, *OBJECTS)

    def look(self, client: httpx.Client) -> tuple[Item, ...]:
        """Read it from the API server.

        Raises:
            ForbiddenError: the API server refused to answer.
            LoginFailedError: the login plugin failed.
            httpx.HTTPError: it could not be reached.
            ValueError: its answer is not a list of objects.
        """
        if self.served is None:
            return self._pods(client, of_owned=True)
        ending = tuple(pod for pod in self._pods(client, of_owned=False) if pod.deletion) if self.own else ()
        return (*self._of(self.served, client), *ending)

    def _pods(self, client: httpx.Client, *, of_owned: bool) -> tuple[Item, ...]:
        """Pods of deleted Deployments; with `of_owned`, also of those whose owner was deleted, which they will follow.

        The finished pods of a Job stay, so they are not waited for. Pods of a Deployment that stays may be anyone's,
        and terminate because it is updated or scaled.
        """
        pods = self._listed(client, PODS)
        sets = self._listed(client, REPLICA_SETS)
        deployments = self._listed(client, DEPLOYMENTS)
        staying = {item.uid for item in deployments if not item.deletion and not (of_owned and item.owners)}
        kept = {item.uid for item in sets if any(owner.uid in staying for owner in item.owners)}
        return tuple(
            pod for pod in pods if any(owner.kind == "ReplicaSet" and owner.uid not in kept for owner in pod.owners)
        )

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
            # Nobody would remove what has no owner: it is a user's, with the same label.
            if (item.owners or item.deletion)
            and (
                item.labels.get(MODEL_LABEL) in models
                or item.labels.get(GRAPH_LABEL) in graphs
                or item.labels.get(KNATIVE_LABEL) in servers
            )
        )

    def _deleted(self, client: httpx.Client, kind: str, *, names: Iterable[str]) -> set[str]:
        existing = {item.name for item in self._listed(client, kind) if not item.deletion}
        return {*names} - existing

    def _listed(self, client: httpx.Client, kind: str) -> tuple[Item, ...]:
        path = kind.format(self.namespace)
        answer = get(client, path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return ()
        found = _Items.model_validate(answer.raise_for_status().json())
        return tuple(item.model_copy(update={"path": path}) for item in found.items or ())


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

            @cache
            def client() -> httpx.Client:
                # Connecting fails with a login plugin that fails, so each attempt tries it until it succeeds.
                opened = stack.enter_context(connect())
                opened.headers.update(METADATA_ONLY)
                return opened

            while (left := _released(leftovers, client)) and time.monotonic() < stop:
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


def _released(leftovers: Leftovers, client: Callable[[], httpx.Client]) -> list[str]:
    """Release terminating pods; return the names of everything that was left before."""
    try:
        left = leftovers.look(client())
        for item in left:
            if item.deletion and item.path == PODS.format(leftovers.namespace):
                _release(client(), item)
    except PASSING_ERRORS as problem:
        return [f"{type(problem).__name__}: {problem}"]
    return [item.called for item in left]


def _release(client: httpx.Client, pod: Item) -> None:
    """Remove a terminating pod from the API server. Without permission, nothing happens.

    The kubelet still ends the containers as it began. Deleting again with a shorter grace period would not help: the
    kubelet reads it only after the first one is over.
    """
    options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
    client.request(
        "DELETE",
        f"{pod.path}/{pod.name}",
        headers={"Accept": "application/json"},
        json={"apiVersion": "v1", "kind": "DeleteOptions", **options},
    )
