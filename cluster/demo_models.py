"""The demo's models: trained once, kept in the cache, uploaded to the node's S3 server."""

from __future__ import annotations

import configparser
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from cluster.artifacts import Cache, digest
from cluster.catalog import MODEL_SERVERS, SERVER_PACKAGES, SERVING_PROJECT, TRAINING_PACKAGES
from cluster.locations import PROJECT, logs_dir
from cluster.processes import run

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

BUCKET = "models"
ENTRY = "demo-models"
TRAINING = SERVING_PROJECT / "train_demo.py"
PACKAGES = (SERVER_PACKAGES, *MODEL_SERVERS.values(), TRAINING_PACKAGES)
MD5 = re.compile("[0-9a-f]{32}")


def key() -> str:
    """The key of the cache entry."""
    return digest(TRAINING, *(packages.key for packages in PACKAGES))


def train(cache: Cache) -> Path:
    """The directory with a folder a model and `expected.json`, what each answers."""
    packages = [packages.build(cache) for packages in PACKAGES]

    def build(directory: Path) -> None:
        run(
            [sys.executable, TRAINING, "--out", directory],
            what="training the demo's models",
            log=logs_dir() / "demo-models.log",
            env={"PYTHONPATH": ":".join(map(str, packages)), "OMP_NUM_THREADS": "1"},
        )

    return cache.get(ENTRY, key(), build)


def expected(models: Path) -> dict[str, object]:
    """What the models answered at training: `instances`, and each model's answer by name."""
    answers: dict[str, object] = json.loads((models / "expected.json").read_text())
    return answers


def s3_client(*, endpoint: str, credentials: Path, region: str) -> S3Client:
    """A client with the keys of the profile `kserve-multi-model` in `credentials`."""
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
    """Put every model file that is not there, or differs, as `s3://models/<folder>/<file>`; returns how many."""
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    there = {item["Key"]: item for page in pages for item in page.get("Contents", [])}
    put = 0
    for file in models.glob("*/*"):
        name = file.relative_to(models).as_posix()
        if name not in there or not _same(file, there[name]):
            client.upload_file(str(file), BUCKET, name)
            put += 1
    return put


def _same(file: Path, stored: ObjectTypeDef) -> bool:
    """Whether an object is the file, by its MD5 where it was put in one part, else by its size."""
    if stored["Size"] != file.stat().st_size:
        return False
    tag = stored["ETag"].strip('"')
    return not MD5.fullmatch(tag) or tag == hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
