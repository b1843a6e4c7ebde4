"""Reads what the program declares (charts with values, single objects), so that helm and kubectl can make the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

REGISTER = "/pulumirpc.ResourceMonitor/RegisterResource"
CHARTS = ("kubernetes:helm.sh/v4:Chart", "kubernetes:helm.sh/v3:Release")
GATEWAY = "Gateway"
# The key that marks a secret or an output among the inputs; its value is under `value`.
SIGNATURE = "4dabf18193072939515e22adb298388d"
# Annotations with this prefix tell Pulumi what to wait for.
WAITS = "pulumi.com/"

# One Kubernetes object.
Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart to install: its release's name and namespace, the path of its archive, its values."""

    name: str
    archive: str
    namespace: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Charts by their release's name, objects by `Kind/name`."""

    charts: Mapping[str, Chart]
    objects: Mapping[str, Manifest]

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """The keys of the objects of a kind."""
        return tuple(key for key, manifest in self.objects.items() if manifest["kind"] == kind)


def read(log: Iterable[str]) -> Declared:
    """Read the engine's log of requests, one a line, as a preview with PULUMI_DEBUG_GRPC writes it.

    The objects rendered from a chart are left out, because helm renders them itself.
    """
    charts: dict[str, Chart] = {}
    objects: dict[str, Manifest] = {}
    for line in log:
        call = json.loads(line)
        request = call.get("request") or {}
        if call.get("method") != REGISTER or CHARTS[0] in request.get("parent", ""):
            continue
        inputs = _plain(request.get("object") or {})
        if request["type"] in CHARTS and inputs:
            charts[inputs["name"]] = Chart(
                name=inputs["name"], archive=inputs["chart"], namespace=inputs["namespace"], values=inputs["values"]
            )
        elif "kind" in inputs:
            manifest = _without_waits(inputs)
            objects[_key(manifest)] = manifest
    return Declared(charts=charts, objects=objects)


def _key(manifest: Manifest) -> str:
    kind = manifest["kind"]
    if kind == GATEWAY:  # Istio and Gateway API both have this kind
        kind = f"{kind}.{manifest['apiVersion'].partition('/')[0]}"
    return f"{kind}/{manifest['metadata']['name']}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if SIGNATURE in value:
            return _plain(value["value"])
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _without_waits(manifest: Manifest) -> Manifest:
    metadata = dict(manifest["metadata"])
    annotations = metadata.pop("annotations", {})
    if kept := {key: text for key, text in annotations.items() if not key.startswith(WAITS)}:
        metadata["annotations"] = kept
    return {**manifest, "metadata": metadata}
