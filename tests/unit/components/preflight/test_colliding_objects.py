"""Objects of others that KServe would take for those of a model, as Kubernetes lists them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest

from components.objects import STACK_ANNOTATION
from components.preflight.colliding_objects import colliding_objects
from components.preflight.platform_facts import UntoldError
from components.settings.stack import parse
from kube.views.kserve import InferenceService
from tests.unit.components.settings.stack_settings import settings, sklearn
from tests.unit.predict.server import Reply, Server, serving

OWNER = "org/project/mine:1"
KINDS = {
    "Service": "/api/v1/namespaces/default/services",
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes",
    "VirtualService": "/apis/networking.istio.io/v1/namespaces/default/virtualservices",
    "Knative": "/apis/serving.knative.dev/v1/namespaces/default/services",
}


@pytest.fixture
def api() -> Iterator[Server]:
    with serving() as server:
        yield server


def have(api: Server, kind: str, *items: dict[str, Any], status: int = 200) -> None:
    reply = Reply({"items": [{"metadata": {"namespace": "default", **item}} for item in items]}, status=status)
    api.on(api.address.removeprefix("http://"), f"GET {KINDS[kind]}", reply)


def owned_by(group: str, kind: str, name: str) -> list[dict[str, Any]]:
    return [{"apiVersion": f"{group}/v1", "kind": kind, "name": name, "uid": "u", "controller": True}]


def found(api: Server, *, mode: str = "Knative", running: str | None = None) -> list[str]:
    status = {"deploymentMode": running}
    there = InferenceService.model_validate({"metadata": {"name": "iris", "namespace": "default"}, "status": status})
    document = parse(settings(sklearn("iris", mode=mode)))
    with httpx.Client(base_url=api.address) as client:
        return list(colliding_objects(client, document, {"default": {"iris": there} if running else {}}, owner=OWNER))


@pytest.mark.parametrize(
    ("mode", "kind", "name"),
    [
        ("Knative", "Service", "iris"),
        ("Knative", "VirtualService", "iris"),
        ("Knative", "Deployment", "iris-predictor-00002-deployment"),
        ("Standard", "HTTPRoute", "iris"),
        ("Standard", "Service", "iris-predictor"),
        ("Standard", "Deployment", "iris-predictor"),
    ],
)
def test_an_object_of_others_that_kserve_would_change_is_refused(api: Server, mode: str, kind: str, name: str) -> None:
    have(api, kind, {"name": name, "labels": {"app.kubernetes.io/managed-by": "Helm"}}, {"name": "other"})
    assert found(api, mode=mode) == [
        f"models[0].name: 'iris' needs the {kind} default/{name} for itself, which is there already (managed by Helm): "
        "KServe would change it, or Knative stop at it; use another name or namespace, or delete it if nobody needs it"
    ]


def test_one_of_another_controller_or_another_stack_is_of_others(api: Server) -> None:
    have(
        api,
        "Service",
        {"name": "iris", "ownerReferences": owned_by("apps.example.com", "Shop", "iris")},
        {"name": "iris-predictor", "annotations": {STACK_ANNOTATION: "org/project/other:2"}},
    )
    assert len(found(api)) == 2


def test_a_service_of_knative_that_is_somebodys_is_refused_with_what_it_made(api: Server) -> None:
    made = {
        "name": "iris",
        "labels": {"serving.knative.dev/service": "iris"},
        "ownerReferences": owned_by("serving.knative.dev", "Route", "iris"),
    }
    have(api, "Service", made)
    have(api, "Knative", {"name": "iris"})
    assert len(found(api)) == 1


def test_what_was_made_for_the_stack_or_is_about_to_go_is_none_of_others(api: Server) -> None:
    predictor = "iris-predictor"
    of_kserve = {"ownerReferences": owned_by("serving.kserve.io", "InferenceService", "iris")}
    of_route = {
        "labels": {"serving.knative.dev/service": predictor},
        "ownerReferences": owned_by("serving.knative.dev", "Route", predictor),
    }
    have(api, "Knative", {"name": predictor, **of_kserve})
    have(api, "Service", {"name": "iris", **of_kserve}, {"name": predictor, **of_route})
    have(api, "VirtualService", {"name": "iris", "annotations": {STACK_ANNOTATION: OWNER}})
    have(api, "Deployment", {"name": predictor, "deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert found(api) == []
    assert found(api, mode="Standard") == []


def test_a_model_that_runs_in_its_mode_is_not_looked_at(api: Server) -> None:
    have(api, "Service", {"name": "iris"})
    assert found(api, running="Knative") == []
    assert len(found(api, running="Standard")) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_cluster_that_does_not_tell_stops_the_run(api: Server, kind: str) -> None:
    have(api, kind, status=403)
    with pytest.raises(UntoldError, match="does not tell whether it is there"):
        found(api)
