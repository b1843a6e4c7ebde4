"""The Secrets in which Helm records the operations on its releases."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kube.connection import connect


def delete_lost_records(
    release: str, *, namespace: str, ours: str, kubeconfig: Path | None, context: str | None
) -> bool:
    """Delete the records of operations on `release` that a killed run left; return whether there were any.

    Such an operation never ended, which its record's status says, or it ended after the run was killed, and its record
    has the description `ours`.
    """
    place = f"/api/v1/namespaces/{namespace}/secrets"
    with connect(kubeconfig=kubeconfig, context=context) as client:
        selector = {"labelSelector": f"owner=helm,name={release}"}
        listed = client.get(place, params=selector).raise_for_status().json()["items"]
        lost = [record for record in listed if _pending(record) or _description(record) == ours]
        for record in lost:
            client.delete(f"{place}/{record['metadata']['name']}").raise_for_status()
    return bool(lost)


def _pending(record: Mapping[str, Any]) -> bool:
    return str(record["metadata"].get("labels", {}).get("status", "")).startswith("pending-")


def _description(record: Mapping[str, Any]) -> str:
    """Read a record's description. A record is gzipped JSON, in base64 once by Helm and once by Kubernetes."""
    packed = base64.b64decode(base64.b64decode(record["data"]["release"]))
    return str(json.loads(gzip.decompress(packed))["info"].get("description", ""))
