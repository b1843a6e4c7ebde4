"""Programs already on this machine that are good enough to use instead of a build."""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path

from cluster.errors import ClusterError
from cluster.processes import output


@cache
def _version(command: str, *arguments: str) -> tuple[Path, tuple[int, int]] | None:
    """The command's path and (major, minor), or None when it is missing or does not say."""
    path = shutil.which(command)
    if path is None:
        return None
    try:
        text = output([path, *arguments])
    except ClusterError:
        return None
    version = re.search(r"v?(\d+)\.(\d+)\.\d+", text)
    return (Path(path), (int(version[1]), int(version[2]))) if version else None


def _usable(found: tuple[Path, tuple[int, int]] | None, *, low: tuple[int, int], below: tuple[int, int]) -> Path | None:
    return found[0] if found and low <= found[1] < below else None


def usable_pulumi() -> Path | None:
    """A Pulumi CLI with its Python language host, at least as new as the one we pin."""
    found = _usable(_version("pulumi", "version"), low=(3, 259), below=(4, 0))
    return found if found and shutil.which("pulumi-language-python") else None


def usable_helm() -> Path | None:
    """A Helm that packs and pushes OCI charts over plain HTTP."""
    return _usable(_version("helm", "version", "--short"), low=(3, 13), below=(5, 0))


def usable_kubectl() -> Path | None:
    """A kubectl within one minor version of the local cluster's API server."""
    return _usable(_version("kubectl", "version", "--client"), low=(1, 33), below=(1, 36))
