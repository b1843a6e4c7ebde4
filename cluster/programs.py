"""Finds programs on this machine that can be used instead of building them."""

from __future__ import annotations

import os
import re
import shutil
from functools import cache
from pathlib import Path

from cluster.errors import ClusterError
from cluster.locations import cache_dir, state_dir
from cluster.processes import output


def _on_path(command: str) -> Path | None:
    """The first such program on PATH that was not built here; `cluster env` puts those on PATH, too."""
    ours = (cache_dir().resolve(), state_dir("").resolve())
    for directory in os.get_exec_path():
        found = shutil.which(command, path=directory)
        if found and not any(Path(found).resolve().is_relative_to(place) for place in ours):
            return Path(found)
    return None


@cache
def _version(command: str, *arguments: str) -> tuple[Path, tuple[int, int]] | None:
    """The command's path and version (major, minor), or None when either is not found."""
    path = _on_path(command)
    if path is None:
        return None
    try:
        text = output([path, *arguments])
    except ClusterError:
        return None
    version = re.search(r"v?(\d+)\.(\d+)\.\d+", text)
    return (path, (int(version[1]), int(version[2]))) if version else None


def _usable(command: str, *arguments: str, low: tuple[int, int], below: tuple[int, int]) -> Path | None:
    found = _version(command, *arguments)
    return found[0] if found and low <= found[1] < below else None


def usable_pulumi() -> Path | None:
    """A Pulumi CLI at least as new as the pinned one, with its Python language host on PATH or beside the CLI."""
    found = _usable("pulumi", "version", low=(3, 259), below=(4, 0))
    host = "pulumi-language-python"
    return found if found and (_on_path(host) or shutil.which(host, path=found.resolve().parent)) else None


def usable_helm() -> Path | None:
    """A Helm that packs and pushes OCI charts over plain HTTP."""
    return _usable("helm", "version", "--short", low=(3, 13), below=(5, 0))


def usable_kubectl() -> Path | None:
    """A kubectl within one minor version of the local cluster's API server."""
    return _usable("kubectl", "version", "--client", low=(1, 33), below=(1, 36))
