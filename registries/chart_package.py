"""Charts as files and as archives."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

import yaml

from registries.registry import HELM_CHART, MANIFEST, StoredManifest, digest_of

HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
DESCRIPTION = "Chart.yaml"


def manifest_chart(name: str, version: str, manifest: bytes) -> dict[str, bytes]:
    """Files of a chart that holds a manifest as it is, without treating anything in it as a template.

    Chart.yaml is the last one: where it is, the chart is complete.
    """
    metadata = {"apiVersion": "v2", "name": name, "version": version.removeprefix("v")}
    return {
        "files/manifest.yaml": manifest,
        "templates/manifest.yaml": b'{{ .Files.Get "files/manifest.yaml" }}\n',
        DESCRIPTION: yaml.safe_dump(metadata).encode(),
    }


def packed(name: str, files: Mapping[str, bytes]) -> bytes:
    """Archive of a chart's files; the same files give the same archive."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def file_of(archive: bytes, path: str) -> bytes:
    """One file of a chart's archive, by its path below the chart's folder.

    Raises:
        ValueError: the archive has no such file, or is not an archive.

    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:*") as content:
            for member in content:
                if member.isfile() and member.name.partition("/")[2] == path and (file := content.extractfile(member)):
                    return file.read()
    except (tarfile.TarError, OSError, EOFError) as problem:
        raise ValueError(f"is not a chart's archive: {problem}") from problem
    raise ValueError(f"the chart has no {path}")


def stored_chart(archive: bytes) -> tuple[StoredManifest, dict[str, bytes]]:
    """A chart's archive in the form that registries store: its manifest, and the contents that this names, by digest.

    Source: Helm's format for OCI registries.
    """
    metadata: Any = yaml.safe_load(file_of(archive, DESCRIPTION))
    config = json.dumps(metadata, sort_keys=True, default=str).encode()
    parts = {HELM_CONFIG: config, HELM_CHART: archive}
    described = [{"mediaType": kind, "digest": digest_of(part), "size": len(part)} for kind, part in parts.items()]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}
    content = json.dumps(manifest, sort_keys=True).encode()
    return StoredManifest(content=content, media_type=MANIFEST), {digest_of(part): part for part in parts.values()}
