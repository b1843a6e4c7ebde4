"""What a request carries to be accepted, and files that the kubeconfig names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kube.kubeconfig import Access


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Client certificate (with its chain) and private key, in PEM."""

    chain: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What a request carries: the header Authorization, a client certificate, both or neither."""

    authorization: str = field(default="", repr=False)
    certificate: Certificate | None = None
    expires: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= datetime.now(UTC)


def authority_of(access: Access) -> bytes | None:
    """Certificates of the authorities that the cluster's certificate must be signed by, in PEM; None: the system's.

    Raises KubeconfigError.
    """
    cluster = access.cluster
    if cluster.authority is not None or cluster.authority_file is None:
        return cluster.authority
    return read_file(cluster.authority_file, what="certificate-authority", access=access)


def read_file(path: Path, *, what: str, access: Access) -> bytes:
    """Content of a file that the kubeconfig names in the field `what`. Raises KubeconfigError."""
    try:
        return path.read_bytes()
    except OSError as problem:
        raise access.error(f"{what} {path} cannot be read: {problem.strerror}; correct the path") from problem
