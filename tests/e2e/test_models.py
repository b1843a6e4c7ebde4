"""Changed models, one change at a time: versions, settings that reach pods or do not, a canary, scale to zero."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from lightkube.operators import Operator
from lightkube.resources.core_v1 import Pod

from tests.e2e import asking
from tests.e2e.asking import INSTANCES
from tests.e2e.cluster_objects import kubectl
from tests.e2e.machine import Deployment, run
from tests.e2e.models_on_platform import models_on_platform
from tests.e2e.readiness import twin_without_a_model

NAMESPACE = "models"


@pytest.fixture(scope="module")
def up(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The demo's models once more, to be changed."""
    models, directory = deployment.settings["models"], tmp_path_factory.mktemp("stack")
    with models_on_platform(NAMESPACE, *models, directory=directory, deployment=deployment) as up:
        yield up


def predict(model: str, *, timeout: float = 60) -> object:
    return asking.predict(model, namespace=NAMESPACE, timeout=timeout)


@pytest.mark.journey
@pytest.mark.feature("a new version gives new values")
def test_a_new_storage_uri_gives_new_values(up: Deployment) -> None:
    models = up.settings["models"]
    models[0] |= {"storage_uri": "s3://models/sklearn-v2", "check": {"instances": INSTANCES, "predictions": [0, 1]}}
    up.configure(models=models)
    assert "1 updated" in up.up()
    checked = up.predict("--stack", up.stack)
    assert checked.status == 0, checked.text
    assert predict("sklearn-model") == [0, 1]


def test_what_changes_nothing_in_the_pods_is_not_waited_for_in_vain(up: Deployment) -> None:
    """KServe itself would never say that it observed the change, as it is none to Knative."""
    models = up.settings["models"]
    models[0] |= {"version": "1"}
    up.configure(models=models)
    up.up(timeout=300)
    assert predict("sklearn-model") == [0, 1]


def test_a_change_after_one_that_only_knative_sees_is_waited_for(up: Deployment) -> None:
    models = up.settings["models"]
    models[0] |= {"timeout": 300, "scale": {"window": 30}}
    up.configure(models=models)
    up.up()
    models[0] |= {"storage_uri": "s3://models/sklearn", "check": {"instances": INSTANCES, "predictions": [1, 0]}}
    up.configure(models=models)
    up.up()
    assert predict("sklearn-model") == [1, 0]


@pytest.mark.feature("a folder in S3 without others that begin alike")
def test_a_folder_in_s3_comes_without_others_that_begin_alike(up: Deployment) -> None:
    """The bucket has sklearn-v2 and xgboost-v2, too, which KServe's storage initializer takes for `models/sklearn`."""
    for name, file in (("sklearn-model", "model.joblib"), ("xgboost-model", "model.ubj")):
        selector = f"serving.kserve.io/inferenceservice={name}"
        items = kubectl(up, "-n", NAMESPACE, "get", "pods", "-l", selector)["items"]
        running = [pod["metadata"]["name"] for pod in items if "deletionTimestamp" not in pod["metadata"]]
        code = "import os; print(*os.listdir('/mnt/models'))"
        inside = ("exec", running[-1], "-c", "kserve-container", "--", "python3", "-c", code)
        listed = run("kubectl", "-n", NAMESPACE, *inside, env=up.environment)
        assert (listed.status, listed.stdout.split()) == (0, [file]), listed.text


@pytest.mark.feature("environment, labels, annotations of a server")
def test_what_is_said_of_a_server_reaches_it(up: Deployment) -> None:
    before = up.settings["models"]
    models = up.settings["models"]
    said = {"labels": {"team": "iris"}, "annotations": {"example.com/owner": "iris@example.com"}}
    models[0] |= said | {"environment": {"PREDICT_PROBA": "true"}}
    up.configure(models=models)
    up.up()
    up.configure(models=before)  # the next up takes it back
    probabilities: Any = predict("sklearn-model")
    assert [row.index(max(row)) for row in probabilities] == [1, 0]
    pods = kubectl(up, "-n", NAMESPACE, "get", "pods", "-l", "team=iris")["items"]
    assert pods
    assert all(pod["metadata"]["annotations"]["example.com/owner"] == "iris@example.com" for pod in pods)


@pytest.mark.journey
@pytest.mark.feature("readiness means that the model is loaded")
def test_a_server_is_not_ready_before_it_says_that_the_model_is_loaded(up: Deployment) -> None:
    knative = kubectl(up, "-n", NAMESPACE, "get", "services.serving.knative.dev", "sklearn-model-predictor")
    (container,) = knative["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/v1/models/sklearn-model", "port": 8080}
    assert twin_without_a_model(up, of="sklearn-model", namespace=NAMESPACE) == {
        "kserve-container": True,
        "queue-proxy": False,
    }


@pytest.mark.feature("canary")
def test_a_canary_gets_its_share_is_promoted_and_rolled_back(up: Deployment) -> None:
    before = up.settings["models"]

    def deploy(**said: object) -> None:
        models = up.settings["models"]
        models[1] = before[1] | {"storage_uri": "s3://models/xgboost-v2"} | said
        up.configure(models=models)
        up.up()

    def new_answers(*, of: int) -> int:
        answers: list[Any] = [predict("xgboost-model") for _ in range(of)]
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
    up.up()
    client = up.client()
    labels: dict[str, str | Operator[Any] | Iterable[Any] | None] = {
        "serving.kserve.io/inferenceservice": "xgboost-model"
    }
    deadline = time.monotonic() + 180
    while pods := [pod.metadata.name for pod in client.list(Pod, namespace=NAMESPACE, labels=labels) if pod.metadata]:
        assert time.monotonic() < deadline, f"still there after 180 s: {pods}"
        time.sleep(2)
    assert predict("xgboost-model", timeout=120) == pytest.approx([0.8319113, 0.1669796], abs=1e-6)
    assert list(client.list(Pod, namespace=NAMESPACE, labels=labels))
