"""Trains the demo's models once, keeps them in the cache, and uploads them to the node's S3 server."""

from __future__ import annotations

import configparser
import hashlib
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from cluster import image_python
from cluster.artifacts import Cache, digest
from cluster.catalog import (
    LIGHTGBM_PACKAGES,
    MLSERVER_PACKAGES,
    ONNX_PACKAGES,
    PYTHON_FILESYSTEM,
    SERVER_PACKAGES,
    SERVING_PROJECT,
    SKLEARN_PACKAGES,
    TENSORFLOW_PACKAGES,
    TENSORFLOW_TRAINING_PACKAGES,
    TORCH_FILESYSTEM,
    TORCH_TRAINING_PACKAGES,
    TORCHSERVE_PROJECT,
    TRAINING_PACKAGES,
    XGBOOST_PACKAGES,
)
from cluster.debian import RootFilesystem
from cluster.locations import PROJECT, logs_dir
from cluster.processes import run
from cluster.python_packages import PythonPackages
from releases.more_formats import MLSERVER, PMML, TENSORFLOW, TORCHSERVE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

BUCKET = "models"
TRAINING = SERVING_PROJECT / "train_demo.py"
MD5 = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class DemoModels:
    """Models that are trained together.

    Attributes:
        name: the set of the program that trains them.
        packages: the packages that training them needs.
        program: the program, and the files that it packs with a model.
        filesystem: the root filesystem whose Python runs it.
    """

    name: str
    packages: tuple[PythonPackages, ...]
    program: tuple[Path, ...] = (TRAINING,)
    filesystem: RootFilesystem = PYTHON_FILESYSTEM

    @property
    def entry(self) -> str:
        """The cache entry's name."""
        return f"models-{self.name}"

    @property
    def key(self) -> str:
        """The key of the cache entry."""
        return digest(*self.program, *(packages.key for packages in self.packages))

    @property
    def needs(self) -> frozenset[str]:
        """Names of the cache entries that training needs."""
        return frozenset({self.filesystem.name, *(packages.name for packages in self.packages)})

    def path(self, cache: Cache) -> Path:
        """The directory with one folder a model, built or not."""
        return cache.path(self.entry, self.key)

    def train(self, cache: Cache) -> Path:
        """The directory with one folder a model, and `expected.json` with the models' answers; trained if necessary."""
        return cache.get(self.entry, self.key, partial(self._train, cache))

    def _train(self, cache: Cache, directory: Path) -> None:
        root = self.filesystem.build(cache)
        packages = [*(packages.build(cache) for packages in self.packages), root / image_python.DEBIAN_PACKAGES]
        run(
            image_python.command(root, self.program[0], "--out", directory, self.name),
            what=f"training the models of {self.name}",
            log=logs_dir() / f"{self.entry}.log",
            env={**image_python.environment(root, packages=packages), "OMP_NUM_THREADS": "1"},
        )


DEMO = DemoModels(name="demo", packages=(SERVER_PACKAGES, SKLEARN_PACKAGES, XGBOOST_PACKAGES))
# Models of formats that are extras.
EXTRAS = {
    "lightgbm": DemoModels(name="lightgbm", packages=(SERVER_PACKAGES, SKLEARN_PACKAGES, LIGHTGBM_PACKAGES)),
    "onnx": DemoModels(name="onnx", packages=(SERVER_PACKAGES, SKLEARN_PACKAGES, ONNX_PACKAGES, TRAINING_PACKAGES)),
    MLSERVER.extra: DemoModels(name="mlflow", packages=(MLSERVER_PACKAGES,)),
    PMML.extra: DemoModels(name="pmml", packages=(SERVER_PACKAGES, SKLEARN_PACKAGES)),
    TENSORFLOW.extra: DemoModels(name="tensorflow", packages=(TENSORFLOW_PACKAGES, TENSORFLOW_TRAINING_PACKAGES)),
    TORCHSERVE.extra: DemoModels(
        name="pytorch",
        packages=(TORCH_TRAINING_PACKAGES,),
        program=(TORCHSERVE_PROJECT / "train_pytorch.py", TORCHSERVE_PROJECT / "handler.py"),
        filesystem=TORCH_FILESYSTEM,
    ),
}


def s3_client(*, endpoint: str, credentials: Path, region: str) -> S3Client:
    """A client with the keys in the profile `kserve-multi-model` of the file `credentials`."""
    profile = configparser.ConfigParser()
    profile.read(credentials)
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=profile[PROJECT]["aws_access_key_id"],
        aws_secret_access_key=profile[PROJECT]["aws_secret_access_key"],
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 10, "mode": "standard"}),
    )


def upload(models: Path, *, client: S3Client) -> int:
    """Upload the model files that are missing or differ to `s3://models/<folder>/…`; returns how many."""
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    stored = {item["Key"]: item for page in pages for item in page.get("Contents", [])}
    put = 0
    for file in filter(Path.is_file, models.glob("*/**/*")):
        name = file.relative_to(models).as_posix()
        if name not in stored or not _same(file, stored[name]):
            client.upload_file(str(file), BUCKET, name)
            put += 1
    return put


def _same(file: Path, stored: ObjectTypeDef) -> bool:
    """Compare an object with a file by size, and by MD5 unless it was uploaded in several parts."""
    if stored["Size"] != file.stat().st_size:
        return False
    tag = stored["ETag"].strip('"')
    return not MD5.fullmatch(tag) or tag == hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
