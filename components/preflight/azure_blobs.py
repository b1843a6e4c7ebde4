"""Warn of models in Azure's Blob Storage that would get each other's files."""

from __future__ import annotations

import re

import pulumi

from components.settings.stack import Settings

_BLOB = re.compile(r"https://[^/]+\.blob\.(core\.windows|storage\.azure)\.net/.+")


def warn_of_alike_blobs(settings: Settings) -> None:
    """Warn of each model that would get another's files, because its location begins that of the other.

    KServe's storage initializer takes every blob whose name begins like the location, and strips a slash at its end.
    """
    located = [(model, (model.storage_uri or "").rstrip("/")) for model in settings.models]
    in_blobs = {settings.place_of(model): uri for model, uri in located if _BLOB.fullmatch(uri)}
    for place, uri in in_blobs.items():
        alike = [
            other for other, its in in_blobs.items() if its.startswith(uri) and its[len(uri) :][:1] not in {"", "/"}
        ]
        if alike:
            pulumi.log.warn(
                f"{place}.storage_uri: from Azure's Blob Storage, KServe also fetches the files of {', '.join(alike)}, "
                "because their location begins with this one; use folder names of which none is the beginning of "
                "another, as flowers/v1 and flowers/v2"
            )
