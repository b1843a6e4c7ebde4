"""What the program declares, read from the engine's requests."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.declared import REGISTER, SIGNATURE, read
from benchmarks.in_sequence import plan

CHART = "kubernetes:helm.sh/v4:Chart"


def request(kind: str, inputs: dict[str, Any], *, parent: str = "urn:parent") -> str:
    return json.dumps({"method": REGISTER, "request": {"type": kind, "name": "n", "parent": parent, "object": inputs}})


def output(value: object) -> dict[str, object]:
    return {SIGNATURE: "of an output", "value": value}


def manifest(api_version: str, kind: str, name: str, **more: Any) -> str:
    inputs = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **more}}
    return request(f"kubernetes:{api_version}:{kind}", inputs)


def chart(name: str, *, kind: str = CHART) -> str:
    inputs = {"name": name, "chart": f"charts/{name}.tgz", "namespace": output("here"), "values": {"replicas": 1}}
    return request(kind, inputs)


def test_a_chart_with_its_values_and_a_namespace_that_is_an_output() -> None:
    found = read([chart("istiod"), request(CHART, {})])
    assert list(found.charts) == ["istiod"]
    istiod = found.charts["istiod"]
    assert (istiod.archive, istiod.namespace, istiod.values) == ("charts/istiod.tgz", "here", {"replicas": 1})


def test_what_a_chart_is_rendered_to_is_left_out() -> None:
    inside = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "istiod"}}
    assert read([request("kubernetes:core/v1:Service", inside, parent=f"urn${CHART}::istiod")]).objects == {}


def test_other_calls_of_the_engine_are_left_out() -> None:
    call = {"method": "/pulumirpc.Engine/Log", "request": {"message": "kind"}}
    assert read([json.dumps(call), json.dumps({"progress": "request_started"})]).objects == {}


def test_secrets_are_plain_and_waits_are_gone() -> None:
    annotations = {"pulumi.com/waitFor": "condition=Ready", "serving.kserve.io/s3-region": "us-east-1"}
    inputs = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys", "annotations": annotations},
        "stringData": output({"AWS_ACCESS_KEY_ID": output("key")}),
    }
    secret = read([request("kubernetes:core/v1:Secret", inputs)]).objects["Secret/keys"]
    assert secret["stringData"] == {"AWS_ACCESS_KEY_ID": "key"}
    assert secret["metadata"] == {"name": "keys", "annotations": {"serving.kserve.io/s3-region": "us-east-1"}}


def test_an_object_with_nothing_but_waits_has_no_annotations() -> None:
    log = [manifest("v1", "Service", "local", annotations={"pulumi.com/skipAwait": "true"})]
    assert read(log).objects["Service/local"]["metadata"] == {"name": "local"}


def test_gateways_of_both_apis_stay_apart() -> None:
    log = [
        manifest("networking.istio.io/v1", "Gateway", "knative-local-gateway"),
        manifest("gateway.networking.k8s.io/v1", "Gateway", "knative-local-gateway"),
    ]
    assert len(read(log).objects) == 2


def test_the_plan_waits_for_serving_before_the_models_and_for_the_models_at_the_end() -> None:
    log = [
        manifest("v1", "Namespace", "kserve"),
        manifest("v1", "ConfigMap", "istio-ca-root-cert"),
        manifest("operator.knative.dev/v1beta1", "KnativeServing", "knative-serving"),
        manifest("networking.istio.io/v1", "Gateway", "knative-local-gateway"),
        manifest("v1", "Secret", "keys"),
        manifest("v1", "ServiceAccount", "models"),
        manifest("serving.kserve.io/v1beta1", "InferenceService", "sklearn-model"),
    ]
    works = plan(read(log))
    applied = [key for work in works for key in work.objects]
    waited = [key for work in works for key in work.ready]
    assert applied[0] == "Namespace/kserve"
    assert "Gateway.networking.istio.io/knative-local-gateway" in applied
    assert waited == ["KnativeServing/knative-serving", "InferenceService/sklearn-model"]
    assert works[-1].objects == ("Secret/keys", "ServiceAccount/models", "InferenceService/sklearn-model")
    assert "ConfigMap/istio-ca-root-cert" not in applied  # istiod makes it
