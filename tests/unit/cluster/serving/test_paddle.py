"""Paddle models, saved by this test with the library that serves them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from .programs import Program, Server, container_environment, started
from .test_loading import refused


@pytest.fixture(scope="session")
def paddleserver(python: Path) -> Program:
    return Program(python, "serving.paddleserver")


@pytest.fixture(scope="module")
def models(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paddle")
    script = Path(__file__).with_name("paddle_models.py")
    for more, variables in (([], {}), (["old"], {"FLAGS_enable_pir_api": "0"})):
        environment = container_environment(variables)
        subprocess.run([python, script, folder, *more], check=True, capture_output=True, timeout=300, env=environment)
    return folder


@pytest.fixture(scope="module")
def rows(paddleserver: Program, models: Path) -> Iterator[Server]:
    with started(paddleserver, models / "rows", log=models / "rows.log") as server:
        server.wait_ready()
        yield server


@pytest.fixture(scope="module")
def images(paddleserver: Program, models: Path) -> Iterator[Server]:
    with started(paddleserver, models / "images", log=models / "images.log") as server:
        server.wait_ready()
        yield server


def infer(server: Server, data: Any, *, shape: list[int], datatype: str = "FP32") -> requests.Response:
    body = {"inputs": [{"name": "x", "shape": shape, "datatype": datatype, "data": data}]}
    return requests.post(f"{server.url}/v2/models/model/infer", json=body, timeout=30)


@pytest.mark.format("paddle", server="ours", protocols=["v1", "v2"], proof="process")
def test_rows_are_answered_by_both_protocols(rows: Server) -> None:
    for instances in ([[1, 2], [0.5, -1]], [{"a": 1, "b": 2}, {"a": 0.5, "b": -1}]):
        assert rows.predict(instances).json() == {"predictions": [[4.5], [-0.5]]}
    (output,) = infer(rows, [1, 2, 0.5, -1], shape=[2, 2]).json()["outputs"]
    assert (output["datatype"], output["shape"], output["data"]) == ("FP32", [2, 1], [4.5, -0.5])


def test_images_are_answered_by_both_protocols(images: Server) -> None:
    image = [[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10], [11, 12]]]
    assert images.predict([image, image]).json() == {"predictions": [6.5, 6.5]}
    (output,) = infer(images, image, shape=[1, 3, 2, 2]).json()["outputs"]
    assert (output["shape"], output["data"]) == ([1], [6.5])


def test_a_model_of_whole_numbers_gets_them(paddleserver: Program, models: Path) -> None:
    with started(paddleserver, models / "words", log=models / "words.log") as words:
        words.wait_ready()
        assert words.predict([[1, 2, 3], [0, 0, 9.0]]).json() == {"predictions": [[6.0, 12.0], [9.0, 18.0]]}
        (output,) = infer(words, [1, 2, 3], shape=[1, 3], datatype="INT64").json()["outputs"]
        assert output["data"] == [6.0, 12.0]
        for wrong in ([1.5, 2, 3], [1, 2, None], [1, 2, 1e30]):
            answer = words.predict([wrong])
            assert answer.status_code == 400
            assert answer.json()["error"] == "the model does not take these values: it takes whole numbers (int64)"


def test_the_form_of_paddle_2_is_read(paddleserver: Program, models: Path) -> None:
    with started(paddleserver, models / "old", log=models / "old.log") as old:
        old.wait_ready()
        assert old.predict([[1]]).json() == {"predictions": [[[3.0, 3.0]]]}


@pytest.mark.parametrize(
    ("instances", "words"),
    [
        ([[1, 2, 3]], "the model does not take these values: InvalidArgumentError: The input's second dimension"),
        ([[1, 2], [1]], "instances[1]: expected 2 features, got 1"),
        ([["a", "b"]], "instances[0][0]: expected rows of text or numbers, got 'a'"),
        ([[[1, 2], [1]]], '"instances": expected a tensor of numbers, got lists of different lengths'),
        ([[["a"]]], '"instances": expected a tensor of numbers, got values that are not numbers'),
        ([], '"instances": expected at least one row'),
    ],
)
def test_what_the_model_does_not_take_is_refused(rows: Server, instances: Any, words: str) -> None:
    answer = rows.predict(instances)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(words)


def test_no_rows_are_refused(rows: Server, images: Server) -> None:
    for server, shape in ((rows, [0, 2]), (images, [0, 3, 2, 2])):
        answer = infer(server, [], shape=shape)
        assert answer.status_code == 400
        assert answer.json()["error"].endswith(f": expected at least one row, got shape {shape}")


def test_a_model_that_cannot_be_served_ends_the_server(paddleserver: Program, models: Path, tmp_path: Path) -> None:
    assert refused(paddleserver, models / "two", tmp_path) == (
        "/model.pdiparams: takes x, y; this server serves models of one input tensor, as KServe's does"
    )
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.pdiparams").touch()
    assert refused(paddleserver, folder, tmp_path).startswith(": no model file (.json) in it, it holds model.pdiparams")
