import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.cluster.serving.programs import PROJECT as SERVING_PROJECT
from tests.unit.cluster.serving.programs import interpreter
from tests.workers import made_once

from .programs import PROJECT, Server, started


@dataclass(frozen=True)
class Demo:
    """The demo's model as trained in this session, and the answer recorded with it."""

    directory: Path
    instances: list[list[float]]
    predictions: list[float]


@pytest.fixture(scope="session")
def python() -> Path:
    return interpreter(PROJECT)


@pytest.fixture(scope="session")
def demo(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    def train(out: Path) -> None:
        subprocess.run(
            [python, SERVING_PROJECT / "train_demo.py", "--out", out, "tensorflow"],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=300,
        )

    out = made_once("tensorflow-demo", train, factory=tmp_path_factory)
    recorded = json.loads((out / "expected.json").read_text())
    return Demo(out / "tensorflow", recorded["instances"], recorded["tensorflow-model"]["predictions"])


@pytest.fixture(scope="session")
def more_models(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def save(out: Path) -> None:
        subprocess.run([python, Path(__file__).with_name("more_models.py"), out], check=True, timeout=300)

    return made_once("tensorflow-more", save, factory=tmp_path_factory)


@pytest.fixture(scope="session")
def servers(
    python: Path, demo: Demo, more_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Server]]:
    """A ready server for each model, all loading at once."""
    logs = tmp_path_factory.mktemp("logs")
    folders = {"demo": demo.directory, "functions": more_models / "functions", "graph": more_models / "graph"}
    tags = {"graph": ("--saved_model_tags=serve,cpu",)}
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(started(python, folder, *tags.get(name, ()), log=logs / f"{name}.log"))
            for name, folder in folders.items()
        }
        for each in running.values():
            each.wait_ready()
        yield running
        for each in running.values():  # all at once; the contexts then wait for each
            each.process.terminate()


@pytest.fixture
def keras_versions(more_models: Path, tmp_path: Path) -> Path:
    """A model with the versions 9 and 10, of which 10 multiplies by two."""
    base = tmp_path / "keras"
    for version in ("9", "10"):
        shutil.copytree(more_models / "keras" / version, base / version)
    return base
