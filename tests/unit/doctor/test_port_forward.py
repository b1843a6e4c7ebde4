"""The doctor's look at a gateway without an address: through a port-forward."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2 as httpx
import pytest

from doctor.diagnosis import diagnose
from doctor.facts import Asked, Facts
from doctor.gather import Wanted, gather
from doctor.ingress import ingresses
from doctor.report import exit_code
from endpoints.endpoint import Endpoint
from endpoints.failures import Disconnected
from tests.unit.doctor.objects import backends, facts, inference_service, pod, running, service
from tests.unit.doctor.test_platform import INGRESS, gateway, healthy
from tests.unit.kube.forwarding_api import NAMESPACE, POD, SERVICE, ForwardingAPI, forwarding_api
from tests.unit.predict.conftest import endpoint
from tests.unit.predict.server import Reply, Server, serving

HOST = "iris.default.example.com"
KEY = ("default", "iris")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        server.on(HOST, "GET /", Reply({}))
        server.on(HOST, "GET /v1/models/iris", Reply({}))
        yield server


@pytest.fixture
def api(server: Server) -> Iterator[ForwardingAPI]:
    """A cluster with a ready model, and a gateway of this type."""
    with forwarding_api() as api:
        api.have_gateway(server.server_port)
        api.objects["/version"] = {"gitVersion": "v1.34.3"}
        yield api


def declared(api: ForwardingAPI, kind: str) -> None:
    model, ready = inference_service(ready=True), pod(running(ready=True), ready=True)
    status = {"url": f"http://{HOST}", "conditions": [{"type": "Ready", "status": "True"}]}
    labels = {"serving.kserve.io/inferenceservice": "iris", "component": "predictor"}
    listed = {
        "/apis/serving.kserve.io/v1beta1/inferenceservices": {
            "metadata": {"name": model.name, "namespace": model.namespace},
            "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}},
            "status": status,
        },
        "/api/v1/pods": {
            "metadata": {"name": ready.name, "namespace": ready.namespace, "labels": labels},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        },
        "/api/v1/services": {
            "metadata": {"name": SERVICE, "namespace": NAMESPACE},
            "spec": {"type": kind, "selector": INGRESS, "ports": [{"name": "http2", "port": 80}]},
        },
        "/apis/networking.istio.io/v1/gateways": {
            "metadata": {"name": "g", "namespace": "knative-serving"},
            "spec": {"selector": {"istio": "ingressgateway"}},
        },
    }
    api.objects |= {path: {"items": [item]} for path, item in listed.items()}


def look(api: ForwardingAPI, *endpoints: Endpoint) -> Facts:
    with httpx.Client(base_url=api.address) as client:
        return gather(client, wanted=Wanted(endpoints=endpoints), home="default")


@pytest.mark.parametrize("kind", ["ClusterIP", "LoadBalancer"])
def test_models_are_asked_through_a_port_forward(api: ForwardingAPI, server: Server, kind: str) -> None:
    declared(api, kind)
    found = look(api)
    assert found.answers == {KEY: Asked(address=f"{NAMESPACE}/{SERVICE}", host=HOST, failure=None, forwarded=True)}
    assert api.forwarded == [(POD, 8080)]
    assert [request.headers["host"] for request in server.requests] == [HOST]


def test_a_stacks_models_are_asked_as_the_stack_says(api: ForwardingAPI, server: Server) -> None:
    declared(api, "ClusterIP")
    forwarded = endpoint("", "iris", gateway_address=None, gateway_service={"namespace": NAMESPACE, "name": SERVICE})
    assert look(api, forwarded).answers[KEY].forwarded
    assert look(api, endpoint(server, "iris")).answers[KEY] == Asked(address=server.address, host=HOST, failure=None)
    assert len(api.forwarded) == 1


def test_a_port_forward_that_is_refused_is_named(api: ForwardingAPI) -> None:
    declared(api, "ClusterIP")
    api.refuses = 403
    failure = look(api).answers[KEY].failure
    assert isinstance(failure, Disconnected)
    assert failure.problem.startswith("port-forward: the cluster answers 403")


def test_a_gateway_inside_the_cluster_is_a_gateway() -> None:
    local = service("knative-local-gateway", "istio-system", kind="ClusterIP", selector=INGRESS)
    inside = service(SERVICE, NAMESPACE, kind="ClusterIP", selector=INGRESS)
    (found,) = ingresses(facts(gateway(), local, inside))
    assert (found.name, found.address) == (f"{NAMESPACE}/{SERVICE}", "")
    assert str(found.gateway_service) == f"{NAMESPACE}/{SERVICE}"


def test_a_missing_address_is_a_note() -> None:
    balanced = service(SERVICE, NAMESPACE, kind="LoadBalancer", selector=INGRESS)
    checks = diagnose(facts(*healthy(ingress=(balanced, backends(SERVICE, NAMESPACE, True)))))
    assert [finding.cause for check in checks for finding in check.findings] == ["gateway-no-address"]
    assert exit_code(checks) == 0
