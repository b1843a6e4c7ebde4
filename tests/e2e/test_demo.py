"""The demo: settings refused, preview, up, predictions by value, up again, refresh."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from tests.e2e.cluster_objects import all_objects, kubectl
from tests.e2e.machine import GATEWAY, Deployment
from tests.store_table import StoreEvidence


@pytest.mark.journey
@pytest.mark.feature("bad settings are refused before anything is touched", mode="both")
def test_bad_settings_are_refused_before_anything_touches_the_cluster(undeployed: Deployment) -> None:
    good = undeployed.stack_file.read_text()
    before = all_objects(undeployed)
    models = undeployed.settings["models"]
    models[0]["storage_uri"] = "ftp://models/sklearn"
    models[1]["format"] = "caffe"
    undeployed.configure(models=models)
    refused = undeployed.pulumi("up", "--yes", "--skip-preview")
    undeployed.stack_file.write_text(good)
    assert refused.status != 0
    assert "models[0].storage_uri" in refused.text
    assert "models[1].format" in refused.text
    assert all_objects(undeployed) == before


@pytest.mark.journey
def test_preview_of_an_empty_cluster(undeployed: Deployment) -> None:
    preview = undeployed.pulumi("preview")
    assert preview.status == 0, preview.text[-4000:]
    assert "InferenceService" in preview.text


@pytest.mark.journey
@pytest.mark.feature("predictions, v1")
@pytest.mark.format("sklearn", "xgboost", server="ours", protocols=["v1"])
def test_up_ends_with_both_models_answering_by_value(deployment: Deployment, store_evidence: StoreEvidence) -> None:
    checked = deployment.predict("--stack", deployment.stack, "--json", timeout=300)
    assert checked.status == 0, checked.text
    report = {model["endpoint"]["name"]: model for model in json.loads(checked.stdout)["models"]}
    assert report["sklearn-model"]["got"] == [1, 0]
    assert report["xgboost-model"]["got"] == pytest.approx([0.8319113, 0.1669796], abs=1e-6)
    assert all(model["compared"] for model in report.values())
    answered = str(report["sklearn-model"]["got"])
    store_evidence.saw("right", answered, kind="s3", credential="keys", server="versitygw", where="pod")


@pytest.mark.journey
def test_the_endpoints_are_the_demos(deployment: Deployment) -> None:
    endpoints = deployment.endpoints()
    assert {name: endpoint["url"] for name, endpoint in endpoints.items()} == {
        "sklearn-model": "http://sklearn-model.default.example.com",
        "xgboost-model": "http://xgboost-model.default.example.com",
        "multi-model-service": "http://multi-model-service.default.example.com",
    }
    assert endpoints["sklearn-model"]["gateway_address"] == GATEWAY


@pytest.mark.journey
def test_a_pipe_and_a_file_are_as_good_as_a_stack(deployment: Deployment, tmp_path: Path) -> None:
    shown = deployment.pulumi("stack", "output", "endpoints", "--json").stdout
    piped = deployment.predict("--lang", "zh", stdin=shown)
    assert piped.status == 0, piped.text
    assert "Sklearn 模型响应: {'predictions': [1, 0]}" in piped.stdout
    file = tmp_path / "endpoints.json"
    file.write_text(shown)
    assert deployment.predict("--file", str(file), "--junit", str(tmp_path / "junit.xml")).status == 0
    assert "sklearn-model" in (tmp_path / "junit.xml").read_text()


@pytest.mark.journey
def test_kserve_routes_by_host_with_a_virtual_service_a_model(deployment: Deployment) -> None:
    services = kubectl(deployment, "-n", "default", "get", "virtualservices.networking.istio.io")["items"]
    assert {service["metadata"]["name"] for service in services} == {"sklearn-model", "xgboost-model"}
    stranger = requests.get(f"{GATEWAY}/v1/models", headers={"Host": "nobody.default.example.com"}, timeout=10)
    assert stranger.status_code == 404


@pytest.mark.journey
@pytest.mark.feature("up again changes nothing")
def test_up_again_has_nothing_to_do(deployment: Deployment) -> None:
    again = deployment.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert again.status == 0, again.text[-4000:]
    preview = deployment.pulumi("preview", "--expect-no-changes")
    assert preview.status == 0, preview.text[-4000:]


@pytest.mark.journey
@pytest.mark.feature("keys are nowhere in plain", mode="both")
def test_the_s3_keys_are_nowhere_in_plain(deployment: Deployment) -> None:
    credentials = Path(deployment.environment["AWS_SHARED_CREDENTIALS_FILE"]).read_text()
    secrets = [line.split("=")[1].strip() for line in credentials.splitlines() if "secret_access_key" in line]
    assert len(secrets[0]) == 40
    secrets += [line.split("=")[1].strip() for line in credentials.splitlines() if "access_key_id" in line]
    assert len(secrets) == 2
    state = deployment.pulumi("stack", "export").stdout
    outputs = deployment.pulumi("stack", "output", "--json").stdout
    checkpoint = (
        Path(deployment.environment["PULUMI_BACKEND_URL"].removeprefix("file://").partition("?")[0]) / ".pulumi/stacks"
    )
    stored = "".join(file.read_text() for file in checkpoint.rglob("*.json*") if file.is_file())
    pods = json.dumps(kubectl(deployment, "get", "pods", "--all-namespaces"))
    services = json.dumps(kubectl(deployment, "get", "inferenceservices", "--all-namespaces"))
    for place in (state, outputs, stored, pods, services):
        assert len(place) > 2
        assert not [secret for secret in secrets if secret in place]


@pytest.mark.journey
def test_refresh_finds_no_drift(deployment: Deployment) -> None:
    refreshed = deployment.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert refreshed.status == 0, refreshed.text[-4000:]
    preview = deployment.pulumi("preview", "--expect-no-changes")
    assert preview.status == 0, preview.text[-4000:]
