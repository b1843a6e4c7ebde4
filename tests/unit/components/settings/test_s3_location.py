"""Locations in S3 as KServe gets them: those of folders end with a slash, those of files do not."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings.s3_location import may_name_a_file
from components.settings.stack import parse
from tests.unit.components.settings.stack_settings import settings, sklearn, the_problem


def location(uri: str, **more: Any) -> str | None:
    (model,) = parse(settings(sklearn("a", storage_uri=uri, **more))).models
    return model.location


@pytest.mark.parametrize(
    "uri",
    [
        "s3://models/flowers",
        "s3://models/team/flowers",
        "s3://models/model.v1",
        "s3://models/flowers/v1.2",
        "s3://models/flowers-1.0.0",
        "s3://models/flowers.2026-11-29",
        "s3://models/flowers.pkl/2",
        "s3://models/flowers.onnx-v2",
        "s3://models/.joblib",
        "s3://models/a.unknown",
        "s3://models/joblib",
        "s3://model.pkl/flowers",
    ],
)
def test_a_folder_gets_a_slash(uri: str) -> None:
    assert location(uri) == f"{uri}/"


@pytest.mark.parametrize(
    "uri",
    ["s3://models", "s3://models/", "s3://model.pkl", "s3://models/flowers/", "s3://models/model.pkl/"],
)
@pytest.mark.parametrize("said", [{}, {"storage_file": False}])
def test_a_bucket_and_what_ends_with_a_slash_stay(uri: str, said: dict[str, bool]) -> None:
    assert location(uri, **said) == uri


@pytest.mark.parametrize(
    "name",
    [
        *("model.joblib", "model.pkl", "MODEL.PKL", "model.v2.pickle", "model.bst", "model.json", "model.ubj"),
        *("model.txt", "model.onnx", "model.pt", "model.mar", "model.safetensors", "model.pmml", "model.h5"),
        *("model.tar.gz", "model.tgz", "model.tar", "model.zip", "model.joblib.gz"),
    ],
)
def test_a_file_of_a_known_ending_gets_none(name: str) -> None:
    assert location(f"s3://models/flowers/{name}") == f"s3://models/flowers/{name}"
    assert location(f"s3://models/flowers/{name}", storage_file=True) == f"s3://models/flowers/{name}"
    assert location(f"s3://models/flowers/{name}", storage_file=False) == f"s3://models/flowers/{name}/"


@pytest.mark.parametrize("uri", ["s3://test/churn-pickle", "s3://models/model.v1", "s3://models/a.unknown"])
def test_a_file_without_a_known_ending_can_be_declared(uri: str) -> None:
    assert location(uri, storage_file=True) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "gs://models/flowers",
        "hf://acme/flowers",
        "https://acme.blob.core.windows.net/models/flowers",
        "hdfs://models/flowers",
        "webhdfs://models/flowers",
        "pvc://claim/flowers",
        "oci://registry.example.com/flowers:1",
    ],
)
def test_locations_elsewhere_stay(uri: str) -> None:
    assert location(uri) == uri


@pytest.mark.parametrize(
    ("uri", "ambiguous"),
    [
        ("s3://models/flowers.dat", True),
        ("s3://models/flowers.final", True),
        ("s3://models/flowers", False),
        ("s3://models/flowers.dat/", False),
        ("s3://models/flowers.pkl", False),
        ("s3://models/model.v1", False),
        ("s3://models/flowers-1.0.rc1", False),
        ("s3://models/v1.2", False),
        ("s3://models.dat", False),
    ],
)
def test_names_that_may_be_those_of_files(uri: str, *, ambiguous: bool) -> None:
    assert may_name_a_file(uri) == ambiguous


@pytest.mark.parametrize("uri", ["s3://models/flowers/", "s3://models", "s3://models/model.pkl/"])
def test_a_folder_is_no_file(uri: str) -> None:
    problem = the_problem(settings(sklearn("a", storage_uri=uri, storage_file=True)))
    assert problem == (
        "models[0].storage_file: true contradicts storage_uri, which is a folder; end storage_uri with the file's "
        "name, or drop storage_file"
    )


@pytest.mark.parametrize("uri", ["gs://models/flowers", "hf://acme/flowers", "pvc://claim/flowers"])
@pytest.mark.parametrize("said", [True, False])
def test_elsewhere_it_has_no_effect(uri: str, *, said: bool) -> None:
    problem = the_problem(settings(sklearn("a", storage_uri=uri, storage_file=said)))
    assert problem == (
        "models[0].storage_file: has no effect: it is for s3:// only, where KServe cannot tell a folder from a "
        "file; drop it"
    )


def test_without_a_location_it_has_no_effect() -> None:
    container = {"name": "a", "container": {"image": "registry.example/server:v1"}, "storage_file": True}
    assert the_problem(settings(container)) == (
        "models[0].storage_file: has no effect: there is no storage_uri; drop it"
    )
