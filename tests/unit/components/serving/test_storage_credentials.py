"""Secrets and service accounts of the stores that models are downloaded from."""

from __future__ import annotations

import json
from typing import Any

from pydantic import SecretStr

from components.serving.storage_credentials import StorageCredentials, StorageCredentialsArgs
from components.settings.stores.s3 import S3Storage
from tests.unit.components.conftest import ACCESS_KEY, PROFILE, SECRET_KEY
from tests.unit.components.recording import Recording, record, without_secrets

PREFIX = "serving.kserve.io/s3-"


def credentials(**settings: Any) -> Recording:
    storage = S3Storage(kind="s3", **settings)
    args = StorageCredentialsArgs(stack="dev", name="demo", storage=storage, namespace="models")
    return record(lambda: StorageCredentials("demo", args=args))


def notes(recording: Recording) -> dict[str, str]:
    noted: dict[str, str] = recording.the(":Secret", "demo").plain["metadata"]["annotations"]
    return {key.removeprefix(PREFIX): value for key, value in noted.items()}


def test_secret_of_a_local_store() -> None:
    recording = credentials(profile=PROFILE, endpoint="http://192.0.2.2:9000/", verify_ssl=False)
    assert notes(recording) == {
        "endpoint": "192.0.2.2:9000",
        "usehttps": "0",
        "region": "us-east-1",
        "verifyssl": "0",
        "usevirtualbucket": "false",
        "useanoncredential": "false",
    }
    secret = recording.the(":Secret", "demo").plain
    assert secret["stringData"] == {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    assert secret["metadata"]["namespace"] == "models"


def test_secret_of_amazon_s3() -> None:
    noted = notes(credentials(profile=PROFILE, region="eu-west-1", virtual_bucket=True))
    assert (noted["endpoint"], noted["usehttps"], noted["region"]) == ("s3.amazonaws.com", "1", "eu-west-1")
    assert noted["usevirtualbucket"] == "true"


def test_anonymous_store_has_no_keys() -> None:
    recording = credentials(anonymous=True)
    assert notes(recording)["useanoncredential"] == "true"
    assert set(recording.the(":Secret", "demo").plain["stringData"].values()) == {""}


def test_keys_are_stored_as_secrets() -> None:
    recording = credentials(access_key_id=SecretStr("AKIDGIVEN"), secret_access_key=SecretStr("given-secret"))
    in_the_open = json.dumps([without_secrets(r.inputs) for r in recording.resources.values()])
    assert "AKIDGIVEN" not in in_the_open
    assert "given-secret" not in in_the_open


def test_service_account_has_the_secret() -> None:
    recording = credentials(profile=PROFILE)
    secret, account = recording.the(":Secret", "demo"), recording.the(":ServiceAccount", "demo")
    assert account.plain["secrets"] == [{"name": secret.plain["metadata"]["name"]}]
    assert recording.waits_for(account, secret)
