"""Models as Deployments beside models behind Knative: values, rollouts, scaling, sidecars, changes of mode."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from tests.e2e.asking import INSTANCES
from tests.e2e.cluster_objects import kubectl
from tests.e2e.machine import GATEWAY, NETWORK, Deployment
from tests.e2e.models_on_platform import models_on_platform
from tests.e2e.readiness import twin_without_a_model
from tests.running_server import run_server

pytestmark = pytest.mark.usefixtures("both")
NAMESPACE = "standard"
ALONE = {"deployed", "deployed-v2", "watched", "spoken"}
BEHIND = {"sklearn-model", "xgboost-model", "watched-behind"}


class Sink(ThreadingHTTPServer):
    """Where a model's logger posts what it saw; gives the models and types of events that came."""

    def __init__(self) -> None:
        super().__init__((NETWORK.host, 0), _Keep)
        self.events: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://{NETWORK.host}:{self.server_port}"


class _Keep(BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.events.append((self.headers.get("ce-inferenceservicename", ""), self.headers.get("ce-type", "")))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with run_server(Sink()) as sink:
        yield sink


@pytest.fixture(scope="module")
def both(deployment: Deployment, sink: Sink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The demo's models with others, most of them in the other mode."""
    models = deployment.settings["models"]
    sklearn, xgboost = ({**model, "replicas": {"min": 1, "max": 1}} for model in models)
    for model in (sklearn, xgboost):
        model.pop("scale", None)
    scaled = {"replicas": {"min": 1, "max": 2}, "scale": {"metric": "cpu", "target": 60}}
    watched = {"batcher": {"max_batch_size": 4, "max_latency": 3000}, "logger": {"url": sink.url}}
    said = {"labels": {"team": "roses"}, "annotations": {"example.com/owner": "roses@example.com"}}
    with models_on_platform(
        NAMESPACE,
        *models,
        sklearn | {"name": "deployed", "mode": "Standard"} | scaled,
        xgboost | {"name": "deployed-v2", "mode": "Standard", "protocol": "v2"},
        sklearn | {"name": "watched", "mode": "Standard"} | watched,
        sklearn | {"name": "watched-behind"} | watched,
        sklearn
        | {"name": "spoken", "mode": "Standard", "environment": {"PREDICT_PROBA": "true"}, "check": None}
        | said,
        directory=tmp_path_factory.mktemp("stack"),
        deployment=deployment,
    ) as both:
        yield both


def change(deployment: Deployment, name: str, **said: object) -> None:
    models = deployment.settings["models"]
    deployment.configure(models=[model | said if model["name"] == name else model for model in models])


def ask(name: str, *, instances: list[Any] = INSTANCES) -> Any:
    """A model's whole answer to the v1 protocol."""
    answer = requests.post(
        f"{GATEWAY}/v1/models/{name}:predict",
        json={"instances": instances},
        headers={"Host": f"{name}.{NAMESPACE}.example.com"},
        timeout=30,
    )
    assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
    return answer.json()


@dataclass
class Load:
    """What clients met that ask all the time."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def load(name: str, *, clients: int = 2) -> Iterator[Load]:
    """Ask a model without a pause for as long as the block runs."""
    met, over = Load(), threading.Event()

    def go_on() -> None:
        while not over.is_set():
            try:
                ask(name)
                met.answers += 1
            except (AssertionError, requests.RequestException) as problem:
                met.failures.append(f"{time.strftime('%X')} {problem}")

    with ThreadPoolExecutor(clients) as pool:
        for _ in range(clients):
            pool.submit(go_on)
        try:
            yield met
        finally:
            over.set()


@pytest.mark.feature("predictions, v1", mode="Standard")
@pytest.mark.feature("predictions, v2 over REST", mode="Standard")
@pytest.mark.feature("both modes on one cluster, at one address", mode="both")
@pytest.mark.format("xgboost", server="ours", protocols=["v2"])
def test_models_of_both_modes_answer_at_one_address(both: Deployment) -> None:
    checked = both.predict("--stack", both.stack, "--json", timeout=300)
    assert checked.status == 0, checked.text
    report = {model["endpoint"]["name"]: model for model in json.loads(checked.stdout)["models"]}
    assert report.keys() == {*BEHIND, *ALONE}
    assert report["deployed"]["got"] == [1, 0]
    assert report["deployed-v2"]["got"] == pytest.approx([0.8319113, 0.1669796], abs=1e-6)
    modes = {
        service["metadata"]["name"]: service["status"]["deploymentMode"]
        for service in kubectl(both, "-n", NAMESPACE, "get", "inferenceservices")["items"]
    }
    assert modes == dict.fromkeys(BEHIND, "Knative") | dict.fromkeys(ALONE, "Standard")


@pytest.mark.feature("environment, labels, annotations of a server", mode="Standard")
def test_what_is_said_of_a_deployment_reaches_its_server(both: Deployment) -> None:
    probabilities = ask("spoken")["predictions"]
    assert [row.index(max(row)) for row in probabilities] == [1, 0]
    (pod,) = kubectl(both, "-n", NAMESPACE, "get", "pods", "-l", "team=roses")["items"]
    assert pod["metadata"]["annotations"]["example.com/owner"] == "roses@example.com"


@pytest.mark.feature("`predict status`", mode="Standard")
@pytest.mark.feature("`predict logs`", mode="Standard")
def test_status_and_logs_of_a_deployment(both: Deployment) -> None:
    shown = both.predict("status", "-n", NAMESPACE, "--lang", "en")
    assert shown.status == 0, shown.text
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert next(row for row in rows if row[1] == "deployed")[2] == "yes"
    logs = both.predict("logs", "deployed", "--tail", "3")
    assert (logs.status, len(logs.stdout.splitlines())) == (0, 3), logs.text
    assert "s3://models/sklearn" in both.predict("logs", "deployed", "-c", "storage-initializer").stdout


@pytest.mark.feature("readiness means that the model is loaded", mode="Standard")
def test_a_deployment_is_asked_whether_the_model_is_loaded(both: Deployment) -> None:
    deployment = kubectl(both, "-n", NAMESPACE, "get", "deployment", "deployed-predictor")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"].items() >= {"path": "/v1/models/deployed", "port": 8080}.items()
    assert twin_without_a_model(both, of="deployed", namespace=NAMESPACE) == {"kserve-container": False}


@pytest.mark.feature("batches of requests", mode="both")
@pytest.mark.parametrize("name", ["watched", "watched-behind"])
def test_requests_are_batched(both: Deployment, name: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda row: ask(name, instances=[row]), INSTANCES))
    assert [answer["predictions"] for answer in answers] == [[1], [0]]
    assert len({answer["batchId"] for answer in answers}) == 1, both.stack


@pytest.mark.feature("a log of requests and responses", mode="both")
@pytest.mark.parametrize("name", ["watched", "watched-behind"])
def test_requests_and_responses_are_logged(both: Deployment, sink: Sink, name: str) -> None:
    ask(name)
    deadline = time.monotonic() + 30
    wanted = {(name, f"org.kubeflow.serving.inference.{what}") for what in ("request", "response")}
    while not wanted <= set(sink.events):
        assert time.monotonic() < deadline, f"{both.stack}: {sink.events}"
        time.sleep(0.5)


@pytest.mark.feature("scaling by cpu or memory", mode="Standard")
@pytest.mark.feature("a new version gives new values", mode="Standard")
@pytest.mark.feature("a new version without a failed request", mode="Standard")
def test_under_load_it_gets_a_second_server_and_then_a_new_version(both: Deployment) -> None:
    scaler = kubectl(both, "-n", NAMESPACE, "get", "hpa", "deployed-predictor")
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (1, 2)
    (metric,) = scaler["spec"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    names = {item["metadata"]["name"] for item in kubectl(both, "-n", NAMESPACE, "get", "hpa")["items"]}
    assert names == {"deployed-predictor"}
    with load("deployed") as met:
        deadline = time.monotonic() + 180
        while kubectl(both, "-n", NAMESPACE, "get", "deployment", "deployed-predictor")["status"]["readyReplicas"] < 2:
            assert time.monotonic() < deadline, kubectl(both, "-n", NAMESPACE, "get", "hpa", "deployed-predictor")
            time.sleep(2)
        change(
            both,
            "deployed",
            storage_uri="s3://models/sklearn-v2",
            check={"instances": INSTANCES, "predictions": [0, 1]},
        )
        both.up()
        assert [ask("deployed")["predictions"] for _ in range(20)] == [[0, 1]] * 20
    assert met.failures == []
    assert met.answers > 100


@pytest.mark.feature("change of mode under the same name", mode="both")
@pytest.mark.feature("removal of one model", mode="Standard")
def test_a_change_of_mode_is_a_replacement_and_a_removal_takes_one_model(both: Deployment) -> None:
    change(both, "deployed-v2", mode="Knative", protocol="v1")
    watched = {"watched", "watched-behind"}
    both.configure(models=[model for model in both.settings["models"] if model["name"] not in watched])
    said = both.up()
    assert "deployed-v2 changes from mode Standard to Knative, which KServe cannot do: it is deleted" in said
    # The model, and what a destroy waits for, which is deleted after the models that are left out.
    assert "2 replaced" in said
    assert ask("deployed-v2")["predictions"] == pytest.approx([0.8319113, 0.1669796], abs=1e-6)
    assert ask("deployed")["predictions"] == [0, 1]
    assert ask("sklearn-model")["predictions"] == [1, 0]
    deployments = {item["metadata"]["name"] for item in kubectl(both, "-n", NAMESPACE, "get", "deployments")["items"]}
    assert "deployed-predictor" in deployments
    assert not deployments & {"watched-predictor", "deployed-v2-predictor"}
