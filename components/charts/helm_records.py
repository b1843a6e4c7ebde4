"""The Secrets in which Helm records the operations on its releases."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

from kube.connection import connect

# Helm writes this into its records of releases, so that those of this program can be told from others; the identity of
# the stack follows it. A stack from before there were identities wrote only this.
DESCRIPTION = "made by kserve-multi-model"
OF_STACK = f"{DESCRIPTION}, stack "


@dataclass(frozen=True, kw_only=True)
class HelmRecord:
    """Record of one operation on a release.

    Attributes:
        name: of its Secret, which ends with the number of the operation.
        status: deployed, superseded, failed, uninstalling, pending-install …
        description: the one passed to Helm at the installation; Helm's own text unless the operation succeeded.
        chart: name and version of the chart, as `istiod-1.27.1`.

    """

    name: str
    status: str
    description: str
    chart: str

    @property
    def revision(self) -> int:
        """Number of the operation."""
        return int(self.name.rpartition(".v")[2])

    @property
    def is_pending(self) -> bool:
        """Whether the operation never ended."""
        return self.status.startswith("pending-")

    @property
    def has_succeeded(self) -> bool:
        """Whether the operation ended well, so that the description says whose the release is."""
        return self.status in {"deployed", "superseded"}

    @classmethod
    def of(cls, secret: Mapping[str, Any]) -> HelmRecord:
        """Read a Secret. The record in it is gzipped JSON, in base64 once by Helm and once by Kubernetes."""
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        release = json.loads(gzip.decompress(packed))
        chart = (release.get("chart") or {}).get("metadata") or {}
        return cls(
            name=secret["metadata"]["name"],
            status=str(secret["metadata"].get("labels", {}).get("status", "")),
            description=str(release["info"].get("description", "")),
            chart=f"{chart.get('name', '')}-{chart.get('version', '')}",
        )


@dataclass(frozen=True, kw_only=True)
class ReleaseMark:
    """How the releases of one stack are told from others.

    Attributes:
        identity: of the stack.
        deployed_before: whether the stack is from before there were identities.

    """

    identity: str
    deployed_before: bool

    @property
    def description(self) -> str:
        """What Helm writes into its records of the stack's releases."""
        return f"{OF_STACK}{self.identity}"

    def is_on(self, record: HelmRecord) -> bool:
        """Whether a record is of a release of the stack."""
        return record.description == self.description or (self.deployed_before and record.description == DESCRIPTION)


def stack_of(record: HelmRecord) -> str | None:
    """Identity of the stack whose release this is, where the record has one."""
    return record.description.removeprefix(OF_STACK) if record.description.startswith(OF_STACK) else None


def records_of(client: httpx.Client, release: str, *, namespace: str) -> tuple[HelmRecord, ...]:
    """Records of the operations on a release, the oldest first.

    Raises:
        httpx.HTTPError: the cluster does not give them.
        ValueError: one is not a record of Helm's.
    """
    answer = client.get(_secrets(namespace), params={"labelSelector": f"owner=helm,name={release}"})
    try:
        records = [HelmRecord.of(secret) for secret in answer.raise_for_status().json()["items"]]
        return tuple(sorted(records, key=lambda record: record.revision))
    except (KeyError, TypeError, OSError, EOFError) as problem:
        raise ValueError(f"a record of the Helm release {release!r} cannot be read: {problem!r}") from problem


def delete_lost_records(
    release: str, *, namespace: str, mark: ReleaseMark, kubeconfig: Path | None, context: str | None
) -> bool:
    """Delete the records of operations on `release` that a killed run left; return whether there were any.

    Such an operation never ended, which its record's status says, or it ended after the run was killed, and its record
    has the stack's mark.
    """
    with connect(kubeconfig=kubeconfig, context=context) as client:
        records = records_of(client, release, namespace=namespace)
        lost = [record for record in records if record.is_pending or mark.is_on(record)]
        for record in lost:
            client.delete(f"{_secrets(namespace)}/{record.name}").raise_for_status()
    return bool(lost)


def _secrets(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets"
