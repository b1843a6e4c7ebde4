"""Models in Azure's Blob Storage whose locations begin alike."""

from __future__ import annotations

import pulumi
import pytest

from components.preflight.azure_blobs import warn_of_alike_blobs
from components.settings.stack import parse
from tests.unit.components.settings.stack_settings import settings, sklearn

BLOBS = "https://acme.blob.core.windows.net/models"


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", given.append)
    return given


def look(*uris: str) -> None:
    models = [sklearn(f"m{number}", storage_uri=uri) for number, uri in enumerate(uris)]
    warn_of_alike_blobs(parse(settings(*models)))


@pytest.mark.parametrize("end", ["", "/"])
def test_a_model_that_gets_the_files_of_others_is_named(warnings: list[str], end: str) -> None:
    look(f"{BLOBS}/flowers-v2/", f"{BLOBS}/flowers{end}", f"{BLOBS}/flowers.pkl", f"{BLOBS}/trees")
    assert warnings == [
        "models[1].storage_uri: from Azure's Blob Storage, KServe also fetches the files of models[0], models[2], "
        "because their location begins with this one; use folder names of which none is the beginning of another, as "
        "flowers/v1 and flowers/v2"
    ]


@pytest.mark.parametrize(
    "uris",
    [
        (f"{BLOBS}/flowers/v1", f"{BLOBS}/flowers/v2"),
        (f"{BLOBS}/flowers", f"{BLOBS}/flowers/"),
        (f"{BLOBS}/flowers", f"{BLOBS}/flowers/v2"),
        (f"{BLOBS}/flowers", "https://acme.blob.core.windows.net/others/flowers-v2"),
        ("https://acme.file.core.windows.net/models/flowers", "https://acme.file.core.windows.net/models/flowers-v2"),
        ("gs://models/flowers", "gs://models/flowers-v2"),
        ("s3://models/flowers", "s3://models/flowers-v2"),
        (f"{BLOBS}/flowers",),
    ],
)
def test_others_are_not(warnings: list[str], uris: tuple[str, ...]) -> None:
    look(*uris)
    assert warnings == []
