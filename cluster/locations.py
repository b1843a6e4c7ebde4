"""The folders of the local cluster, in the XDG base directories."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = "kserve-multi-model"
# The state directory of Pulumi for a cluster the user has, beside those of local clusters.
TOOLS = "tools"


def _xdg(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default) / PROJECT


def cache_dir() -> Path:
    """The folder of what can be built again: binaries, root filesystems, images, the registry's content."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def state_dir(name: str) -> Path:
    """The folder of one cluster's files: the node's disk, S3 data, kubeconfig, keys, Pulumi's state."""
    return _xdg("XDG_STATE_HOME", ".local/state") / name


def logs_dir() -> Path:
    """The folder of the builds' logs, one a part."""
    return cache_dir() / "logs"
