"""Which parts of the platform a stack gets by the modes of its models."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.recording import Recording
from tests.unit.components.registry import Registry
from tests.unit.test_program import of_kind, registry, run

__all__ = ["registry"]

STANDARD = {"name": "deployed", "format": "sklearn", "storage_uri": "gs://models/one", "mode": "Standard"}
KNATIVE = {"name": "served", "format": "xgboost", "storage_uri": "gs://models/two", "mode": "Knative"}


def program(registry: Registry, *models: dict[str, Any], stack: str = "dev", **settings: Any) -> Recording:
    return run(stack, registry=registry, models=models, storage={}, **settings)


def controller(recording: Recording) -> Any:
    return recording.the(":Chart", "kserve").plain["values"]["kserve"]["controller"]


@pytest.mark.feature("a cluster without Knative", mode="Standard", proof="objects")
@pytest.mark.parametrize("stack", ["dev", "cluster"])
def test_without_a_model_behind_it_there_is_no_knative(registry: Registry, stack: str) -> None:
    recording = program(registry, STANDARD, stack=stack)
    assert not [name for name in recording.names if "knative" in name.lower() or "net-gateway-api" in name]
    assert controller(recording)["deploymentMode"] == "Standard"
    model = of_kind(recording, "InferenceService deployed")
    for earlier in ("Gateway gateway-api-kserve-gateway", "Chart kserve-runtimes", "Chart istio-ingressgateway"):
        assert recording.waits_for(model, of_kind(recording, earlier))
    assert set(recording.outputs["endpoints"]) == {"deployed"}


@pytest.mark.parametrize("stack", ["dev", "cluster"])
def test_both_modes_are_served_at_one_address(registry: Registry, stack: str) -> None:
    recording = program(registry, STANDARD, KNATIVE, stack=stack)
    values = controller(recording)
    assert values["deploymentMode"] == "Knative"
    ingress = values["gateway"]["ingressGateway"]
    assert (ingress["enableGatewayApi"], ingress["kserveGateway"]) == (True, "istio-system/kserve-gateway")
    gateway = of_kind(recording, "Gateway gateway-api-kserve-gateway").plain
    assert f"{gateway['metadata']['namespace']}/{gateway['metadata']['name']}" == ingress["kserveGateway"]
    assert gateway["spec"]["addresses"] == [{"type": "Hostname", "value": "istio-ingressgateway"}]
    (listener,) = gateway["spec"]["listeners"]
    assert (listener["port"], listener["protocol"], listener["allowedRoutes"]) == (
        *(80, "HTTP"),
        {"namespaces": {"from": "All"}},
    )
    hosts = {name: endpoint["host"] for name, endpoint in recording.outputs["endpoints"].items()}
    assert hosts == {"deployed": "deployed.default.example.com", "served": "served.default.example.com"}
    for name in hosts:
        assert recording.waits_for(of_kind(recording, f"InferenceService {name}"), recording.the(":Chart", "kserve"))


def test_kserve_starts_again_when_knative_comes_or_goes(registry: Registry) -> None:
    notes = [
        controller(program(registry, *models))["podAnnotations"]
        for models in ((STANDARD,), (STANDARD, KNATIVE), (KNATIVE,))
    ]
    assert notes[0] != notes[1] == notes[2]


def test_a_stack_without_models_gets_what_its_own_mode_needs(registry: Registry) -> None:
    assert "Knative knative" in {name.rpartition(":")[2] for name in program(registry).names}
    assert not [name for name in program(registry, mode="Standard").names if "knative" in name.lower()]
