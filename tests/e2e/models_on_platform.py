"""Stacks of models on the platform that the demo's stack has: what a module of tests needs of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stack_files import dump
from tests.e2e.cluster_objects import all_objects
from tests.e2e.machine import NODE, Deployment

PLATFORM = "e2e"
STORAGE = {"demo": {"kind": "s3", "endpoint": f"http://{NODE}:9000", "profile": "kserve-multi-model"}}


def stack_of_models(
    name: str, *models: Mapping[str, Any], directory: Path, deployment: Deployment, **settings: Any
) -> Deployment:
    """A stack of models in the namespace of the stack's name, with nothing deployed yet."""
    config = {"platform": PLATFORM, "cluster": {"namespace": name}, "storage": STORAGE, "models": models, **settings}
    text = dump({"config": {f"kserve-multi-model:{key}": value for key, value in config.items()}})
    return Deployment.made(name, directory=directory, environment=deployment.environment, text=text)


@contextmanager
def models_on_platform(
    name: str, *models: Mapping[str, Any], directory: Path, deployment: Deployment, **settings: Any
) -> Iterator[Deployment]:
    """A stack of models, deployed; in the end nothing is left of it."""
    stack = stack_of_models(name, *models, directory=directory, deployment=deployment, **settings)
    try:
        stack.up()
        yield stack
    finally:
        stack.destroy()
        stack.remove()
    left = [thing for thing in all_objects(deployment) if f"/{name}/" in thing or thing == f"Namespace//{name}"]
    assert left == []
