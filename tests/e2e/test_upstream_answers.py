"""InferenceServices as KServe's own tests write them: what only a cluster shows of model servers and initializer."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import tenacity
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from cluster.demo_models import s3_client
from tests.e2e.asking import INSTANCES
from tests.e2e.cluster_objects import kubectl
from tests.e2e.machine import NODE, Deployment, run
from tests.e2e.models_on_platform import models_on_platform
from tests.e2e.test_formats import ask

NAMESPACE = "upstream"
URL = f"http://{NODE}:31080"
EXPECTED = {"predictions": [1, 0]}
ROWS = [dict(zip("abcd", row, strict=True)) for row in INSTANCES]
SMALL = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}


def inference_service(name: str, *, account: str, mode: str = "Knative", **model: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"serving.kserve.io/deploymentMode": mode}},
        "spec": {
            "predictor": {
                "minReplicas": 1,
                "serviceAccountName": account,
                "model": {"modelFormat": {"name": "sklearn"}, "resources": SMALL, **model},
            }
        },
    }


def services(account: str) -> list[dict[str, Any]]:
    trained = {"storageUri": "s3://models/sklearn", "framework": "sklearn", "memory": "128Mi"}
    ports = [
        {"containerPort": 8080, "name": "http1", "protocol": "TCP"},
        {"containerPort": 8081, "name": "h2c", "protocol": "TCP"},
    ]
    return [
        inference_service("workers", account=account, storageUri="s3://models/sklearn", args=["--workers=2"]),
        inference_service("both", account=account, mode="Standard", storageUri="s3://models/sklearn", ports=ports),
        inference_service("later", account=account),
        {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "TrainedModel",
            "metadata": {"name": "flowers"},
            "spec": {"inferenceService": "later", "model": trained},
        },
    ]


@pytest.fixture(scope="module")
def served(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A model from an archive in our stack, and the InferenceServices of somebody else beside it."""
    file = {**os.environ, **deployment.environment}["AWS_SHARED_CREDENTIALS_FILE"]
    client = s3_client(endpoint=f"http://{NODE}:9000", credentials=Path(file), region="us-east-1")
    model = client.get_object(Bucket="models", Key="sklearn/model.joblib")["Body"].read()
    client.put_object(Bucket="models", Key="packed/model.tar.gz", Body=archive(model))
    packed = {
        "name": "packed",
        "format": "sklearn",
        "storage_uri": "s3://models/packed/model.tar.gz",
        "storage": "demo",
        "check": {"instances": INSTANCES, "predictions": EXPECTED["predictions"]},
    }
    directory = tmp_path_factory.mktemp("stack")
    with models_on_platform(NAMESPACE, packed, directory=directory, deployment=deployment) as stack:
        ours = kubectl(stack, "-n", NAMESPACE, "get", "inferenceservice", "packed")
        objects = services(ours["spec"]["predictor"]["serviceAccountName"])
        try:
            on_cluster(
                stack, "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
            )
            yield stack
        finally:
            kinds = [f"{each['kind']}/{each['metadata']['name']}" for each in reversed(objects)]
            on_cluster(stack, "delete", "--ignore-not-found", *kinds)
            on_cluster(stack, "wait", "--for=delete", "pod", "--timeout=300s", "-l", OF_OTHERS)
            client.delete_object(Bucket="models", Key="packed/model.tar.gz")


OF_OTHERS = "serving.kserve.io/inferenceservice in (workers, both, later)"


def archive(model: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("model.joblib")
        info.size = len(model)
        tar.addfile(info, io.BytesIO(model))
    return packed.getvalue()


def on_cluster(served: Deployment, *arguments: str, stdin: str | None = None) -> str:
    done = run("kubectl", "-n", NAMESPACE, *arguments, env=served.environment, stdin=stdin)
    assert done.status == 0, done.text
    return done.stdout


def ready(served: Deployment, kind: str, name: str) -> None:
    on_cluster(served, "wait", f"{kind}/{name}", "--for=condition=Ready", "--timeout=300s")


@tenacity.retry(
    stop=tenacity.stop_after_delay(60),
    wait=tenacity.wait_fixed(1),
    retry=tenacity.retry_if_result(lambda there: not there),
)
def has_route(service: str) -> bool:
    """Whether the gateway knows the model's host, a moment after KServe says that it is ready."""
    answer = requests.get(f"{URL}/v1/models", headers={"Host": f"{service}.{NAMESPACE}.example.com"}, timeout=60)
    return answer.status_code == 200


def predicted(service: str, model: str, instances: object) -> Any:
    headers = {"Host": f"{service}.{NAMESPACE}.example.com"}
    answer = requests.post(
        f"{URL}/v1/models/{model}:predict", json={"instances": instances}, headers=headers, timeout=60
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_model_from_an_archive_and_columns_by_name(served: Deployment) -> None:
    checked = served.predict("--stack", served.stack)
    assert checked.status == 0, checked.text
    assert predicted("packed", "packed", ROWS) == EXPECTED


def test_several_workers(served: Deployment) -> None:
    ready(served, "inferenceservice", "workers")
    has_route("workers")
    assert all(predicted("workers", "workers", INSTANCES) == EXPECTED for _ in range(20))
    label = "serving.kserve.io/inferenceservice=workers"
    (pod,) = kubectl(served, "-n", NAMESPACE, "get", "pods", "-l", label)["items"]
    assert [status["restartCount"] for status in pod["status"]["containerStatuses"]] == [0, 0]


@pytest.mark.format("sklearn", server="ours", protocols=["v1", "grpc-v2"])
def test_http_and_grpc_of_one_model_in_mode_standard(served: Deployment) -> None:
    ready(served, "inferenceservice", "both")
    service = kubectl(served, "-n", NAMESPACE, "get", "service", "both-predictor")["spec"]
    address = service["clusterIP"]
    http = requests.post(f"http://{address}/v1/models/both:predict", json={"instances": INSTANCES}, timeout=60)
    assert http.json() == EXPECTED
    question = {"client": "triton-grpc", "rows": INSTANCES, "host": "both", "model": "both"}
    (answer,) = ask({**question, "address": f"{address}:8081"})
    assert answer["predictions"] == EXPECTED["predictions"]


def test_a_model_that_comes_by_trained_model(served: Deployment) -> None:
    ready(served, "inferenceservice", "later")
    ready(served, "trainedmodel", "flowers")
    arrived("later", "flowers")
    assert predicted("later", "flowers", INSTANCES) == EXPECTED


@retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(300), wait=wait_fixed(1), reraise=True)
def arrived(service: str, model: str) -> None:
    """Wait for a TrainedModel's files: it is Ready before KServe's agent reads of it in a mounted ConfigMap."""
    headers = {"Host": f"{service}.{NAMESPACE}.example.com"}
    answer = requests.get(f"{URL}/v1/models/{model}", headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
