"""Sizes of the images in the local cluster's registry, as its manifests state them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from benchmarks.results import Image, Images

TIMEOUT = 30
ACCEPT = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
CHARTS = "charts/"


def images_of(registry: str) -> Images:
    """Ask the registry at this URL; charts are left out."""
    names = requests.get(f"{registry}/v2/_catalog", params={"n": 1000}, timeout=TIMEOUT).json()["repositories"]
    manifests = {}
    for name in names:
        if not name.startswith(CHARTS):
            tag = requests.get(f"{registry}/v2/{name}/tags/list", timeout=TIMEOUT).json()["tags"][0]
            answer = requests.get(f"{registry}/v2/{name}/manifests/{tag}", headers=ACCEPT, timeout=TIMEOUT)
            answer.raise_for_status()
            manifests[name] = answer.json()
    return sizes(manifests)


def sizes(manifests: Mapping[str, Mapping[str, Any]]) -> Images:
    """Sizes by the images' manifests (name → OCI manifest), largest image first."""
    blobs = {
        name: {blob["digest"]: int(blob["size"]) for blob in (manifest["config"], *manifest["layers"])}
        for name, manifest in manifests.items()
    }
    images = [Image(name=name, size=sum(parts.values())) for name, parts in blobs.items()]
    distinct: dict[str, int] = {}
    for parts in blobs.values():
        distinct |= parts
    return Images(
        images=tuple(sorted(images, key=lambda image: (-image.size, image.name))), total_bytes=sum(distinct.values())
    )
