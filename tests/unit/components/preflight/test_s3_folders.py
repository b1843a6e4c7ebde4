"""What the preflight says of locations in S3, against models that run as the API gives them."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.preflight.s3_folders import report_s3_folders
from components.settings.stack import parse
from kube.views.kserve import InferenceGraph, InferenceService, Served
from tests.unit.components.settings.stack_settings import settings, sklearn


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lambda text, **_: given.append(f"info {text}"))
    monkeypatch.setattr(pulumi.log, "warn", lambda text: given.append(f"warn {text}"))
    return given


def running(uri: str, *, container: bool = False) -> InferenceService:
    """A model that runs with files at this location."""
    secret = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
    variables = [secret, {"name": "STORAGE_URI", "value": uri}]
    predictor: dict[str, Any] = {"containers": [{"env": variables}]} if container else {"model": {"storageUri": uri}}
    return InferenceService.model_validate({"metadata": {"name": "a"}, "spec": {"predictor": predictor}})


def report(*models: dict[str, Any], **found: Served) -> None:
    report_s3_folders(parse(settings(*models)), running={"default": found, "other": {}})


ROLLED = (
    "warn a: this update makes new pods, once, because the folder's location gets a slash at its end. Without it, "
    "KServe's storage initializer also takes files of other folders whose names begin alike"
)


def test_folders_are_named(said: list[str]) -> None:
    report(
        sklearn("a"),
        sklearn("b", storage_uri="s3://models/v1.2", namespace="other"),
        sklearn("file", storage_uri="s3://models/model.pkl"),
        sklearn("key", storage_uri="s3://models/churn-pickle", storage_file=True),
        sklearn("slash", storage_uri="s3://models/slash/"),
        sklearn("google", storage_uri="gs://models/google"),
    )
    assert said == [
        "info folders in S3: s3://models/iris/ (a), s3://models/v1.2/ (b); where one is a file, set storage_file: true"
    ]


def test_nothing_is_said_where_nothing_is_added(said: list[str]) -> None:
    report(sklearn("a", storage_uri="s3://models/iris/"), a=running("s3://models/iris/"))
    report(sklearn("a", storage_uri="s3://models"), a=running("s3://models"))
    report(sklearn("a", storage_uri="s3://models/model.pkl"), a=running("s3://models/model.pkl"))
    report()
    assert said == []


def test_a_name_that_may_be_a_files_gives_a_warning(said: list[str]) -> None:
    report(sklearn("b"), sklearn("a", storage_uri="s3://models/flowers.dat"))
    assert said[1:] == [
        "warn models[1].storage_uri: 's3://models/flowers.dat' is taken as a folder, but may be a file: set "
        "models[1].storage_file to true for a file, or to false for a folder"
    ]
    said.clear()
    report(sklearn("a", storage_uri="s3://models/flowers.dat", storage_file=False))
    assert [line for line in said if line.startswith("warn")] == []


def test_models_that_run_without_the_slash_are_named(said: list[str]) -> None:
    report(sklearn("a"), sklearn("new"), a=running("s3://models/iris"))
    assert said[1:] == [ROLLED]


def test_a_container_without_the_slash_is_named(said: list[str]) -> None:
    own = {"name": "a", "container": {"image": "registry.example/a:v1"}, "storage_uri": "s3://models/iris"}
    report(own, a=running("s3://models/iris", container=True))
    assert said[1:] == [ROLLED]


@pytest.mark.parametrize("uri", ["s3://models/iris/", "s3://models/iris-v2", ""])
def test_models_that_have_the_slash_or_change_anyway_are_not(said: list[str], uri: str) -> None:
    report(sklearn("a"), a=running(uri))
    report(sklearn("a"), a=InferenceGraph.model_validate({"metadata": {"name": "a"}}))
    assert [line for line in said if line.startswith("warn")] == []
