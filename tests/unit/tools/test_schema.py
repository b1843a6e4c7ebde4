"""The schema of a stack file: fresh, right about the project's own files, and no more lenient than it seems."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

import stack_files
from components.settings.stack import Settings
from tools.schema import PREFIX, TARGET, render

ROOT = Path(__file__).parents[3]
STACKS = ("dev", "cluster")
FOLDER = ROOT / "tests" / "stacks"

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    schema = json.loads(TARGET.read_text("utf-8"))
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def stack(name: str = "dev") -> dict[str, Any]:
    return stack_files.read(FOLDER / f"{name}.yaml")


def setting(name: str, value: object) -> Change:
    return lambda config: config.update({f"{PREFIX}{name}": value})


def graph(**stated: object) -> Change:
    return lambda config: config[f"{PREFIX}graphs"].append({"name": "g", **stated})


def model(**stated: object) -> Change:
    return lambda config: config[f"{PREFIX}models"][0].update(stated)


def keys(**stated: object) -> Change:
    return setting("storage", {"mine": {"kind": "s3", **stated}})


def problems(validator: Draft7Validator, change: Change) -> list[str]:
    document = stack()
    change(document["config"])
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def test_the_schema_is_what_the_types_say() -> None:
    assert TARGET.read_text("utf-8") == render(), "it is stale: run `make docs`, or python -m tools.schema"


def test_every_setting_is_in_it(validator: Draft7Validator) -> None:
    schema: Any = validator.schema
    assert set(schema["properties"]["config"]["properties"]) == {f"{PREFIX}{name}" for name in Settings.model_fields}


@pytest.mark.parametrize("name", STACKS)
def test_the_projects_own_stacks_are_good(validator: Draft7Validator, name: str) -> None:
    assert list(validator.iter_errors(stack(name))) == []


@pytest.mark.parametrize("name", STACKS)
def test_an_editor_finds_the_schema(name: str) -> None:
    first = (FOLDER / f"{name}.yaml").read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (ROOT / first.partition("=")[2]).resolve() == TARGET


GOOD: list[Change] = [
    setting(
        "storage", {"old": {"profile": "p"}, "web": {"kind": "https", "host": "a", "headers": {"A": {"secure": "v1"}}}}
    ),
    keys(access_key_id={"secure": "v1:a:b"}, secret_access_key={"secure": "v1:c:d"}),
    lambda config: config.update({"aws:region": "eu-west-1", "kubernetes:strictMode": True}),
    model(resources={"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": 0.5}}),
    model(
        scale={"metric": "rps", "target": 10},
        tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}],
        node_selector={"kubernetes.io/arch": "amd64"},
        environment={"OMP_NUM_THREADS": "2"},
        canary={"traffic": 0},
    ),
    model(transformer={"image": "a/b:1", "args": ["--a"], "port": 9090}),
    graph(
        sequence=["n", {"to": "sklearn-model", "data": "$request"}],
        nodes={"n": {"splitter": [{"to": "a", "weight": 30}, {"to": "b", "weight": 70}]}},
        check={"request": 1, "response": {"a": [None]}},
    ),
]


@pytest.mark.parametrize("change", GOOD)
def test_what_a_stack_may_say(validator: Draft7Validator, change: Change) -> None:
    assert problems(validator, change) == []


BAD: list[tuple[Change, str]] = [
    (lambda config: config.pop(f"{PREFIX}release"), "is not valid under any of the given schemas"),
    (setting("release", 0.2), "0.2 is not of type 'string'"),
    (setting("release", "0.19"), "'0.19' is not one of ['0.20', 'local']"),
    (setting("modles", []), "'kserve-multi-model:modles'"),
    (setting("ingress", {"domian": "a.b"}), "'domian' was unexpected"),
    (setting("ingress", {"domain": "http://a.b"}), "'http://a.b' does not match"),
    (setting("storage", {"De mo": {"kind": "s3"}}), "'De mo' does not match"),
    (keys(access_key_id="AKID", secret_access_key={"secure": "v1:c:d"}), "'AKID' is not of type 'object'"),
    (keys(kind="ftp"), "'ftp' is not one of ['s3', 'gcs', "),
    (keys(kind="gcs", region="r"), "'region' was unexpected"),
    (keys(kind="https", host="a", headers={"A": "text"}), "'text' is not of type 'object'"),
    (setting("models", {"name": "a"}), "is not of type 'array'"),
    (model(storage_url="s3://a/b"), "'storage_url' was unexpected"),
    (model(name="Iris"), "models'][0].name: 'Iris' does not match"),
    (model(replicas={"max": 0}), "0 is less than the minimum of 1"),
    (model(scale={"metric": "gpu"}), "'gpu' is not one of ['concurrency', 'rps', 'cpu', 'memory']"),
    (model(canary={"traffic": 101}), "101 is greater than the maximum of 100"),
    (model(environment={"A": 1}), "1 is not valid under any of the given schemas"),
    (model(volumes=[{"name": "a", "mount_path": "a"}]), "'a' does not match"),
    (model(priority_class="High"), "'High' does not match"),
    (model(labels={"a b": "c"}), "'a b' does not match"),
    (model(gpus="1"), "'1' is not of type 'integer'"),
    (model(batcher={"max_batch_size": 8}), "'max_latency' is a required property"),
    (model(transformer={"args": ["--a"]}), "'image' is a required property"),
    (graph(ensemble=[{"to": "a", "weight": 1}]), "{'to': 'a', 'weight': 1} is not valid under any of the given"),
    (graph(splitter=["a"]), "'a' is not of type 'object'"),
    (graph(graphs=["a"]), "'graphs' was unexpected"),
]


@pytest.mark.parametrize(("change", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_what_it_may_not_say(validator: Draft7Validator, change: Change, problem: str) -> None:
    found = problems(validator, change)
    assert any(problem in one for one in found), found
