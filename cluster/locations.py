"""Where the local cluster keeps what it builds and what it runs, after the XDG base directories."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = "kserve-multi-model"
# Beside the clusters' own: Pulumi's files for a cluster of the user's.
TOOLS = "tools"


def _xdg(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default) / PROJECT


def cache_dir() -> Path:
    """Everything that can be built again: binaries, root filesystems, images, the registry's content."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def state_dir(name: str) -> Path:
    """One cluster's own files: the node's disk, the S3 data, kubeconfig, keys, Pulumi's state."""
    return _xdg("XDG_STATE_HOME", ".local/state") / name


def logs_dir() -> Path:
    """One log file per build."""
    return cache_dir() / "logs"
