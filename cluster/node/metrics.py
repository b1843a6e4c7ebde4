"""metrics-server for one small node: upstream's objects with a few changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from lightkube import codecs
from lightkube.codecs import AnyResource

# The labels that upstream's kustomization adds; it does nothing else, so Kustomize is not needed.
LABELS = {"k8s-app": "metrics-server"}
KUSTOMIZATION = "kustomization.yaml"
# What it uses here; upstream's requests are for a cluster of a hundred nodes.
REQUESTS = {"cpu": "10m", "memory": "32Mi"}


def metrics_server_objects(manifests: Path, *, image: str) -> Iterator[AnyResource]:
    """The objects to create, from the folder with upstream's manifests."""
    for file in sorted(manifests.glob("*.yaml")):
        if file.name != KUSTOMIZATION:
            for document in yaml.safe_load_all(file.read_text()):
                yield codecs.from_dict(_adjusted(document, image=image))


def _adjusted(document: dict[str, Any], *, image: str) -> dict[str, Any]:
    document["metadata"].setdefault("labels", {}).update(LABELS)
    spec = document.get("spec", {})
    if document["kind"] == "Service":
        spec["selector"] = LABELS
    if document["kind"] == "Deployment":
        spec["selector"] = {"matchLabels": LABELS}
        spec["template"]["metadata"] = {"labels": LABELS}
        (container,) = spec["template"]["spec"]["containers"]
        container["image"] = image
        container["resources"] = {"requests": REQUESTS}
        # The kubelet's certificate is self-signed; it is on the same machine.
        container["args"].append("--kubelet-insecure-tls")
    return document
