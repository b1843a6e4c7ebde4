"""Helm's own records of its releases in a cluster."""

from __future__ import annotations

import os
from pathlib import Path

from lightkube import Client, KubeConfig
from lightkube.resources.core_v1 import Secret


def delete_pending_records(release: str, *, kubeconfig: Path | None, context: str | None) -> bool:
    """Delete the records of operations on `release` that began and never ended; False where there is none."""
    file = kubeconfig or os.environ.get("KUBECONFIG")
    config = KubeConfig.from_file(file) if file else KubeConfig.from_env()
    with Client(config.get(context)) as client:
        pending = [
            record.metadata
            for record in client.list(Secret, namespace="*", labels={"owner": "helm", "name": release})
            if record.metadata and (record.metadata.labels or {}).get("status", "").startswith("pending-")
        ]
        for record in pending:
            client.delete(Secret, str(record.name), namespace=record.namespace)
    return bool(pending)
