"""Locations of a model's files that KServe could not read."""

from __future__ import annotations

import pytest

from components.settings.storage_uri import check_storage_uri
from tests.unit.components.settings.stack_settings import settings, sklearn, the_problem

HF = "is not a model of Hugging Face; write hf://<owner>/<model> or hf://<owner>/<model>:<revision>"
FILE = "names no file; write https://<host>/<path of a file or archive>"
CLAIM = "names no valid claim; write pvc://<claim>/<path>, the claim with a-z, 0-9, - and . only"
IMAGE = "is not an image; write oci://<registry>/<repository>:<tag>, the repository in lower case"
KEY = "has a ? or #: KServe reads the key only up to there, which is another one; use a key without them"


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("hf://bert", HF),
        ("hf://google/", HF),
        ("hf://google/bert/v1", HF),
        ("hf://google/bert/", HF),
        ("hf://google/:main", HF),
        ("https://host", FILE),
        ("https://host/", FILE),
        ("https://host/folder/", FILE),
        ("https://host/?file=model.joblib", FILE),
        ("https://host#model", FILE),
        ("http://host/", FILE.replace("https", "http")),
        ("https://store.blob.core.windows.net/", FILE),
        ("pvc://Claim/a", CLAIM),
        ("pvc://my_claim", CLAIM),
        ("pvc://-a/b", CLAIM),
        (f"pvc://{'a' * 254}/b", CLAIM),
        ("oci://registry.example.com/Team/Flowers:v1", IMAGE),
        ("oci://registry.example.com:5000/flowers_:v1", IMAGE),
        ("oci://Flowers:v1", IMAGE),
        ("oci://Team/flowers", IMAGE),
        ("oci://registry.example.com/flowers:-v", IMAGE),
        ("s3://models/flowers?v2", KEY),
        ("s3://models/flowers#2/model.pkl", KEY),
    ],
)
def test_a_location_of_a_wrong_form_is_refused(uri: str, problem: str) -> None:
    assert the_problem(settings(sklearn("a", storage_uri=uri))) == f"models[0].storage_uri: {uri!r} {problem}"


@pytest.mark.parametrize(
    "uri",
    [
        "hf://google/bert",
        "hf://google/bert:main",
        "https://host/model.joblib",
        "https://host/folder/model.tar.gz?signature=a/b",
        "https://store.blob.core.windows.net/models/",
        "https://store.z01.blob.storage.azure.net/models/flowers/",
        "https://store.file.core.windows.net/share/flowers/",
        "https://github.example/team/flowers.git/",
        "pvc://claim",
        "pvc://claim.of.mine-2/folder/",
        f"pvc://{'a' * 253}/b",
        "oci://flowers",
        "oci://team/flowers:V1.0",
        "oci://Registry.Example.com:5000/team/sub/flowers__x.y--z:v1",
        "oci://localhost/flowers",
        "oci://registry:5000/flowers",
        "oci://[fd00::1]:5000/flowers",
        f"oci://registry.example.com/flowers@sha256:{'0' * 64}",
        f"oci://registry.example.com/flowers:v1@sha256:{'0' * 64}",
        "s3://Bucket",
        "gs://models/Flowers/",
        "hdfs://host:9000/",
    ],
)
def test_a_location_of_the_right_form_is_kept(uri: str) -> None:
    assert check_storage_uri(uri) == uri


def test_no_password_is_shown() -> None:
    assert "hunter2" not in the_problem(settings(sklearn("a", storage_uri="https://me:hunter2@host/")))
