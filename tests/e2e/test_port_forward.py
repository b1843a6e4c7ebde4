"""A gateway that has no address, as on kind or in a private cluster: models are asked through a port-forward."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.asking import INSTANCES
from tests.e2e.cluster_objects import kubectl
from tests.e2e.machine import GATEWAY, Deployment
from tests.e2e.models_on_platform import models_on_platform

SERVICE = {"namespace": "istio-system", "name": "istio-ingressgateway", "port": 80}
LINE = "through a port-forward of istio-system/istio-ingressgateway, because the gateway has no address"


@pytest.fixture(scope="module")
def without_address(deployment: Deployment) -> Iterator[Deployment]:
    """The platform, with a gateway that is reached from inside the cluster only."""
    before = deployment.settings["ingress"]
    deployment.configure(ingress={"domain": before["domain"], "service_type": "ClusterIP"})
    try:
        deployment.up()
        yield deployment
    finally:
        deployment.configure(ingress=before)
        deployment.up()


def model(protocol: str, **more: object) -> dict[str, Any]:
    return {
        "name": f"sklearn-{protocol}",
        "format": "sklearn",
        "storage_uri": "s3://models/sklearn",
        "storage": "demo",
        "protocol": protocol,
        "check": {"instances": INSTANCES, "predictions": [1, 0]},
        **more,
    }


@pytest.mark.journey
@pytest.mark.feature("a gateway without an address: asked through a port-forward, by every protocol", mode="both")
def test_models_answer_by_value_through_a_port_forward(without_address: Deployment, tmp_path: Path) -> None:
    outputs = json.loads(without_address.pulumi("stack", "output", "gateway", "--json").stdout)
    command = "kubectl --context"
    assert outputs.get("address") is None
    assert outputs["port_forward"].startswith(command)
    assert outputs["port_forward"].endswith("-n istio-system port-forward service/istio-ingressgateway 8080:80")
    assert kubectl(without_address, "-n", "istio-system", "get", "service", "istio-ingressgateway")
    with pytest.raises(requests.ConnectionError):
        requests.get(GATEWAY, timeout=5)

    models = [model("v1"), model("v2"), model("grpc-v2"), model("v1", name="plain", mode="Standard")]
    with models_on_platform("forwarded", *models, directory=tmp_path, deployment=without_address) as stack:
        assert {name: (e["gateway_address"], e["gateway_service"]) for name, e in stack.endpoints().items()} == {
            one["name"]: (None, SERVICE) for one in models
        }
        done = stack.predict("--stack", stack.stack, "--json")
        assert done.status == 0, done.text
        reports = {report["endpoint"]["name"]: report for report in json.loads(done.stdout)["models"]}
        assert {name: report["got"] for name, report in reports.items()} == {one["name"]: [1, 0] for one in models}
        assert LINE in done.text
        wrong = stack.endpoints()
        wrong["sklearn-v1"]["check"]["predictions"] = [0, 0]
        assert stack.predict(stdin=json.dumps({"sklearn-v1": wrong["sklearn-v1"]})).status == 1
        healthy = stack.predict("doctor", "--stack", stack.stack)
        assert healthy.status == 0, healthy.text
    demo = without_address.predict("--stack", without_address.stack)
    assert demo.status == 0, demo.text
