import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.workers import made_once

from .programs import PROJECT, Program, Server, interpreter, started


@dataclass(frozen=True)
class Demo:
    """The demo's models as trained in this session, and the answers recorded with them."""

    directory: Path
    instances: list[list[float]]
    predictions: dict[str, list[Any]]


@pytest.fixture(scope="session")
def python() -> Path:
    return interpreter()


@pytest.fixture(scope="session")
def sklearnserver(python: Path) -> Program:
    return Program(python, "serving.sklearnserver")


@pytest.fixture(scope="session")
def no_sklearn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What hides scikit-learn: XGBoost and LightGBM import it where they find it, and their images do not have it."""
    folder = tmp_path_factory.mktemp("hidden")
    (folder / "sklearn.py").write_text("raise ImportError('not in this image')\n")
    return folder


@pytest.fixture(scope="session")
def xgbserver(python: Path, no_sklearn: Path) -> Program:
    return Program(python, "serving.xgbserver", hidden=no_sklearn)


@pytest.fixture(scope="session")
def lgbserver(python: Path, no_sklearn: Path) -> Program:
    return Program(python, "serving.lgbserver", hidden=no_sklearn)


@pytest.fixture(scope="session")
def onnxserver(python: Path) -> Program:
    return Program(python, "serving.onnxserver")


@pytest.fixture(scope="session")
def demo(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    def train(out: Path) -> None:
        subprocess.run([python, PROJECT / "train_demo.py", "--out", out], check=True, stdout=subprocess.DEVNULL)

    out = made_once("demo", train, factory=tmp_path_factory)
    recorded = json.loads((out / "expected.json").read_text())
    instances = recorded.pop("instances")
    return Demo(out, instances, {name: answer["predictions"] for name, answer in recorded.items()})


@pytest.fixture(scope="session")
def more_models(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def train(out: Path) -> None:
        subprocess.run([python, Path(__file__).with_name("more_models.py"), out], check=True)

    return made_once("more", train, factory=tmp_path_factory)


@pytest.fixture(scope="session")
def servers(
    demo: Demo,
    more_models: Path,
    sklearnserver: Program,
    xgbserver: Program,
    lgbserver: Program,
    onnxserver: Program,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Server]]:
    """A ready server for each model, all loading at once."""
    logs = tmp_path_factory.mktemp("logs")
    with ExitStack() as stack:
        running = {}
        for program, folder in (
            (sklearnserver, demo.directory / "sklearn"),
            (sklearnserver, more_models / "names"),
            (xgbserver, demo.directory / "xgboost"),
            (xgbserver, demo.directory / "xgboost-json"),
            (xgbserver, more_models / "softprob"),
            (lgbserver, demo.directory / "lightgbm"),
            (onnxserver, demo.directory / "onnx"),
        ):
            server = started(program, folder, log=logs / f"{folder.name}.log")
            running[folder.name] = stack.enter_context(server)
        for program, folder, said in (
            (sklearnserver, demo.directory / "sklearn", {"PREDICT_PROBA": "true"}),
            (sklearnserver, more_models / "two-outputs", {"PREDICT_PROBA": "true"}),
            (onnxserver, demo.directory / "onnx", {"ONNX_OUTPUT": "probabilities"}),
        ):
            name = f"{folder.name}-proba"
            running[name] = stack.enter_context(started(program, folder, log=logs / f"{name}.log", environment=said))
        for each in running.values():
            each.wait_ready()
        yield running
        for each in running.values():  # all at once; the contexts then wait for each
            each.process.terminate()
