"""Leftovers of deleted models, against a Kubernetes API on the loopback."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx2 as httpx
import pytest

from components.teardown.leftovers import OBJECTS, Leftovers, UnreadableError, wait_until_gone
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
# What only pods have that KServe, Knative and Knative's operator made; a user's Deployment has the hash, too.
HASH = {"pod-template-hash": "h"}
OF_KSERVE = HASH | {"app": "isvc.iris-predictor"}
OF_KNATIVE = HASH | {
    "serving.knative.dev/revision": "iris-predictor-00001",
    "serving.knative.dev/revisionUID": "r",
    "serving.knative.dev/service": "iris-predictor",
}
OF_SERVING = HASH | {"app.kubernetes.io/name": "knative-serving"}
DELETED = "2026-01-01T00:00:00Z"
NOTHING = Reply({"items": None})
APIS = {
    "ReplicaSet": "apps/v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "Rollout": "argoproj.io/v1alpha1",
    "InferenceService": "serving.kserve.io/v1beta1",
    "InferenceGraph": "serving.kserve.io/v1alpha1",
    "Revision": "serving.knative.dev/v1",
    "Service": "serving.knative.dev/v1",
    "KnativeServing": "operator.knative.dev/v1beta1",
}


def item(
    name: str,
    labels: Mapping[str, str] | None = None,
    *,
    deleted: bool = False,
    owner: str = "ReplicaSet",
    owner_name: str = "",
    of: str = "u",
) -> dict[str, Any]:
    """An object; without `owner`, it has none, else one of that kind with the uid `of`, which controls it."""
    deletion = {"deletionTimestamp": DELETED, "deletionGracePeriodSeconds": 300} if deleted else {}
    reference = {"kind": owner, "name": owner_name or name, "uid": of, "controller": True}
    owners = [{"apiVersion": APIS[owner], **reference}] if owner else []
    metadata = {"name": name, "uid": f"uid-of-{name}", "labels": dict(labels or {}), "ownerReferences": owners}
    return {"metadata": {**metadata, **deletion}}


def iris(name: str, *, deleted: bool = False) -> dict[str, Any]:
    """A pod that KServe made for the model, and that outlived its ReplicaSet."""
    return item(name, MODEL_LABEL | OF_KSERVE, owner_name="iris-predictor-h", deleted=deleted)


def route(of: str, *, deleted: bool = False) -> dict[str, Any]:
    """Knative's route of a server."""
    return item(of, {"serving.knative.dev/service": of}, owner="Service", deleted=deleted)


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
    labels = {"serving.kserve.io/inferenceservice": "another", "app": "isvc.another-predictor", **HASH}
    foreign = item("foreign", labels, owner_name="another-predictor-h", deleted=True)
    both = item("both-1", GRAPH_LABEL | HASH | {"app": "isvc.both"}, owner_name="both-h", deleted=True)
    going = (iris("iris-1", deleted=True), both)
    cluster(api, pods=(items(iris("iris-1"), foreign), items(*going, foreign), items(foreign)))
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
        pods=(items(iris("iris-1"), iris("iris-0", deleted=True)),),
    )
    wait(api)
    assert (pauses, deleted(api)) == ([], [])


@pytest.mark.parametrize("of", ["iris-predictor", "iris-transformer", "iris-explainer", "both"])
def test_waits_for_objects_of_knative(api: Server, pauses: list[float], of: str) -> None:
    others = route("another")
    models = (items(item("iris", owner="", deleted=True)),)
    cluster(api, models=models, routes=(items(route(of, deleted=True), others), items(others)))
    wait(api)
    assert len(pauses) == 1
    assert deleted(api) == []


def test_cluster_without_knative(api: Server) -> None:
    api.on(host(api), f"GET {Pod.path(namespace=HERE)}", NOTHING)
    wait(api)


def activator(*, deleted: bool = False) -> dict[str, Any]:
    """A pod of Serving itself that outlived its ReplicaSet."""
    return item("activator", OF_SERVING, owner_name="activator-h", deleted=deleted)


def test_without_names_all_pods_of_deployments_count(api: Server, pauses: list[float]) -> None:
    job = item("cleanup", owner="Job")
    cluster(
        api,
        pods=(
            items(activator(), job),
            items(activator(deleted=True), item("cleanup", owner="Job", deleted=True)),
            items(job),
        ),
    )
    wait(api, names=EVERY_POD)
    assert len(pauses) == 2
    assert [path for path, _ in deleted(api)] == [f"/api/v1/namespaces/{HERE}/pods/activator"]


def test_terminating_pods_of_all_deleted_models_count_in_an_own_namespace(api: Server, pauses: list[float]) -> None:
    """Otherwise the namespace controller would look again only after half of the pod's grace period."""
    labels = {"serving.kserve.io/inferenceservice": "twin", "app": "isvc.twin-predictor", **HASH}
    twin = item("twin", labels, owner_name="twin-predictor-h", deleted=True)
    others = item("others", {"app": "theirs"})
    cluster(api, pods=(items(twin, others), items(others)))
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


USERS: dict[str, dict[str, Any]] = {
    "Deployment": {"owner": "Deployment"},
    "bare ReplicaSet": {"owner": ""},
    "Rollout": {"owner": "Rollout"},
}


@pytest.mark.parametrize("names", [OF_THE_STACK, EVERY_POD], ids=["models", "knative-serving"])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("deleted_too", [False, True])
@pytest.mark.parametrize("above", USERS)
def test_a_users_pods_with_the_label_of_a_model_are_left_alone(
    api: Server, pauses: list[float], above: str, deleted_too: bool, own: bool, names: dict[str, Any]
) -> None:
    """Whoever made the ReplicaSet, and whether it, or its Deployment, is deleted before the pods are gone."""
    deployment = item("proxy", MODEL_LABEL, owner="")
    replica_set = item("proxy-h", owner_name="proxy", of="uid-of-proxy", **USERS[above])
    labels = MODEL_LABEL | HASH if above == "Deployment" else MODEL_LABEL
    pods = [
        item(f"proxy-{number}", labels, owner_name="proxy-h", of="uid-of-proxy-h", deleted=bool(number))
        for number in range(2)
    ]
    found = {"pods": (items(*pods),), "sets": (items(replica_set),), "deployments": (items(deployment),)}
    if deleted_too:
        found["deployments"] = (NOTHING,)
        if above != "bare ReplicaSet":
            found["sets"] = (NOTHING,)
    cluster(api, **found)
    wait(api, own=own, names=names, timeout=0)
    assert (pauses, deleted(api)) == ([], [])


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("owner", ["StatefulSet", "Job", ""])
def test_a_users_pods_without_a_replica_set_are_left_alone(
    api: Server, pauses: list[float], owner: str, own: bool
) -> None:
    labels = MODEL_LABEL | OF_KSERVE
    cluster(api, pods=(items(item("a", labels, owner=owner), item("b", labels, owner=owner, deleted=True)),))
    wait(api, own=own, timeout=0)
    assert (pauses, deleted(api)) == ([], [])


@pytest.mark.parametrize("labels", [OF_KSERVE, OF_KNATIVE], ids=["KServe", "Knative"])
def test_pods_of_a_users_copy_of_a_deployment_are_left_alone(
    api: Server, pauses: list[float], labels: dict[str, str]
) -> None:
    """It has all labels of the original, but another name."""
    copy = item("copy-h-x", MODEL_LABEL | labels, owner_name="copy-h", deleted=True)
    cluster(api, pods=(items(copy),))
    wait(api, own=True, timeout=0)
    assert (pauses, deleted(api)) == ([], [])


@pytest.mark.parametrize("reached", ["Deployment", "ReplicaSet", "pod"])
@pytest.mark.parametrize(
    ("deployment", "labels", "owner"),
    [
        ("iris-predictor", OF_KSERVE, "InferenceService"),
        ("iris-predictor-00001-deployment", OF_KNATIVE, "Revision"),
    ],
    ids=["KServe", "Knative"],
)
def test_pods_of_a_deleted_model_are_released_whatever_is_left_of_their_owners(
    api: Server, pauses: list[float], deployment: str, labels: dict[str, str], owner: str, reached: str
) -> None:
    """The garbage collector may delete the Deployment and the ReplicaSet before the pod is gone."""
    labels = MODEL_LABEL | labels
    owned = item(deployment, labels, owner=owner, owner_name="iris")
    replica_set = item(f"{deployment}-h", labels, owner="Deployment", owner_name=deployment, of=f"uid-of-{deployment}")
    pod = item("x", labels, owner_name=f"{deployment}-h", of=f"uid-of-{deployment}-h", deleted=True)
    cluster(
        api,
        pods=(items(pod), NOTHING),
        sets=(NOTHING if reached == "pod" else items(replica_set),),
        deployments=(items(owned) if reached == "Deployment" else NOTHING, NOTHING),
    )
    wait(api)
    assert [path for path, _ in deleted(api)] == [f"/api/v1/namespaces/{HERE}/pods/x"]


@pytest.mark.parametrize(
    "owner", [{"owner": "Rollout"}, {"owner": "InferenceService", "owner_name": "another"}], ids=["Rollout", "another"]
)
def test_objects_with_the_label_of_a_model_but_the_owner_of_another_are_not_waited_for(
    api: Server, pauses: list[float], owner: dict[str, Any]
) -> None:
    cluster(api, deployments=(items(item("proxy", MODEL_LABEL, **owner)),))
    wait(api, timeout=0)
    assert pauses == []


def test_an_object_that_a_user_only_ties_to_a_model_is_not_waited_for(api: Server, pauses: list[float]) -> None:
    """An owner that is not the controller: Kubernetes deletes the object with the model, but KServe did not make it."""
    tied = item("proxy", MODEL_LABEL, owner="InferenceService", owner_name="iris")
    tied["metadata"]["ownerReferences"][0]["controller"] = False
    cluster(api, deployments=(items(tied),))
    wait(api, timeout=0)
    assert pauses == []


@pytest.mark.parametrize("busy", [Reply(status=500), Reply(b"no JSON")], ids=["busy", "no JSON"])
def test_retries_if_the_api_server_fails(api: Server, pauses: list[float], busy: Reply) -> None:
    cluster(api, pods=(busy, NOTHING))
    wait(api)
    assert len(pauses) == 1


def test_error_names_what_is_left(api: Server) -> None:
    cluster(api, routes=(items(route("iris-predictor")),), pods=(items(iris("iris-1")),))
    with pytest.raises(
        TimeoutError, match=r"^namespace models: still there after 0 s: pods/iris-1, routes/iris-predictor\n"
    ):
        wait(api, timeout=0)


def test_error_gives_the_next_command(api: Server) -> None:
    """Other groups than Knative's may have routes, too."""
    cluster(api, routes=(items(route("iris-predictor")),))
    command = re.escape("kubectl --namespace models get -o yaml routes.serving.knative.dev/iris-predictor")
    with pytest.raises(TimeoutError, match=rf" {command}\nOnce they are gone, run the same command again\.$"):
        wait(api, timeout=0)


@pytest.mark.parametrize("status", [401, 403])
def test_stops_without_permission_and_names_the_missing_right(api: Server, pauses: list[float], status: int) -> None:
    message = 'pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "models"'
    cluster(api, pods=(Reply({"kind": "Status", "message": message}, status=status),))
    with pytest.raises(UnreadableError) as stopped:
        wait(api)
    assert f"namespace models: whether the deleted models are gone cannot be read: the cluster answers {status}" in (
        text := str(stopped.value)
    )
    for words in (
        message,
        "docs/cluster-role-models.yaml",
        "kubectl --namespace models get pods",
        "pulumi state delete",
    ):
        assert words in text
    assert pauses == []


def test_stops_if_the_login_is_not_supported(pauses: list[float]) -> None:
    def connect() -> httpx.Client:
        raise UnsupportedLoginError("proxy-url")

    with pytest.raises(UnreadableError, match="cannot be read: proxy-url"):
        wait_until_gone(Leftovers(namespace=HERE, **OF_THE_STACK), connect=connect)
    assert pauses == []


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

    command = re.escape("kubectl --namespace models get pods")
    with pytest.raises(TimeoutError, match=rf"still there after 0 s: LoginFailedError: no session\n.* {command}$"):
        wait_until_gone(Leftovers(namespace=HERE, **OF_THE_STACK), connect=connect, timeout=0)
