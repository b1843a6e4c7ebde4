"""Leftovers of deleted models, against a Kubernetes API on the loopback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2 as httpx
import pytest

from components.teardown.leftovers import OBJECTS, UNREADABLE_SECONDS, Leftovers, wait_until_gone
from kube.kubeconfig import LoginFailedError, UnsupportedLoginError
from kube.read import METADATA_ONLY
from kube.views.base import Object
from kube.views.knative import Route
from kube.views.kserve import InferenceGraph, InferenceService
from kube.views.kubernetes import Deployment, Pod, ReplicaSet
from tests.unit.predict.server import Reply, Server

pytestmark = pytest.mark.usefixtures("pauses")

HERE = "models"
OF_THE_STACK: dict[str, Any] = {"models": ("iris",), "graphs": ("both",)}
EVERY_POD: dict[str, Any] = {}
GRAPH_LABEL = {"serving.kserve.io/inferencegraph": "both"}
MODEL_LABEL = {"serving.kserve.io/inferenceservice": "iris"}
DELETED = "2026-01-01T00:00:00Z"
NOTHING = Reply({"items": None})


def item(
    name: str,
    labels: Mapping[str, str] | None = None,
    *,
    deleted: bool = False,
    owner: str = "ReplicaSet",
    of: str = "u",
) -> dict[str, Any]:
    """An object; without `owner`, it has none, else one with the uid `of`."""
    deletion = {"deletionTimestamp": DELETED, "deletionGracePeriodSeconds": 300} if deleted else {}
    owners = [{"kind": owner, "name": name, "uid": of}] if owner else []
    metadata = {"name": name, "uid": f"uid-of-{name}", "labels": dict(labels or {}), "ownerReferences": owners}
    return {"metadata": {**metadata, **deletion}}


def items(*found: dict[str, Any]) -> Reply:
    return Reply({"kind": "List", "items": [*found]})


def cluster(api: Server, **kinds: tuple[Reply, ...]) -> None:
    """Successive answers of the API for each kind; the other kinds exist and are empty."""
    views: dict[str, type[Object]] = {"pods": Pod, "models": InferenceService, "graphs": InferenceGraph}
    views |= {"routes": Route, "deployments": Deployment, "sets": ReplicaSet}
    every: tuple[type[Object], ...] = (Pod, *OBJECTS, InferenceService, InferenceGraph)
    for view in every:
        api.on(host(api), f"GET {view.path(namespace=HERE)}", NOTHING)
    for kind, replies in kinds.items():
        api.on(host(api), f"GET {views[kind].path(namespace=HERE)}", *replies)


def host(api: Server) -> str:
    return api.address.removeprefix("http://")


def wait(api: Server, *, names: Mapping[str, Any] = OF_THE_STACK, own: bool = False, timeout: float = 60) -> None:
    leftovers = Leftovers(namespace=HERE, own=own, **names)
    wait_until_gone(leftovers, connect=lambda: httpx.Client(base_url=api.address), timeout=timeout)


def deleted(api: Server) -> list[tuple[str, Any]]:
    """Path and options of each deletion that the API got."""
    return [(request.path, request.body) for request in api.requests if request.method == "DELETE"]


def test_does_not_wait_without_leftovers(api: Server, pauses: list[float]) -> None:
    cluster(api)
    wait(api)
    assert (pauses, deleted(api)) == ([], [])


def test_only_metadata_is_read(api: Server) -> None:
    cluster(api)
    wait(api, own=True)
    assert {request.headers["accept"] for request in api.requests} == {METADATA_ONLY["Accept"]}


def test_only_terminating_pods_of_the_model_are_released(api: Server, pauses: list[float]) -> None:
    foreign = item("foreign", {"serving.kserve.io/inferenceservice": "another"}, deleted=True)
    going = (item("iris-1", MODEL_LABEL, deleted=True), item("both-1", GRAPH_LABEL, deleted=True))
    cluster(api, pods=(items(item("iris-1", MODEL_LABEL), foreign), items(*going, foreign), items(foreign)))
    wait(api)
    assert len(pauses) == 2
    assert deleted(api) == [
        (
            f"/api/v1/namespaces/{HERE}/pods/{name}",
            {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "gracePeriodSeconds": 0,
                "preconditions": {"uid": f"uid-of-{name}"},
            },
        )
        for name in ("iris-1", "both-1")
    ]


def test_pods_of_an_existing_model_are_kept(api: Server, pauses: list[float]) -> None:
    """They may be terminating because the model is updated or scaled."""
    cluster(
        api,
        models=(items(item("iris")),),
        pods=(items(item("iris-1", MODEL_LABEL), item("iris-0", MODEL_LABEL, deleted=True)),),
    )
    wait(api)
    assert (pauses, deleted(api)) == ([], [])


@pytest.mark.parametrize("of", ["iris-predictor", "iris-transformer", "iris-explainer", "both"])
def test_waits_for_objects_of_knative(api: Server, pauses: list[float], of: str) -> None:
    route = item(of, {"serving.knative.dev/service": of}, deleted=True)
    others = item("another", {"serving.knative.dev/service": "another"})
    cluster(api, models=(items(item("iris", deleted=True)),), routes=(items(route, others), items(others)))
    wait(api)
    assert len(pauses) == 1
    assert deleted(api) == []


def test_cluster_without_knative(api: Server) -> None:
    api.on(host(api), f"GET {Pod.path(namespace=HERE)}", NOTHING)
    wait(api)


def test_without_names_all_pods_of_deployments_count(api: Server, pauses: list[float]) -> None:
    job = item("cleanup", owner="Job")
    cluster(
        api,
        pods=(
            items(item("activator"), job),
            items(item("activator", deleted=True), item("cleanup", owner="Job", deleted=True)),
            items(job),
        ),
    )
    wait(api, names=EVERY_POD)
    assert len(pauses) == 2
    assert [path for path, _ in deleted(api)] == [f"/api/v1/namespaces/{HERE}/pods/activator"]


def test_all_terminating_pods_count_in_an_own_namespace(api: Server, pauses: list[float]) -> None:
    """Otherwise the namespace controller would look again only after half of the pod's grace period."""
    twin = {"serving.kserve.io/inferenceservice": "twin"}
    others = item("others", {"app": "theirs"})
    cluster(api, pods=(items(item("twin", twin, deleted=True), others), items(others)))
    wait(api, own=True)
    assert len(pauses) == 1
    assert [path for path, _ in deleted(api)] == [f"/api/v1/namespaces/{HERE}/pods/twin"]


def of_another_deployment(*pods: dict[str, Any], owner: str = "") -> dict[str, tuple[Reply, ...]]:
    """Pods of a Deployment that exists, whose owner is of the kind `owner`."""
    deployment = item("app", owner=owner)
    return {
        "pods": (items(*pods),),
        "sets": (items(item("app-1", owner="Deployment", of=deployment["metadata"]["uid"])),),
        "deployments": (items(deployment),),
    }


@pytest.mark.parametrize("owner", ["", "Revision"])
def test_pods_of_a_deployment_that_stays_are_kept_in_an_own_namespace(
    api: Server, pauses: list[float], owner: str
) -> None:
    """When one of the stack's models is removed, the namespace stays, and others may be updated or scaled in it."""
    cluster(api, **of_another_deployment(item("app-1-x", of="uid-of-app-1", deleted=True), owner=owner))
    wait(api, own=True)
    assert (pauses, deleted(api)) == ([], [])


def test_a_users_own_deployment_in_the_namespace_of_knative_is_not_waited_for(api: Server, pauses: list[float]) -> None:
    cluster(api, **of_another_deployment(item("app-1-x", of="uid-of-app-1")))
    wait(api, names=EVERY_POD)
    assert (pauses, deleted(api)) == ([], [])


def test_a_deployment_whose_owner_was_deleted_is_waited_for(api: Server, pauses: list[float]) -> None:
    found = of_another_deployment(item("app-1-x", of="uid-of-app-1"), owner="KnativeServing")
    cluster(api, **{**found, "pods": (*found["pods"], NOTHING)})
    wait(api, names=EVERY_POD)
    assert len(pauses) == 1


def test_a_users_own_object_with_the_label_of_a_model_is_not_waited_for(api: Server, pauses: list[float]) -> None:
    cluster(api, deployments=(items(item("proxy", MODEL_LABEL, owner="")),))
    wait(api)
    assert pauses == []


@pytest.mark.parametrize("busy", [Reply(status=500), Reply(b"no JSON")], ids=["busy", "no JSON"])
def test_retries_if_the_api_server_fails(api: Server, pauses: list[float], busy: Reply) -> None:
    cluster(api, pods=(busy, NOTHING))
    wait(api)
    assert len(pauses) == 1


def test_error_names_what_is_left(api: Server) -> None:
    cluster(api, routes=(items(item("iris", {"serving.knative.dev/service": "iris-predictor"})),))
    with pytest.raises(TimeoutError, match=r"namespace models: still there after 0 s: routes/iris$"):
        wait(api, timeout=0)


@pytest.mark.parametrize("status", [401, 403])
def test_pauses_without_permission(api: Server, pauses: list[float], status: int) -> None:
    cluster(api, pods=(Reply(status=status),))
    wait(api)
    assert pauses == [UNREADABLE_SECONDS]


def test_pauses_if_the_login_is_not_supported(pauses: list[float]) -> None:
    def connect() -> httpx.Client:
        raise UnsupportedLoginError("proxy-url")

    wait_until_gone(Leftovers(namespace=HERE, **OF_THE_STACK), connect=connect)
    assert pauses == [UNREADABLE_SECONDS]


def test_goes_on_after_a_login_plugin_that_failed(api: Server, pauses: list[float]) -> None:
    logins = iter((LoginFailedError("no session"), None))

    def connect() -> httpx.Client:
        if problem := next(logins):
            raise problem
        return httpx.Client(base_url=api.address)

    cluster(api)
    wait_until_gone(Leftovers(namespace=HERE, **OF_THE_STACK), connect=connect)
    assert len(pauses) == 1


def test_error_names_why_the_last_login_failed() -> None:
    def connect() -> httpx.Client:
        raise LoginFailedError("no session")

    with pytest.raises(TimeoutError, match="still there after 0 s: LoginFailedError: no session"):
        wait_until_gone(Leftovers(namespace=HERE, **OF_THE_STACK), connect=connect, timeout=0)
