"""The check of models whose gateway has no address: through a port-forward of the API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from endpoints import failures as f
from predict.check import Limits, check_all
from predict.outcome import Outcome
from tests.unit.kube.conftest import write
from tests.unit.kube.forwarding_api import NAMESPACE, POD, SERVICE, ForwardingAPI, forwarding_api
from tests.unit.predict.conftest import check, endpoint, run_predict, serve_v1, words
from tests.unit.predict.server import Server
from tests.unit.predict.test_grpc import Backend

FORWARDED: dict[str, Any] = {
    "gateway_address": None,
    "gateway_service": {"namespace": NAMESPACE, "name": SERVICE, "port": 80},
}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForwardingAPI]:
    with forwarding_api() as api:
        monkeypatch.setenv("KUBECONFIG", str(write(tmp_path / "kubeconfig", server=api.address)))
        yield api


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_an_endpoint_without_an_address_needs_a_service() -> None:
    with pytest.raises(ValidationError, match="needs a gateway_address, or a gateway_service to forward a port to"):
        endpoint("", gateway_address=None)


def test_models_are_asked_through_one_port_forward(api: ForwardingAPI, gateway: Server) -> None:
    names = ("sklearn-model", "xgboost-model")
    for name in names:
        serve_v1(gateway, [1, 0], name)
    api.have_gateway(gateway.server_port)
    endpoints = [endpoint("", name, **FORWARDED) for name in names]
    outcomes = [event for event in check_all(endpoints, limits=Limits(timeout=10)) if isinstance(event, Outcome)]
    assert [outcome.exit_code for outcome in outcomes] == [0, 0]
    assert api.forwarded == [(POD, 8080)] * 2  # a connection for each client


def test_an_address_is_asked_directly(api: ForwardingAPI, gateway: Server) -> None:
    serve_v1(gateway, [1, 0])
    assert check(endpoint(gateway, **{**FORWARDED, "gateway_address": gateway.address})).exit_code == 0
    assert api.forwarded == []


def test_grpc_goes_through_a_port_forward(api: ForwardingAPI) -> None:
    backend = Backend()
    api.have_gateway(port_of(backend.address))
    outcome = check(endpoint("", protocol="grpc-v2", **FORWARDED), timeout=10)
    backend.server.stop(None)
    assert outcome.exit_code == 0, outcome.failure
    assert set(api.forwarded) == {(POD, 8080)}


@pytest.mark.parametrize("protocol", ["v1", "grpc-v2"])
def test_no_proxy_of_the_environment_is_between(
    api: ForwardingAPI, gateway: Server, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Backend()
    serve_v1(gateway, [1, 0])
    api.have_gateway(gateway.server_port if protocol == "v1" else port_of(backend.address))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr("kube.connection._is_asked_directly", lambda _: True)
    assert check(endpoint("", protocol=protocol, **FORWARDED), timeout=10).exit_code == 0
    backend.server.stop(None)


def test_a_gateway_that_starts_is_waited_for(api: ForwardingAPI) -> None:
    outcome = check(endpoint("", **FORWARDED))
    problem = f"there is no Service {NAMESPACE}/{SERVICE}"
    assert outcome.failure == f.PortForwardFailed(problem=problem)
    assert outcome.exit_code == 2
    assert f"through a port-forward of {NAMESPACE}/{SERVICE}, which does not work yet: {problem}." in words(outcome)


def test_a_refused_port_forward_is_not_waited_for(api: ForwardingAPI, gateway: Server) -> None:
    api.have_gateway(gateway.server_port)
    api.refuses = 403
    outcome = check(endpoint("", **FORWARDED), timeout=60)
    assert isinstance(outcome.failure, f.PortForwardRefused)
    assert "the rights get and create on pods/portforward" in outcome.failure.problem
    assert "ingress.service_type" in words(outcome)


def test_without_a_kubeconfig_there_is_no_port_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    outcome = check(endpoint("", **FORWARDED), timeout=60)
    assert isinstance(outcome.failure, f.PortForwardRefused)
    assert "set KUBECONFIG" in outcome.failure.problem


def test_what_a_model_answers_is_not_taken_for_a_failed_forward(api: ForwardingAPI, gateway: Server) -> None:
    api.have_gateway(gateway.server_port)
    assert isinstance(check(endpoint("", **FORWARDED)).failure, f.NoRoute)


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "through a port-forward of istio-system/istio-ingressgateway, because the gateway has no address"),
        ("zh", "转发到 istio-system/istio-ingressgateway 的端口"),
    ],
)
def test_the_command_says_how_it_asks(api: ForwardingAPI, gateway: Server, lang: str, said: str) -> None:
    serve_v1(gateway, [1, 0])
    api.have_gateway(gateway.server_port)
    described: dict[str, Any] = endpoint("", **FORWARDED).model_dump(mode="json")
    done = run_predict("--lang", lang, stdin=json.dumps({"sklearn-model": described}))
    assert done.returncode == 0, done.stderr
    assert said in done.stderr


def test_the_commands_of_an_advice_forward_a_port_first(api: ForwardingAPI, gateway: Server) -> None:
    api.have_gateway(gateway.server_port)
    said = words(check(endpoint("", context="here", **FORWARDED)))
    forward = f"kubectl --context here -n {NAMESPACE} port-forward service/{SERVICE} 8080:80"
    assert f"{forward} & sleep 3; curl -v -H 'Host: sklearn-model.default.example.com' http://127.0.0.1:8080/v1" in said
