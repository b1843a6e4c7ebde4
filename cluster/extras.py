"""What a stack needs of the local cluster beside what every cluster starts with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

import stack_files
from cluster.build import Build
from cluster.errors import ClusterError


def extras_of(stack_file: Path, *, build: Build) -> list[str]:
    """Names of the extras that a stack's settings ask for, in the order of the catalog.

    Settings that are wrong ask for nothing here: `pulumi preview` says what is wrong with them.

    Raises:
        ClusterError: the file cannot be read, or is no YAML.
    """
    try:
        document = stack_files.read(stack_file)
    except (OSError, yaml.YAMLError) as error:
        raise ClusterError(
            f"{stack_file}: {error}", hint="It is read for what the local cluster has to hold."
        ) from error
    settings = stack_files.settings(document)
    return [name for name in build.extras if _asks_for(name, settings)]


def _asks_for(extra: str, settings: dict[str, Any]) -> bool:
    if extra == "monitoring":
        return bool(settings.get("monitoring"))
    # Formats, a canary's bandit and an example's image stand at different depths of models and their parts.
    words = json.dumps(settings.get("models"))
    return {
        "lightgbm": '"format": "lightgbm"',
        "onnx": '"format": "onnx"',
        "bandit": '"bandit": ',
        "examples": "/examples/",
    }[extra] in words
