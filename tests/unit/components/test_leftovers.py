"""What is left of models, found and waited for in a Kubernetes API on the loopback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2 as httpx
import pytest

from components.rollout.wait import RolloutError
from components.teardown.leftovers import GRAPHS, MODELS, OBJECTS, PODS, UNSEEN_PAUSE, FormerRemoval, Leftovers, end
from components.teardown.termination_wait import Served
from kube.connection import UnknownLogin
from tests.unit.components.test_rollout import finish
from tests.unit.predict.server import Reply, Server

pytestmark = pytest.mark.usefixtures("pauses")

HERE = "models"
SERVED = Served(models=("iris",), graphs=("both",))
GRAPH_LABEL = {"serving.kserve.io/inferencegraph": "both"}
MODEL_LABEL = {"serving.kserve.io/inferenceservice": "iris"}
DELETED = "2026-01-01T00:00:00Z"
(ROUTES,) = (kind for kind in OBJECTS if kind.endswith("/routes"))
NOTHING = Reply({"items": None})


def item(
    name: str, labels: Mapping[str, str] | None = None, *, deleted: bool = False, owner: str = "ReplicaSet"
) -> dict[str, Any]:
    deletion = {"deletionTimestamp": DELETED, "deletionGracePeriodSeconds": 300} if deleted else {}
    owners = [{"kind": owner, "name": name, "uid": "u"}]
    metadata = {"name": name, "uid": f"uid-of-{name}", "labels": dict(labels or {}), "ownerReferences": owners}
    return {"metadata": {**metadata, **deletion}}


def items(*found: dict[str, Any]) -> Reply:
    return Reply({"kind": "List", "items": [*found]})


def cluster(api: Server, **kinds: tuple[Reply, ...]) -> None:
    """What the API has of each kind, look by look; the other kinds are there and empty."""
    paths = {"pods": PODS, "models": MODELS, "graphs": GRAPHS, "routes": ROUTES}
    for path in (PODS, *OBJECTS, MODELS, GRAPHS):
        api.on(host(api), f"GET {path.format(HERE)}", NOTHING)
    for kind, replies in kinds.items():
        api.on(host(api), f"GET {paths[kind].format(HERE)}", *replies)


def host(api: Server) -> str:
    return api.address.removeprefix("http://")


def wait(api: Server, *, served: Served | None = SERVED, own: bool = False, timeout: float = 60) -> None:
    leftovers = Leftovers(namespace=HERE, served=served, own=own)
    end(leftovers, connect=lambda: httpx.Client(base_url=api.address), timeout=timeout)


def deleted(api: Server) -> list[tuple[str, Any]]:
    """The paths of what the API was told to delete, and how."""
    return [(request.path, request.body) for request in api.requests if request.method == "DELETE"]


def test_where_nothing_is_left_nothing_is_waited_for(api: Server, pauses: list[float]) -> None:
    cluster(api)
    wait(api)
    assert (pauses, deleted(api)) == ([], [])


def test_pods_that_end_are_left_to_the_kubelet_and_no_others(api: Server, pauses: list[float]) -> None:
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


def test_a_model_that_stays_keeps_its_pods(api: Server, pauses: list[float]) -> None:
    """It may be updated right now, or scaled."""
    cluster(
        api,
        models=(items(item("iris")),),
        pods=(items(item("iris-1", MODEL_LABEL), item("iris-0", MODEL_LABEL, deleted=True)),),
    )
    wait(api)
    assert (pauses, deleted(api)) == ([], [])


@pytest.mark.parametrize("of", ["iris-predictor", "iris-transformer", "iris-explainer", "both"])
def test_what_knative_has_to_finish_is_waited_for(api: Server, pauses: list[float], of: str) -> None:
    route = item(of, {"serving.knative.dev/service": of}, deleted=True)
    others = item("another", {"serving.knative.dev/service": "another"})
    cluster(api, models=(items(item("iris", deleted=True)),), routes=(items(route, others), items(others)))
    wait(api)
    assert len(pauses) == 1
    assert deleted(api) == []


def test_a_cluster_without_knative_has_nothing_of_it(api: Server) -> None:
    api.on(host(api), f"GET {PODS.format(HERE)}", NOTHING)
    wait(api)


def test_of_a_namespace_all_pods_of_deployments_are_waited_for(api: Server, pauses: list[float]) -> None:
    job = item("cleanup", owner="Job")
    cluster(
        api,
        pods=(
            items(item("activator"), job),
            items(item("activator", deleted=True), item("cleanup", owner="Job", deleted=True)),
            items(job),
        ),
    )
    wait(api, served=None)
    assert len(pauses) == 2
    assert [path for path, _ in deleted(api)] == [f"/api/v1/namespaces/{HERE}/pods/activator"]


def test_with_its_namespace_goes_whatever_is_about_to_end(api: Server, pauses: list[float]) -> None:
    """Else the namespace would look again only after half of that pod's time."""
    twin = {"serving.kserve.io/inferenceservice": "twin"}
    others = item("others", {"app": "theirs"})
    cluster(api, pods=(items(item("twin", twin, deleted=True), others), items(others)))
    wait(api, own=True)
    assert len(pauses) == 1
    assert [path for path, _ in deleted(api)] == [f"/api/v1/namespaces/{HERE}/pods/twin"]


@pytest.mark.parametrize("busy", [Reply(status=500), Reply(b"no JSON")], ids=["busy", "no JSON"])
def test_an_api_that_does_not_tell_now_is_asked_again(api: Server, pauses: list[float], busy: Reply) -> None:
    cluster(api, pods=(busy, NOTHING))
    wait(api)
    assert len(pauses) == 1


def test_what_stays_is_told(api: Server) -> None:
    cluster(api, routes=(items(item("iris", {"serving.knative.dev/service": "iris-predictor"})),))
    with pytest.raises(TimeoutError, match=r"namespace models: still there after 0 s: routes/iris$"):
        wait(api, timeout=0)


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_look_gives_it_time(api: Server, pauses: list[float], status: int) -> None:
    cluster(api, pods=(Reply(status=status),))
    wait(api)
    assert pauses == [UNSEEN_PAUSE]


def test_a_login_that_is_not_known_gives_it_time(pauses: list[float]) -> None:
    def connect() -> httpx.Client:
        raise UnknownLogin("proxy-url")

    end(Leftovers(namespace=HERE, served=SERVED), connect=connect)
    assert pauses == [UNSEEN_PAUSE]


def test_one_of_the_same_name_is_made_when_the_objects_of_the_one_before_are_gone(
    api: Server, pauses: list[float]
) -> None:
    """Its pods may still finish their requests."""
    route = item("iris-predictor", {"serving.knative.dev/service": "iris-predictor"}, deleted=True)
    cluster(api, routes=(items(route), NOTHING), pods=(items(item("iris-1", MODEL_LABEL, deleted=True)),))
    finish(former(api, timeout=60))
    assert len(pauses) == 1
    assert deleted(api) == []


def test_one_of_the_same_name_is_not_made_beside_the_one_before(api: Server) -> None:
    cluster(api, routes=(items(item("iris-predictor", {"serving.knative.dev/service": "iris-predictor"})),))
    with pytest.raises(RolloutError, match=r"iris cannot be made: .* after 0 s: routes/iris-predictor$"):
        finish(former(api, timeout=0))


def former(api: Server, *, timeout: float) -> FormerRemoval:
    return FormerRemoval(
        connect=lambda: httpx.Client(base_url=api.address),
        place=(HERE, "iris"),
        timeout=timeout,
        served=Served(models=("iris",)),
    )
