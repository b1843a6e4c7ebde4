"""pulumi preview, up, predictions by value, up again, changed models, a canary, scale to zero, refresh."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.operators import Operator
from lightkube.resources.core_v1 import Pod

from components.mode_fields import MODE_ANNOTATION
from tests.e2e.cluster_objects import all_objects, kubectl
from tests.e2e.machine import NODE, Deployment, run

GATEWAY = f"http://{NODE}:31080"
INSTANCES = [[6.5, 3.0, 5.5, 2.0], [5.9, 2.8, 4.3, 1.3]]
InferenceService = create_namespaced_resource("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")


@pytest.fixture(scope="module")
def up(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The demo, deployed on an empty cluster; afterwards the stack file is what it was."""
    settings = deployment.stack_file.read_text()
    before = tmp_path_factory.getbasetemp() / "objects-before.json"
    before.write_text(json.dumps(sorted(all_objects(deployment))))
    done = deployment.pulumi("up", "--yes", "--skip-preview")
    assert done.status == 0, done.text[-6000:]
    yield deployment
    deployment.stack_file.write_text(settings)


def predict(host: str, timeout: float = 60) -> object:
    answer = requests.post(
        f"{GATEWAY}/v1/models/{host.partition('.')[0]}:predict",
        json={"instances": INSTANCES},
        headers={"Host": host},
        timeout=timeout,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


@pytest.mark.journey
@pytest.mark.feature("bad settings are refused before anything is touched", mode="both")
def test_bad_settings_are_refused_before_anything_touches_the_cluster(deployment: Deployment) -> None:
    good = deployment.stack_file.read_text()
    before = all_objects(deployment)
    models = deployment.settings["models"]
    models[0]["storage_uri"] = "ftp://models/sklearn"
    models[1]["format"] = "caffe"
    deployment.configure(models=models)
    refused = deployment.pulumi("up", "--yes", "--skip-preview")
    deployment.stack_file.write_text(good)
    assert refused.status != 0
    assert "models[0].storage_uri" in refused.text
    assert "models[1].format" in refused.text
    assert all_objects(deployment) == before


@pytest.mark.journey
def test_preview_of_an_empty_cluster(deployment: Deployment) -> None:
    preview = deployment.pulumi("preview")
    assert preview.status == 0, preview.text[-4000:]
    assert "InferenceService" in preview.text


@pytest.mark.journey
@pytest.mark.feature("predictions, v1")
def test_up_ends_with_both_models_answering_by_value(up: Deployment) -> None:
    checked = up.predict("--stack", up.stack, "--json", timeout=300)
    assert checked.status == 0, checked.text
    report = {model["endpoint"]["name"]: model for model in json.loads(checked.stdout)["models"]}
    assert report["sklearn-model"]["got"] == [1, 0]
    assert report["xgboost-model"]["got"] == pytest.approx([0.8319113, 0.1669796], abs=1e-6)
    assert all(model["compared"] for model in report.values())


@pytest.mark.journey
def test_the_endpoints_are_the_demos(up: Deployment) -> None:
    endpoints = up.endpoints()
    assert {name: endpoint["url"] for name, endpoint in endpoints.items()} == {
        "sklearn-model": "http://sklearn-model.default.example.com",
        "xgboost-model": "http://xgboost-model.default.example.com",
        "multi-model-service": "http://multi-model-service.default.example.com",
    }
    assert endpoints["sklearn-model"]["gateway_address"] == GATEWAY


@pytest.mark.journey
def test_a_pipe_and_a_file_are_as_good_as_a_stack(up: Deployment, tmp_path: Path) -> None:
    shown = up.pulumi("stack", "output", "endpoints", "--json").stdout
    piped = up.predict("--lang", "zh", stdin=shown)
    assert piped.status == 0, piped.text
    assert "Sklearn 模型响应: {'predictions': [1, 0]}" in piped.stdout
    file = tmp_path / "endpoints.json"
    file.write_text(shown)
    assert up.predict("--file", str(file), "--junit", str(tmp_path / "junit.xml")).status == 0
    assert "sklearn-model" in (tmp_path / "junit.xml").read_text()


@pytest.mark.journey
def test_kserve_routes_by_host_with_a_virtual_service_a_model(up: Deployment) -> None:
    services = kubectl(up, "-n", "default", "get", "virtualservices.networking.istio.io")["items"]
    assert {service["metadata"]["name"] for service in services} == {"sklearn-model", "xgboost-model"}
    stranger = requests.get(f"{GATEWAY}/v1/models", headers={"Host": "nobody.default.example.com"}, timeout=10)
    assert stranger.status_code == 404


@pytest.mark.journey
@pytest.mark.feature("up again changes nothing")
def test_up_again_has_nothing_to_do(up: Deployment) -> None:
    again = up.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert again.status == 0, again.text[-4000:]
    preview = up.pulumi("preview", "--expect-no-changes")
    assert preview.status == 0, preview.text[-4000:]


@pytest.mark.journey
@pytest.mark.feature("keys are nowhere in plain", mode="both")
def test_the_s3_keys_are_nowhere_in_plain(up: Deployment) -> None:
    credentials = Path(up.environment["AWS_SHARED_CREDENTIALS_FILE"]).read_text()
    secrets = [line.split("=")[1].strip() for line in credentials.splitlines() if "secret_access_key" in line]
    assert len(secrets[0]) == 40
    secrets += [line.split("=")[1].strip() for line in credentials.splitlines() if "access_key_id" in line]
    assert len(secrets) == 2
    state = up.pulumi("stack", "export").stdout
    outputs = up.pulumi("stack", "output", "--json").stdout
    checkpoint = Path(up.environment["PULUMI_BACKEND_URL"].removeprefix("file://").partition("?")[0]) / ".pulumi/stacks"
    stored = "".join(file.read_text() for file in checkpoint.rglob("*.json*") if file.is_file())
    pods = json.dumps(kubectl(up, "get", "pods", "--all-namespaces"))
    services = json.dumps(kubectl(up, "get", "inferenceservices", "--all-namespaces"))
    for place in (state, outputs, stored, pods, services):
        assert len(place) > 2
        assert not [secret for secret in secrets if secret in place]


@pytest.mark.journey
def test_refresh_finds_no_drift(up: Deployment) -> None:
    refreshed = up.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert refreshed.status == 0, refreshed.text[-4000:]
    preview = up.pulumi("preview", "--expect-no-changes")
    assert preview.status == 0, preview.text[-4000:]


@pytest.mark.journey
@pytest.mark.feature("a new version gives new values")
def test_a_new_storage_uri_gives_new_values(up: Deployment) -> None:
    models = up.settings["models"]
    models[0] |= {"storage_uri": "s3://models/sklearn-v2", "check": {"instances": INSTANCES, "predictions": [0, 1]}}
    up.configure(models=models)
    changed = up.pulumi("up", "--yes", "--skip-preview")
    assert changed.status == 0, changed.text[-4000:]
    assert "1 updated" in changed.text
    checked = up.predict("--stack", up.stack, "--only", "sklearn-model")  # the graph's check is of the model before
    assert checked.status == 0, checked.text
    assert predict("sklearn-model.default.example.com") == [0, 1]


def test_what_changes_nothing_in_the_pods_is_not_waited_for_in_vain(up: Deployment) -> None:
    """KServe itself would never say that it observed the change, as it is none to Knative."""
    models = up.settings["models"]
    models[0] |= {"version": "1"}
    up.configure(models=models)
    changed = up.pulumi("up", "--yes", "--skip-preview", timeout=300)
    assert changed.status == 0, changed.text[-4000:]
    assert predict("sklearn-model.default.example.com") == [0, 1]


def test_a_change_after_one_that_only_knative_sees_is_waited_for(up: Deployment) -> None:
    models = up.settings["models"]
    models[0] |= {"timeout": 300, "scale": {"window": 30}}
    up.configure(models=models)
    assert up.pulumi("up", "--yes", "--skip-preview").status == 0
    models[0] |= {"storage_uri": "s3://models/sklearn", "check": {"instances": INSTANCES, "predictions": [1, 0]}}
    up.configure(models=models)
    changed = up.pulumi("up", "--yes", "--skip-preview")
    assert changed.status == 0, changed.text[-4000:]
    assert predict("sklearn-model.default.example.com") == [1, 0]


@pytest.mark.feature("environment, labels, annotations of a server")
def test_what_is_said_of_a_server_reaches_it(up: Deployment) -> None:
    before = up.settings["models"]
    models = up.settings["models"]
    said = {"labels": {"team": "iris"}, "annotations": {"example.com/owner": "iris@example.com"}}
    models[0] |= said | {"environment": {"PREDICT_PROBA": "true"}}
    up.configure(models=models)
    changed = up.pulumi("up", "--yes", "--skip-preview")
    up.configure(models=before)  # the next up takes it back
    assert changed.status == 0, changed.text[-4000:]
    probabilities: Any = predict("sklearn-model.default.example.com")
    assert [row.index(max(row)) for row in probabilities] == [1, 0]
    pods = kubectl(up, "-n", "default", "get", "pods", "-l", "team=iris")["items"]
    assert pods
    assert all(pod["metadata"]["annotations"]["example.com/owner"] == "iris@example.com" for pod in pods)


@pytest.mark.journey
@pytest.mark.feature("readiness means that the model is loaded")
def test_a_server_is_not_ready_before_it_says_that_the_model_is_loaded(up: Deployment) -> None:
    knative = kubectl(up, "-n", "default", "get", "services.serving.knative.dev", "sklearn-model-predictor")
    (container,) = knative["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/v1/models/sklearn-model", "port": 8080}
    assert twin_without_a_model(up, of="sklearn-model") == {"kserve-container": True, "queue-proxy": False}


def twin_without_a_model(deployment: Deployment, *, of: str) -> dict[str, bool]:
    """Whether the containers are ready of a model's twin whose server is up, and asked for a model it does not have."""
    client = deployment.client()
    original = client.get(InferenceService, of, namespace="default")
    predictor = original["spec"]["predictor"]
    predictor["model"]["readinessProbe"]["httpGet"]["path"] = "/v1/models/nobody"
    noted = (original.metadata.annotations or {}) if original.metadata else {}
    mode = {MODE_ANNOTATION: noted.get(MODE_ANNOTATION, "Knative")}
    meta = ObjectMeta(name="twin", namespace="default", annotations=mode)
    selector = ("-l", "serving.kserve.io/inferenceservice=twin")
    client.create(InferenceService(metadata=meta, spec={"predictor": predictor}))
    try:
        deadline = time.monotonic() + 120
        logs = ("kubectl", "-n", "default", "logs", *selector, "-c", "kserve-container", "--tail=-1")
        while run(*logs, env=deployment.environment).stdout.count("nobody") < 3:
            assert time.monotonic() < deadline, "the server was not asked"
            time.sleep(2)
        (pod,) = kubectl(deployment, "-n", "default", "get", "pods", *selector)["items"]
    finally:
        client.delete(InferenceService, "twin", namespace="default")
    return {status["name"]: status["ready"] for status in pod["status"]["containerStatuses"]}


@pytest.mark.feature("canary")
def test_a_canary_gets_its_share_is_promoted_and_rolled_back(up: Deployment) -> None:
    before = up.settings["models"]

    def deploy(**said: object) -> None:
        models = up.settings["models"]
        models[1] = before[1] | {"storage_uri": "s3://models/xgboost-v2"} | said
        up.configure(models=models)
        done = up.pulumi("up", "--yes", "--skip-preview")
        assert done.status == 0, done.text[-4000:]

    def new_answers(*, of: int) -> int:
        answers: list[Any] = [predict("xgboost-model.default.example.com") for _ in range(of)]
        return sum(virginica < 0.5 for virginica, _ in answers)

    deploy(canary={"traffic": 30})
    assert 5 <= new_answers(of=60) <= 35
    deploy()
    assert new_answers(of=20) == 20
    deploy(canary={"traffic": 0})
    assert new_answers(of=20) == 0
    up.configure(models=before)  # the next up takes it back


@pytest.mark.feature("scale to zero")
def test_scale_to_zero_and_back(up: Deployment) -> None:
    models = up.settings["models"]
    models[1] |= {"replicas": {"min": 0, "max": 1}, "scale": {"window": 6}}
    up.configure(models=models)
    changed = up.pulumi("up", "--yes", "--skip-preview")
    assert changed.status == 0, changed.text[-4000:]
    client = up.client()
    labels: dict[str, str | Operator[Any] | Iterable[Any] | None] = {
        "serving.kserve.io/inferenceservice": "xgboost-model"
    }
    deadline = time.monotonic() + 180
    while pods := [pod.metadata.name for pod in client.list(Pod, namespace="default", labels=labels) if pod.metadata]:
        assert time.monotonic() < deadline, f"still there after 180 s: {pods}"
        time.sleep(2)
    assert predict("xgboost-model.default.example.com", timeout=120) == pytest.approx([0.8319113, 0.1669796], abs=1e-6)
    assert list(client.list(Pod, namespace="default", labels=labels))
