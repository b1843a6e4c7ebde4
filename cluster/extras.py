"""Finds the extras of the local cluster that a stack needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

import stack_files
from cluster.build import Build
from cluster.errors import ClusterError
from releases.local import LOCAL


def extras_of(stack_file: Path, *, build: Build) -> list[str]:
    """Names of the extras that a stack's settings need, in the order of the catalog.

    Wrong settings need nothing: `pulumi preview` reports them.

    Raises:
        ClusterError: the file cannot be read, or is not YAML.
    """
    try:
        document = stack_files.read(stack_file)
    except (OSError, yaml.YAMLError) as error:
        raise ClusterError(
            f"{stack_file}: {error}", hint="It is read to find out what the local cluster needs for this stack."
        ) from error
    settings = stack_files.settings(document)
    return [name for name in build.extras if _needs(name, settings)]


def _needs(extra: str, settings: dict[str, Any]) -> bool:
    if extra == "monitoring":
        return bool(settings.get("monitoring"))
    # Searched as text, because they occur at different depths of a model's settings.
    text = json.dumps(settings.get("models"))
    signs = {"bandit": ['"bandit": '], "examples": ["/examples/"]}
    return any(sign in text for sign in signs.get(extra, [f'"format": "{name}"' for name in _formats(extra)]))


def _formats(extra: str) -> set[str]:
    """Names of the formats whose server the extra has."""
    runtimes = [runtime for runtime in LOCAL.runtimes if LOCAL.on_demand.get(runtime.image) == extra]
    return {model_format.name for runtime in runtimes for model_format in runtime.formats}
