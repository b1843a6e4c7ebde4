"""The prediction check on real faults: each is found, named and told apart by its exit status."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lightkube import ApiError
from lightkube.generic_resource import GenericNamespacedResource
from lightkube.models.core_v1 import ObjectReference
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Secret, ServiceAccount

from releases.local import KSERVE
from tests.e2e.cluster_objects import InferenceService
from tests.e2e.machine import NODE, Deployment

WRONG, ABSENT = 1, 2
# A server that is ready, and reports success for a prediction that failed.
LIAR = """
import http.server, json
class Liar(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def do_GET(self):
        self.answer({"name": "liar", "ready": True})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"error": "the model is broken"})
http.server.ThreadingHTTPServer(("", 8080), Liar).serve_forever()
"""


@pytest.fixture
def endpoints(deployment: Deployment) -> dict[str, Any]:
    """Endpoints of the deployed models, for a test to spoil."""
    return deployment.endpoints()


def check(deployment: Deployment, endpoints: dict[str, Any], *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Exit status, the report's text and the report of the first model."""
    done = deployment.predict("--json", "--lang", "en", *arguments, stdin=json.dumps(endpoints))
    report = json.loads(done.stdout)["models"][0]
    said = " ".join(str(report[key]) for key in ("cause", "advice", "inference_service") if report.get(key))
    return done.status, said, report


def only(endpoints: dict[str, Any], name: str, **changes: object) -> dict[str, Any]:
    return {name: endpoints[name] | changes}


@pytest.mark.journey
def test_a_swapped_model(deployment: Deployment, endpoints: dict[str, Any]) -> None:
    expected = endpoints["sklearn-model"]["check"]
    status, said, report = check(deployment, only(endpoints, "xgboost-model", check=expected))
    assert (status, report["verdict"]) == (WRONG, "wrong-value")
    assert f"expected {expected['predictions']}, got [0.83" in said
    assert "check that its `storage_uri` and another model's are not swapped" in said


@pytest.mark.journey
def test_an_answer_of_the_wrong_width(deployment: Deployment, endpoints: dict[str, Any]) -> None:
    expected = endpoints["sklearn-model"]["check"] | {"predictions": [[0.1, 0.9], [0.8, 0.2]]}
    status, said, report = check(deployment, only(endpoints, "sklearn-model", check=expected))
    assert (status, report["verdict"]) == (WRONG, "wrong-shape")
    assert "The answer has another shape" in said


@pytest.mark.journey
def test_a_row_of_the_wrong_width_is_refused_by_the_server(deployment: Deployment, endpoints: dict[str, Any]) -> None:
    asked = {"instances": [[1.0, 2.0]], "predictions": [1]}
    status, said, report = check(deployment, only(endpoints, "xgboost-model", check=asked))
    assert (status, report["verdict"]) == (WRONG, "prediction-refused")
    assert "expected 4 features, got 2" in said


@pytest.mark.journey
def test_a_wrong_host(deployment: Deployment, endpoints: dict[str, Any]) -> None:
    host = "sklearn-model.elsewhere.example.com"
    spoiled = only(endpoints, "sklearn-model", host=host)
    status, said, report = check(deployment, spoiled, "--timeout", "5")
    assert (status, report["verdict"]) == (ABSENT, "no-route")
    assert f"has no route for Host {host}" in said


@pytest.mark.journey
def test_an_unreachable_gateway(deployment: Deployment, endpoints: dict[str, Any]) -> None:
    spoiled = only(endpoints, "sklearn-model", gateway_address=f"http://{NODE}:31081")
    status, said, report = check(deployment, spoiled, "--timeout", "5")
    assert (status, report["verdict"]) == (ABSENT, "connection-refused")
    assert "Nothing listens at the gateway" in said


def test_bad_usage(deployment: Deployment, endpoints: dict[str, Any]) -> None:
    endpoints["sklearn-model"]["gateway_address"] = "nowhere"
    done = deployment.predict(stdin=json.dumps(endpoints))
    assert done.status == 64
    assert "sklearn-model.gateway_address" in done.stderr


def service(name: str, predictor: dict[str, Any]) -> GenericNamespacedResource:
    return InferenceService(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec={"predictor": {"minReplicas": 1, **predictor}},
    )


@pytest.fixture
def faulty(deployment: Deployment) -> Iterator[Any]:
    """Makes an InferenceService by hand, gone after the test; gives its endpoint."""
    client = deployment.client()
    made: list[str] = []

    def make(name: str, predictor: dict[str, Any]) -> dict[str, Any]:
        client.create(service(name, predictor))
        made.append(name)
        host = f"{name}.default.example.com"
        model = deployment.endpoints()["sklearn-model"]
        paths = {"predict_path": f"/v1/models/{name}:predict", "metadata_path": f"/v1/models/{name}"}
        return {name: model | paths | {"name": name, "host": host, "url": f"http://{host}"}}

    yield make
    for name in made:
        client.delete(InferenceService, name, namespace="default")


def small(**more: object) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}, **more}


def account(deployment: Deployment) -> str:
    """The service account with the demo's keys, as the deployment made it."""
    deployed = deployment.client().get(InferenceService, "sklearn-model", namespace="default")
    name: str = deployed["spec"]["predictor"]["serviceAccountName"]
    return name


def test_a_model_with_no_artefact(deployment: Deployment, faulty: Any) -> None:
    model = small(modelFormat={"name": "sklearn"}, storageUri="s3://models/nothing-here")
    predictor = {"serviceAccountName": account(deployment), "model": model}
    status, said, report = check(deployment, faulty("empty", predictor), "--timeout", "90")
    assert (status, report["verdict"]) == (ABSENT, "load-failed")
    assert "KServe cannot load the model: ModelLoadFailed" in said
    assert "nothing-here" in said


@pytest.mark.journey
def test_wrong_s3_keys(deployment: Deployment, faulty: Any) -> None:
    client = deployment.client()
    right = client.get(ServiceAccount, account(deployment), namespace="default")
    assert right.secrets
    keys = client.get(Secret, str(right.secrets[0].name), namespace="default")
    assert keys.metadata
    wrong = Secret(
        metadata=ObjectMeta(name="wrong-keys", namespace="default", annotations=keys.metadata.annotations),
        stringData={"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"},
    )
    user = ServiceAccount(
        metadata=ObjectMeta(name="wrong-keys", namespace="default"), secrets=[ObjectReference(name="wrong-keys")]
    )
    for kind in (Secret, ServiceAccount):
        with contextlib.suppress(ApiError):
            client.delete(kind, "wrong-keys", namespace="default")
    client.create(wrong)
    client.create(user)
    model = small(modelFormat={"name": "sklearn"}, storageUri="s3://models/sklearn")
    endpoint = faulty("locked-out", {"serviceAccountName": "wrong-keys", "model": model})
    status, said, report = check(deployment, endpoint, "--timeout", "90")
    doctor = deployment.predict("doctor", "-n", "default", "--json", "--lang", "en")
    client.delete(Secret, "wrong-keys", namespace="default")
    client.delete(ServiceAccount, "wrong-keys", namespace="default")
    assert (status, report["verdict"]) == (ABSENT, "storage-refused")
    assert "The storage refused the access keys" in said
    assert "`storage.<name> (access_key_id, secret_access_key, " in said
    checks = json.loads(doctor.stdout)["checks"]
    causes = {(finding["name"], finding["id"]) for check in checks for finding in check["findings"]}
    assert ("locked-out", "storage-keys-refused") in causes


def test_a_200_with_an_error_in_it(deployment: Deployment, faulty: Any) -> None:
    container = small(
        name="kserve-container",
        image=f"localhost:5000/kserve/sklearnserver:{KSERVE}",
        command=["/usr/bin/python3", "-c", LIAR],
        ports=[{"containerPort": 8080, "protocol": "TCP"}],
    )
    status, said, report = check(deployment, faulty("liar", {"containers": [container]}), "--timeout", "120")
    assert (status, report["verdict"]) == (WRONG, "error-in-answer")
    assert "HTTP 200, but without usable predictions in it: the model is broken" in said


@pytest.mark.journey
def test_the_good_models_are_still_right(deployment: Deployment, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = deployment.predict("--stack", deployment.stack, "--junit", str(report))
    assert done.status == 0, done.text
    assert 'failures="0"' in report.read_text()
