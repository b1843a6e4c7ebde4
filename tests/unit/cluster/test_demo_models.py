"""The demo's models: put where they are missing or differ, and only there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from cluster.demo_models import upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Store:
    """As much of an S3 client as an upload needs, in pages of one object; keeps (size, ETag) by name."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[int, str]] = {}
        self.buckets: list[str] = []

    def list_buckets(self) -> dict[str, object]:
        return {"Buckets": [{"Name": name} for name in self.buckets]}

    def create_bucket(self, **bucket: str) -> None:
        self.buckets.append(bucket["Bucket"])

    def get_paginator(self, _: str) -> Store:
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, object]]:
        yield {}
        for name, (size, tag) in self.objects.items():
            yield {"Contents": [{"Key": name, "Size": size, "ETag": f'"{tag}"'}]}

    def upload_file(self, file: str, _: str, name: str) -> None:
        data = Path(file).read_bytes()
        self.objects[name] = (len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name in ("sklearn", "xgboost"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model").write_text(name)
    (tmp_path / "expected.json").write_text("{}")
    return tmp_path


def put(models: Path, store: Store) -> int:
    return upload(models, client=cast("S3Client", store))


def test_folders_inside_a_model_are_put_with_their_files(models: Path) -> None:
    (models / "sklearn" / "1" / "variables").mkdir(parents=True)
    (models / "sklearn" / "1" / "variables" / "index").write_text("a")
    store = Store()
    assert put(models, store) == 3
    assert set(store.objects) == {"sklearn/model", "sklearn/1/variables/index", "xgboost/model"}


def test_what_is_there_is_not_put_again(models: Path) -> None:
    store = Store()
    assert put(models, store) == 2
    assert set(store.objects) == {"sklearn/model", "xgboost/model"}
    assert put(models, store) == 0


@pytest.mark.parametrize(
    ("stored", "again"),
    [
        pytest.param((7, "0" * 32), 1, id="as long, and another"),
        pytest.param((3, "0" * 32), 1, id="cut off"),
        pytest.param((7, f"{'0' * 32}-2"), 0, id="as long, and in parts, whose tag tells nothing"),
    ],
)
def test_what_differs_is_put_again(models: Path, stored: tuple[int, str], again: int) -> None:
    store = Store()
    put(models, store)
    store.objects["sklearn/model"] = stored
    assert put(models, store) == again
