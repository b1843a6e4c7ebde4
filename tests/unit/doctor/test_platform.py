"""The cluster, the platform, the gateway and the names: what is down, and what could not be looked at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest

from doctor.checks import CheckResult, State
from doctor.diagnosis import diagnose
from doctor.facts import Asked, Facts, Unread
from doctor.findings import Cause
from doctor.gather import _answers, _resolved
from doctor.ingress import ingresses
from doctor.report import exit_code
from endpoints import failures as f
from kube.views.base import Object
from kube.views.gateways import Gateway, HTTPRoute, IstioGateway, VirtualService
from kube.views.knative import Revision
from kube.views.kserve import InferenceService
from kube.views.kubernetes import MutatingWebhookConfiguration
from tests.unit.doctor.objects import (
    backends,
    condition,
    deployment,
    facts,
    inference_service,
    meta,
    namespace,
    node,
    pod,
    running,
    runtime,
    service,
)
from tests.unit.predict.conftest import endpoint

INGRESS = {"app": "istio-ingressgateway", "istio": "ingressgateway"}
HOST = "iris.default.example.com"
ADDRESS = "http://10.0.0.1:31080"


def webhooks(*, authority: str = "Q0E=", policy: str = "Fail") -> MutatingWebhookConfiguration:
    client = {"service": {"name": "kserve-webhook-server-service", "namespace": "kserve"}, "caBundle": authority}
    hook = {"name": "inferenceservice.defaulter", "clientConfig": client, "failurePolicy": policy}
    return MutatingWebhookConfiguration.model_validate({"metadata": meta("x", ""), "webhooks": [hook]})


def gateway(programmed: str = "True") -> Gateway:
    address = [{"type": "Hostname", "value": "istio-ingressgateway.istio-system.svc.cluster.local"}]
    status = {"conditions": [condition("Programmed", programmed, "Pending")], "addresses": address}
    return Gateway.model_validate({"metadata": meta("knative-gateway", "istio-system"), "status": status})


def healthy(**changes: tuple[Object, ...]) -> list[Object]:
    """A small deployment that is well, but for what is changed by name."""
    parts: dict[str, tuple[Object, ...]] = {
        "node": (node(),),
        "namespace": (namespace(),),
        "controller": (deployment("kserve-controller-manager", "kserve"),),
        "knative": (deployment("activator", "knative-serving"), deployment("controller", "knative-serving")),
        "istiod": (deployment("istiod", "istio-system"),),
        "webhooks": (webhooks(), backends("kserve-webhook-server-service", "kserve", True)),
        "runtime": (runtime("sklearnserver", "sklearn"),),
        "gateway": (gateway(),),
        "ingress": (
            service("istio-ingressgateway", "istio-system", selector=INGRESS),
            backends("istio-ingressgateway", "istio-system", True),
        ),
        "model": (inference_service(ready=True), pod(running(ready=True), ready=True)),
    }
    return [item for group in (parts | changes).values() for item in group]


def causes(checks: tuple[CheckResult, ...]) -> list[str]:
    return [finding.cause.value for check in checks for finding in check.findings]


def seen(*objects: Object, **more: Any) -> list[str]:
    return causes(diagnose(facts(*objects, **more)))


def test_a_healthy_deployment_has_no_findings() -> None:
    checks = diagnose(facts(*healthy(), answers={("default", "iris"): Asked(address=ADDRESS, host=HOST, failure=None)}))
    assert causes(checks) == []
    assert {check.state for check in checks} == {State.OK}
    assert exit_code(checks) == 0


def test_of_a_cluster_that_does_not_answer_nothing_else_is_reported() -> None:
    (check,) = diagnose(Facts(unreachable="ConnectError: refused"))
    assert [finding.cause for finding in check.findings] == [Cause.CLUSTER_UNREACHABLE]
    (check,) = diagnose(Facts(unreachable="401", refused=True))
    assert [finding.cause for finding in check.findings] == [Cause.CLUSTER_REFUSES]
    assert exit_code((check,)) == 2


def test_kserve_or_knative_that_is_not_installed() -> None:
    assert seen(node(), absent=frozenset({InferenceService})) == ["kserve-not-installed"]
    assert "knative-not-installed" in seen(*healthy(), absent=frozenset({Revision}))
    standard = inference_service(ready=True, status={"deploymentMode": "Standard"})
    assert seen(*healthy(model=(standard,)), absent=frozenset({Revision})) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"node": (node(ready=False),)}, ["node-not-ready"]),
        (
            {"controller": (deployment("kserve-controller-manager", "kserve", ready=0, wanted=0),)},
            ["kserve-controller-down"],
        ),
        ({"controller": ()}, ["kserve-controller-down"]),
        ({"knative": (deployment("controller", "knative-serving", ready=0),)}, ["knative-part-down"]),
        ({"istiod": (deployment("istiod", "istio-system", ready=0),)}, ["platform-part-down"]),
        ({"webhooks": (webhooks(), backends("kserve-webhook-server-service", "kserve", False))}, ["webhook-down"]),
        ({"webhooks": (webhooks(),)}, ["webhook-down"]),
        ({"webhooks": (webhooks(policy="Ignore"),)}, []),
        (
            {"webhooks": (webhooks(authority=""), backends("kserve-webhook-server-service", "kserve", True))},
            ["webhook-untrusted"],
        ),
        ({"gateway": (gateway("False"),)}, ["gateway-not-programmed"]),
        ({"gateway": ()}, ["gateway-missing"]),
        ({"ingress": (service("istio-ingressgateway", "istio-system", selector=INGRESS),)}, ["gateway-down"]),
        (
            {
                "ingress": (
                    service("istio-ingressgateway", "istio-system", kind="LoadBalancer"),
                    backends("istio-ingressgateway", "istio-system", True),
                )
            },
            ["gateway-no-address"],
        ),
    ],
)
def test_one_part_of_the_platform_that_is_down(changed: dict[str, tuple[Object, ...]], expected: list[str]) -> None:
    assert seen(*healthy(**changed)) == expected


def test_a_gateway_is_found_by_istio_s_labels_too_and_has_a_load_balancer_s_address() -> None:
    istio = IstioGateway.model_validate(
        {"metadata": meta("g", "knative-serving"), "spec": {"selector": {"istio": "ingressgateway"}}}
    )
    balanced = service(
        "istio-ingressgateway", "istio-system", kind="LoadBalancer", selector=INGRESS, balanced=["1.2.3.4"]
    )
    inside = service("knative-local-gateway", "istio-system", kind="ClusterIP", selector=INGRESS)
    (found,) = ingresses(facts(istio, balanced, inside))
    assert (found.name, found.address) == ("istio-system/istio-ingressgateway", "http://1.2.3.4")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (f.ConnectionRefused(), ["gateway-unreachable"]),
        (f.ConnectTimeout(), ["gateway-unreachable"]),
        (f.NoRoute(path="/"), ["no-route"]),
        (f.HttpError(path="/", status=503, detail="no healthy upstream", by_model_server=False), ["no-upstream"]),
        (f.HttpError(path="/", status=503, detail="loading", by_model_server=True), []),
        (f.HttpError(path="/", status=404, detail="Not Found", by_model_server=True), []),
        (f.HttpError(path="/", status=503, detail="reset reason: protocol error", by_model_server=False), []),  # gRPC
    ],
)
def test_what_the_gateway_answers(failure: f.Failure, expected: list[str]) -> None:
    asked = Asked(address=ADDRESS, host=HOST, failure=failure)
    assert seen(*healthy(), answers={("default", "iris"): asked}) == expected


def test_a_missing_route_says_which_routes_there_are() -> None:
    asked = Asked(address=ADDRESS, host=HOST, failure=f.NoRoute(path="/"))
    virtual = VirtualService.model_validate({"metadata": meta("iris"), "spec": {"hosts": [HOST]}})
    refused = {"parents": [{"conditions": [condition("Accepted", "False", "NotAllowedByListeners")]}]}
    route = HTTPRoute.model_validate({"metadata": meta("iris"), "spec": {"hostnames": [HOST]}, "status": refused})
    checks = diagnose(facts(*healthy(), virtual, route, answers={("default", "iris"): asked}))
    said = [item.text for check in checks for finding in check.findings for item in finding.evidence]
    assert "routes of this host: VirtualService iris, HTTPRoute iris" in said
    assert "Accepted=False (NotAllowedByListeners)" in said


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [((), ["host-unresolved"]), (("10.0.0.1",), []), (("10.9.9.9",), ["host-elsewhere"])],
)
def test_names(addresses: tuple[str, ...], expected: list[str]) -> None:
    checks = diagnose(facts(*healthy(), resolved={HOST: addresses}))
    assert causes(checks) == expected
    assert exit_code(checks) == 0  # a client may send the Host header


def test_a_cluster_local_model_is_neither_asked_through_the_gateway_nor_looked_up() -> None:
    labels = {"labels": {"networking.knative.dev/visibility": "cluster-local"}}
    model = inference_service(ready=True, metadata=labels)
    known = facts(
        *healthy(model=(model, pod(running(ready=True), ready=True))),
        endpoints=(endpoint("http://127.0.0.1:1", "iris", cluster_local=True, host="iris.default.svc.cluster.local"),),
    )
    public = facts(*healthy(), endpoints=(endpoint("http://127.0.0.1:1", "iris"),))
    with ThreadPoolExecutor(1) as pool:
        assert _answers(httpx.Client(), pool, public).keys() == {("default", "iris")}
        assert _answers(httpx.Client(), pool, known) == {}
    assert _resolved(known) == {}
    assert causes(diagnose(known)) == []


def test_the_models_of_a_stack_are_compared_with_the_clusters() -> None:
    there = endpoint(ADDRESS, "iris")
    away = endpoint(ADDRESS, "absent")
    nowhere = endpoint(ADDRESS, "lost", namespace="nowhere")
    other = endpoint(ADDRESS, "iris", host="iris.default.elsewhere.com")
    by_service = endpoint(ADDRESS, "mine", service_name="iris", host=HOST)
    assert seen(*healthy(), endpoints=(there,)) == []
    assert seen(*healthy(), endpoints=(by_service,)) == []
    assert seen(*healthy(), endpoints=(there, away, nowhere)) == ["model-missing", "namespace-missing"]
    assert seen(*healthy(), endpoints=(other,)) == ["host-differs"]
    assert seen(*healthy(), names=("iris", "irsi")) == ["model-missing"]
    assert seen(*healthy(model=()), namespace="nowhere") == ["namespace-missing"]
    unread = Unread(what="inferenceservices", where="default", why="forbidden")
    assert seen(*healthy(model=()), endpoints=(there,), names=("iris",), unread=(unread,)) == []


@pytest.mark.parametrize(
    "what",
    [
        "nodes",
        "inferenceservices",
        "deployments",
        "mutatingwebhookconfigurations",
        "endpointslices",
        "services",
        "clusterservingruntimes",
    ],
)
def test_a_check_that_could_not_be_made_is_not_ok(what: str) -> None:
    missed = Unread(what=what, where="", why="forbidden")
    parts = {"nodes": "node", "services": "ingress", "clusterservingruntimes": "runtime", "inferenceservices": "model"}
    left = healthy(**({parts[what]: ()} if what in parts else {}))
    kinds = {"deployments", "mutatingwebhookconfigurations", "endpointslices"}
    left = [item for item in left if not (what in kinds and item.plural == what)]
    checks = diagnose(facts(*left, unread=(missed,)))
    assert not any(finding for check in checks for finding in check.findings if not finding.cause.note)
    assert State.UNREAD in {check.state for check in checks}
    assert exit_code(checks) == 2
