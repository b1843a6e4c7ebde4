"""The demo's models: trained once, kept in the cache, uploaded to the node's S3 server."""

from __future__ import annotations

import configparser
import json
import sys
from pathlib import Path

import boto3
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from cluster.artifacts import Cache, digest
from cluster.catalog import SERVING_PROJECT, SKLEARN_PACKAGES, XGBOOST_PACKAGES
from cluster.locations import PROJECT, logs_dir
from cluster.processes import run

BUCKET = "models"
ENTRY = "demo-models"
TRAINING = SERVING_PROJECT / "train_demo.py"


def key() -> str:
    """The key of the cache entry."""
    return digest(TRAINING, SKLEARN_PACKAGES.key, XGBOOST_PACKAGES.key)


def train(cache: Cache) -> Path:
    """The directory with a folder a model and `expected.json`, what each answers."""
    packages = [SKLEARN_PACKAGES.build(cache), XGBOOST_PACKAGES.build(cache)]

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
    """Put every model that is not there yet, as `s3://models/<folder>/<file>`; returns how many files were put."""
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    there = {item["Key"] for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])}
    missing = [file for file in models.glob("*/*") if file.relative_to(models).as_posix() not in there]
    for file in missing:
        client.upload_file(str(file), BUCKET, file.relative_to(models).as_posix())
    return len(missing)
