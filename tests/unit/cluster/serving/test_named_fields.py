"""The example of a transformer, in front of a real model server: by value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from .conftest import Demo
from .programs import Server, companion

FIELDS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


@pytest.fixture(scope="module", params=["sklearn", "xgboost"])
def transformer(
    request: pytest.FixtureRequest,
    servers: dict[str, Server],
    python: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    predictor = servers[request.param].url.removeprefix("http://")
    log = tmp_path_factory.mktemp("transformer") / f"{request.param}.log"
    with companion("named-fields", predictor=predictor, python=python, log=log) as server:
        yield server


def test_names_in_species_out(transformer: Server, demo: Demo) -> None:
    flowers = [dict(zip(FIELDS, row, strict=True)) for row in demo.instances]
    answer = transformer.predict(flowers)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"predictions": ["virginica", "versicolor"]}
    shuffled = [dict(sorted(flower.items(), reverse=True)) for flower in flowers]
    assert transformer.predict(shuffled).json() == answer.json()


@pytest.mark.parametrize(
    ("flower", "problem"),
    [
        ([6.5, 3.0, 5.5, 2.0], "instances[0]: expected the fields sepal_length, sepal_width"),
        (dict.fromkeys(FIELDS[:3], 1.0), "instances[0]: expected the fields"),
        (dict.fromkeys((*FIELDS, "colour"), 1.0), "instances[0]: expected the fields"),
        (dict.fromkeys(FIELDS, "6.5"), "instances[0].sepal_length: expected a number, got '6.5'"),
        (dict.fromkeys(FIELDS, True), "instances[0].sepal_length: expected a number, got True"),
    ],
    ids=["a row", "a field less", "a field more", "text", "a boolean"],
)
def test_what_is_no_flower_is_refused(transformer: Server, flower: object, problem: str) -> None:
    answer = transformer.predict([flower])
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(problem)


@pytest.mark.parametrize("body", [{"instances": []}, {"instances": {}}, {"flowers": [{}]}])
def test_a_request_without_flowers_is_refused(transformer: Server, body: object) -> None:
    answer = requests.post(f"{transformer.url}/v1/models/model:predict", json=body, timeout=10)
    assert answer.status_code == 400
    assert "instances" in answer.json()["error"]
