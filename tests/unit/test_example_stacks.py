"""The stack files in examples/stacks: valid, and deployed as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

import stack_files
from components.settings.stack import parse
from endpoints.endpoint import parse_endpoints
from tests.unit.components.kubernetes import answering
from tests.unit.components.recording import Recording
from tests.unit.components.registry import Registry, serving
from tests.unit.test_program import ROOT, run_program
from tools.schema import TARGET

FOLDER = ROOT / "examples" / "stacks"
NAMES = sorted(file.stem for file in FOLDER.glob("*.yaml"))


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.chdir(tmp_path)
    with serving() as registry, answering(tmp_path) as kubeconfig:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        registry.any_chart = True
        yield registry


def deployed(name: str, registry: Registry, **changes: object) -> Recording:
    mirror = {"charts": f"oci://{registry.address}/charts", "images": "registry.example:5000", "plain_http": True}
    config = stack_files.settings(stack_files.read(FOLDER / f"{name}.yaml"))
    return run_program({**config, "mirror": mirror, **changes}, stack="cluster")


def test_there_is_one_for_kind_and_one_for_k3s() -> None:
    assert NAMES == ["k3s", "kind"]


@pytest.mark.parametrize("name", NAMES)
def test_they_fit_the_schema_and_the_settings(name: str) -> None:
    document = stack_files.read(FOLDER / f"{name}.yaml")
    assert [*Draft7Validator(json.loads(TARGET.read_text("utf-8"))).iter_errors(document)] == []
    assert parse(stack_files.settings(document)).resources == "small"


@pytest.mark.parametrize("name", NAMES)
def test_their_models_are_those_of_any_cluster(name: str) -> None:
    models = stack_files.settings(stack_files.read(FOLDER / f"{name}.yaml"))["models"]
    assert models == stack_files.settings(stack_files.read(ROOT / "Pulumi.cluster.yaml"))["models"]


def test_on_kind_the_gateway_has_no_address_and_needs_none(registry: Registry) -> None:
    kind = deployed("kind", registry)
    service = kind.the(":Service", "istio-ingressgateway").plain
    assert service["spec"]["type"] == "ClusterIP"
    gateway = kind.outputs["gateway"]
    assert gateway.get("address") is None
    forward = "kubectl --context here -n istio-system port-forward service/istio-ingressgateway 8080:80"
    assert gateway["port_forward"] == forward
    assert gateway["example"].startswith(f"{forward} & sleep 3; curl -H 'Host: sklearn-model.default.example.com'")
    for endpoint in parse_endpoints(json.loads(json.dumps(kind.outputs["endpoints"]))).values():
        assert str(endpoint.forwarded) == "istio-system/istio-ingressgateway"
    assert kind.outputs["platform"]["gateway_service"]["port"] == 80


def test_the_mapped_port_of_kind_is_the_one_that_clients_use(registry: Registry) -> None:
    text = (FOLDER / "kind.yaml").read_text("utf-8")
    found = re.search(r"^#   ingress: (\{.*\})$", text, re.MULTILINE)
    assert found
    kind = deployed("kind", registry, ingress=yaml.safe_load(found[1]))
    assert kind.outputs["gateway"]["address"] == "http://localhost:8080"
    ports = kind.the(":Service", "istio-ingressgateway").plain["spec"]["ports"]
    assert {port["name"]: port.get("nodePort") for port in ports}["http2"] == 31080


def test_on_k3s_the_address_is_its_load_balancers(registry: Registry) -> None:
    k3s = deployed("k3s", registry)
    assert k3s.outputs["gateway"]["address"] == "http://192.0.2.7"
    assert k3s.outputs["gateway"].get("port_forward") is None
