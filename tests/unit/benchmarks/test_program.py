"""The benchmarks' stack: its settings are changed as Pulumi reads them, and its check gives the requests."""

from __future__ import annotations

from pathlib import Path

import pytest

import stack_files
from benchmarks import program
from benchmarks.commands import CommandError
from benchmarks.load import Target
from benchmarks.program import Stack
from tests.unit.predict.conftest import ROWS, endpoint

GATEWAY = "http://198.19.0.2:31080"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(program, "PROJECT", tmp_path)
    document = {
        "config": {"kserve-multi-model:models": [{"name": "iris"}], "kserve-multi-model:release": "local", "a:b": "on"}
    }
    stack_files.write(tmp_path / "Pulumi.bench.yaml", document)
    return Stack(name="bench", environment={})


def test_settings_are_replaced_and_an_empty_one_is_removed(stack: Stack) -> None:
    stack.configure(cluster={"namespace": "elsewhere"}, models=[{"name": "other", "version": "1:30"}])
    assert stack.settings() == {
        "models": [{"name": "other", "version": "1:30"}],
        "release": "local",
        "cluster": {"namespace": "elsewhere"},
    }
    stack.configure(cluster={})
    assert "cluster" not in stack.settings()
    assert stack_files.read(stack._file)["config"]["a:b"] == "on"


def test_a_request_is_that_of_the_endpoints_check() -> None:
    target = Target.of(endpoint(GATEWAY, "iris"))
    assert (target.gateway, target.path) == (GATEWAY, "/v1/models/iris:predict")
    assert (target.host, target.instances) == ("iris.default.example.com", ROWS)


def test_an_endpoint_without_a_check_is_refused() -> None:
    with pytest.raises(CommandError, match="iris has no check"):
        Target.of(endpoint(GATEWAY, "iris", check=None))
    service = {"namespace": "istio-system", "name": "istio-ingressgateway"}
    with pytest.raises(CommandError, match="the gateway of iris has no address"):
        Target.of(endpoint("", "iris", gateway_address=None, gateway_service=service))
