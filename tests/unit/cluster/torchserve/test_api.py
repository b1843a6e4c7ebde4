"""KServe's protocols in front of TorchServe: names, health, metadata, and what is said of errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient
from torchserve_image.api import api
from torchserve_image.configuration import V1, V2
from torchserve_image.torchserve import TorchServe

ROWS = [[6.5, 3.0, 5.5, 2.0], [5.9, 2.8, 4.3, 1.3]]
TENSOR = {"name": "rows", "shape": [2, 4], "datatype": "FP32", "data": [value for row in ROWS for value in row]}
V2_ANSWER = {
    "id": "7",
    "model_name": "flowers",
    "model_version": "1.0",
    "outputs": [{"name": "rows", "datatype": "INT64", "data": [1, 0], "shape": [2]}],
}
FAILED = {"code": 503, "type": "InternalServerException", "message": "Prediction failed"}
BUSY = {"code": 503, "type": "ServiceUnavailableException", "message": 'Model "flowers" has no worker to serve'}
Answered = tuple[int, Any]


class Upstream:
    """Answers as TorchServe 0.12 does."""

    def __init__(self, *, models: Mapping[str, list[str]], answers: Mapping[str, Answered]) -> None:
        self._models = models
        self._answers = answers
        self.requests: list[httpx.Request] = []

    def client(self, answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://torchserve")

    def management(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/models":
            listed = [{"modelName": name, "modelUrl": f"{name}.mar"} for name in self._models]
            return httpx.Response(200, json={"models": listed})
        workers = self._models[request.url.path.removeprefix("/models/")]
        told = [{"id": str(9000 + number), "status": status, "gpu": False} for number, status in enumerate(workers)]
        return httpx.Response(200, json=[{"modelName": "flowers", "modelVersion": "1.0", "workers": told}])

    def inference(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status, document = self._answers[request.url.path]
        # TorchServe names no content type with an answer of a handler.
        return httpx.Response(status, content=json.dumps(document).encode())


def front(upstream: Upstream | None = None, *, envelope: str = V1, name: str = "iris") -> tuple[TestClient, Upstream]:
    if upstream is None:
        upstream = served({"flowers": ["READY"]})
    torchserve = TorchServe(
        name=name, inference=upstream.client(upstream.inference), management=upstream.client(upstream.management)
    )
    return TestClient(api(torchserve, envelope=envelope), raise_server_exceptions=False), upstream


def served(models: Mapping[str, list[str]], **answers: Answered) -> Upstream:
    v1, v2 = answers.get("v1", (200, {"predictions": [1, 0]})), answers.get("v2", (200, V2_ANSWER))
    paths = {"/v1/models/{}:predict": v1, "/v1/models/{}:explain": v1, "/v2/models/{}/infer": v2}
    return Upstream(
        models=models, answers={path.format(model): answer for model in models for path, answer in paths.items()}
    )


def test_the_models_name_is_the_services_whatever_the_archive_is_called() -> None:
    client, upstream = front()
    answer = client.post("/v1/models/iris:predict", json={"instances": ROWS})
    assert (answer.status_code, answer.json()) == (200, {"predictions": [1, 0]})
    assert answer.headers["content-type"] == "application/json"
    (request,) = upstream.requests
    assert request.url.path == "/v1/models/flowers:predict"
    assert json.loads(request.content) == {"instances": ROWS}


def test_v2_answers_under_that_name_too() -> None:
    client, upstream = front(envelope=V2)
    answer = client.post("/v2/models/iris/infer", json={"id": "7", "inputs": [TENSOR]})
    assert answer.status_code == 200
    assert answer.json() == V2_ANSWER | {"model_name": "iris"}
    assert upstream.requests[0].url.path == "/v2/models/flowers/infer"


def test_of_several_archives_the_one_of_the_services_name_answers() -> None:
    client, upstream = front(served({"flowers": ["READY"], "iris": ["READY"]}))
    assert client.post("/v1/models/iris:predict", json={"instances": ROWS}).status_code == 200
    assert upstream.requests[0].url.path == "/v1/models/iris:predict"


def test_of_several_others_none_is_guessed() -> None:
    client, upstream = front(served({"flowers": ["READY"], "trees": ["READY"]}))
    for answer in (client.get("/v1/models/iris"), client.post("/v1/models/iris:predict", json={"instances": ROWS})):
        assert answer.status_code == 503
        assert answer.json() == {
            "error": "the model store has flowers and trees, of which none is named iris: "
            "name the archive so, or keep one"
        }
    assert not upstream.requests


@pytest.mark.parametrize("path", ["/v1/models/iris", "/v2/health/ready", "/v2/models/iris/ready"])
@pytest.mark.parametrize(
    ("workers", "is_ready"),
    [
        ([], False),
        (["UNLOADING"], False),
        (["UNLOADING", "READY"], True),
        (["READY"], True),
    ],
)
def test_ready_means_that_a_worker_has_the_model(path: str, workers: list[str], is_ready: bool) -> None:
    client, _ = front(served({"flowers": workers}))
    answer = client.get(path)
    assert answer.status_code == (200 if is_ready else 503)
    assert answer.json() == {"name": "iris", "ready": is_ready}


def test_while_torchserve_starts_it_lives_but_is_not_ready() -> None:
    def refused(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no such socket")

    upstream = served({})
    torchserve = TorchServe(name="iris", inference=upstream.client(refused), management=upstream.client(refused))
    client = TestClient(api(torchserve, envelope=V1), raise_server_exceptions=False)
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v1/models/iris").status_code == 503
    answer = client.post("/v1/models/iris:predict", json={"instances": ROWS})
    assert answer.status_code == 503
    assert "TorchServe does not answer" in answer.json()["error"]


def test_metadata_names_the_version_of_the_archive() -> None:
    client, _ = front(envelope=V2)
    assert client.get("/v2/models/iris").json() == {
        "name": "iris",
        "versions": ["1.0"],
        "platform": "pytorch",
        "inputs": [],
        "outputs": [],
    }
    assert client.get("/v1/models").json() == {"models": ["iris"]}
    assert client.get("/v2").json()["name"] == "torchserve"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/flowers"),
        ("GET", "/v2/models/flowers"),
        ("GET", "/v2/models/flowers/ready"),
        ("POST", "/v1/models/flowers:predict"),
        ("POST", "/v2/models/flowers/infer"),
    ],
)
def test_another_name_is_refused(method: str, path: str) -> None:
    client, upstream = front()
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"error": "there is no model 'flowers' here: this is 'iris'"})
    assert not upstream.requests


@pytest.mark.parametrize(
    ("envelope", "path", "body", "words"),
    [
        (V1, "/v2/models/iris/infer", {"inputs": [TENSOR]}, "speaks v1, not v2: set the model's protocol to v2"),
        (V2, "/v1/models/iris:predict", {"instances": ROWS}, "speaks v2, not v1: set the model's protocol to v1"),
    ],
)
def test_the_other_protocol_is_refused_with_the_remedy(
    envelope: str, path: str, body: dict[str, Any], words: str
) -> None:
    client, upstream = front(envelope=envelope)
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.json()) == (400, {"error": f"this server {words}"})
    assert not upstream.requests


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"instances"', "is not JSON"),
        (b"\xff", "is not JSON"),
        pytest.param(b"[" * 100_000, "is not JSON", id="nested too deep"),
        (b"[]", "needs a list in 'instances' that is not empty"),
        (b'{"inputs": [[1]]}', "needs a list in 'instances' that is not empty"),
        (b'{"instances": []}', "needs a list in 'instances' that is not empty"),
        (b'{"instances": 1}', "needs a list in 'instances' that is not empty"),
    ],
)
def test_a_body_that_is_none_is_the_clients_error(body: bytes, words: str) -> None:
    client, upstream = front()
    answer = client.post("/v1/models/iris:predict", content=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert not upstream.requests


def test_a_failure_of_the_handler_is_not_told_as_one_that_passes() -> None:
    client, _ = front(served({"flowers": ["READY"]}, v1=(503, FAILED)))
    answer = client.post("/v1/models/iris:predict", json={"instances": [[6.5]]})
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("Prediction failed: the model's handler failed")


def test_a_server_without_a_free_worker_is_told_as_it_is() -> None:
    client, _ = front(served({"flowers": ["READY"]}, v1=(503, BUSY)))
    answer = client.post("/v1/models/iris:predict", json={"instances": ROWS})
    assert (answer.status_code, answer.json()) == (503, {"error": BUSY["message"]})


@pytest.mark.parametrize(("verb", "header"), [("predict", "False"), ("explain", "True")])
def test_explanations_are_asked_for_as_torchserves_handlers_read_it(verb: str, header: str) -> None:
    client, upstream = front()
    client.post(f"/v1/models/iris:{verb}", json={"instances": ROWS}, headers={"x-request-id": "7"})
    (request,) = upstream.requests
    assert request.url.path == f"/v1/models/flowers:{verb}"
    assert (request.headers["explain"], request.headers["x-request-id"]) == (header, "7")


def test_another_verb_is_refused() -> None:
    client, _ = front()
    answer = client.post("/v1/models/iris:train", json={"instances": ROWS})
    assert (answer.status_code, answer.json()) == (404, {"error": "there is no 'train' in v1: :predict or :explain"})
