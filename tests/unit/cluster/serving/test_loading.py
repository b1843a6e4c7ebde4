import os
import pickle
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from .conftest import Demo
from .programs import Program, Server, started


def refused(program: Program, model_dir: Path, tmp_path: Path, **environment: str) -> str:
    """The one line with which a server ends that cannot load its model, without the model directory."""
    termination_log = tmp_path / "termination-log"
    termination_log.touch()
    arguments = ("--model_name=model", f"--model_dir={model_dir}")
    ended = program.run(*arguments, environment=environment, termination_log=termination_log)
    assert ended.returncode == 1
    # LightGBM prints what is fatal to it, whoever catches it.
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("[LightGBM]")]
    assert len(lines) == 1
    message = termination_log.read_text()
    assert lines == [f"ERROR {message}"]
    assert message.startswith(f"model model: {model_dir}")
    return message.removeprefix(f"model model: {model_dir}")


class ReadsPipeFirst:
    """Unpickled: first read a named pipe to its end, then load a model."""

    def __init__(self, pipe: Path, model: Path):
        self.code = f"(open({str(pipe)!r}).read(), __import__('joblib').load({str(model)!r}))[1]"

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (self.code,)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.fixture
def slow_model(demo: Demo, pipe: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(ReadsPipeFirst(pipe, demo.directory / "sklearn" / "model.joblib")))
    return folder


def test_port_opens_when_the_model_is_loaded_and_not_before(
    sklearnserver: Program, slow_model: Path, pipe: Path, demo: Demo, tmp_path: Path
) -> None:
    with started(sklearnserver, slow_model, log=tmp_path / "log") as server:
        with pipe.open("w"):  # opens when the server reads it, in the middle of loading
            assert not server.port_is_open()
        server.wait_ready()
        assert server.predict(demo.instances).json() == {"predictions": [1, 0]}


def test_sigterm_ends_a_server_that_is_still_loading(
    sklearnserver: Program, slow_model: Path, pipe: Path, tmp_path: Path
) -> None:
    with started(sklearnserver, slow_model, log=tmp_path / "log") as server, pipe.open("w"):
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 128 + signal.SIGTERM


def test_sigterm_ends_a_ready_server(xgbserver: Program, demo: Demo, tmp_path: Path) -> None:
    with started(xgbserver, demo.directory / "xgboost", log=tmp_path / "log") as server:
        assert_stops(server)


def assert_stops(server: Server) -> None:
    server.wait_ready()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=10) == 0
    assert not server.port_is_open()


def test_no_model_is_refused(sklearnserver: Program, demo: Demo, tmp_path: Path) -> None:
    message = refused(sklearnserver, demo.directory / "xgboost", tmp_path)
    assert message.startswith(": no model file (.joblib .pkl .pickle) in it, it holds model.ubj; storageUri must name")


def test_several_models_are_refused(xgbserver: Program, demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "several"
    shutil.copytree(demo.directory / "xgboost", folder)
    shutil.copytree(demo.directory / "xgboost-json", folder, dirs_exist_ok=True)
    message = refused(xgbserver, folder, tmp_path)
    assert message == ": 2 model files (model.json, model.ubj); keep exactly one in the folder"


@pytest.mark.parametrize("content", [b"", b"not a model\n"])
def test_unreadable_booster_is_refused(xgbserver: Program, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.ubj").write_bytes(content)
    message = refused(xgbserver, tmp_path, tmp_path)
    assert message.startswith("/model.ubj: cannot be read: XGBoostError: ")
    assert message.endswith("save the model again with the library versions of this server, or upload the right file")


def test_pickle_of_an_unknown_library_is_refused(sklearnserver: Program, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"cnosuchlibrary\nModel\n.")
    message = refused(sklearnserver, tmp_path, tmp_path)
    assert message.startswith("/model.pkl: cannot be read: ModuleNotFoundError: No module named 'nosuchlibrary'; save")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("unfitted", "a LogisticRegression that is not fitted; fit it, then save it"),
        ("unfitted-text", "a Pipeline that is not fitted; fit it, then save it"),
        ("no-estimator", "a dict, which has no predict()"),
    ],
)
def test_what_is_no_fitted_estimator_is_refused(
    sklearnserver: Program, more_models: Path, name: str, why: str, tmp_path: Path
) -> None:
    assert refused(sklearnserver, more_models / name, tmp_path) == f"/model.pkl: {why}"


def test_a_folder_too_high_is_refused(sklearnserver: Program, demo: Demo, tmp_path: Path) -> None:
    message = refused(sklearnserver, demo.directory, tmp_path)
    assert "expected.json, lightgbm/model.bst" in message
    assert message.endswith("; an archive must have the file at its top, and no folder around it")


def test_a_file_in_place_of_the_folder_is_refused(xgbserver: Program, demo: Demo, tmp_path: Path) -> None:
    message = refused(xgbserver, demo.directory / "xgboost" / "model.ubj", tmp_path)
    assert message.startswith(": a file, no directory: pvc:// mounts a file without its name; storageUri must name the")


@pytest.mark.parametrize("secret", ["", "model.ubj"])
def test_what_the_server_may_not_read_is_named(xgbserver: Program, demo: Demo, secret: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(demo.directory / "xgboost", folder)
    (folder / secret).chmod(0)
    try:
        message = refused(xgbserver.without_privileges(), folder, tmp_path)
    finally:
        (folder / secret).chmod(0o755)
    where = f"/{secret}" if secret else ""
    assert message.startswith(f"{where}: Permission denied: this server is user {os.getuid()}, and it belongs to user")
    assert "with mode 0000; make it readable for all, or give the pod its owner in securityContext" in message


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("two-inputs", "takes a tensor(float) ['rows', 4], b tensor(float) ['rows', 4]; this server serves models of"),
        ("any-width", "takes a tensor(float) ['rows', 'columns']; this server serves models of one tensor of numbers"),
    ],
)
def test_a_graph_that_takes_no_rows_is_refused(
    onnxserver: Program, more_models: Path, name: str, why: str, tmp_path: Path
) -> None:
    assert refused(onnxserver, more_models / name, tmp_path).startswith(f"/model.onnx: {why}")


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("output_probability", "its output 'output_probability' is a seq(map(int64,tensor(float))), no tensor; name"),
        ("labels", "has no output 'labels'; it has output_label, output_probability"),
    ],
)
def test_an_output_that_cannot_be_sent_is_refused(
    onnxserver: Program, more_models: Path, output: str, why: str, tmp_path: Path
) -> None:
    message = refused(onnxserver, more_models / "zipmap", tmp_path, ONNX_OUTPUT=output)
    assert message.startswith(f"/model.onnx: {why}")


def test_other_files_than_models_are_refused(lgbserver: Program, onnxserver: Program, tmp_path: Path) -> None:
    for program, file in ((lgbserver, "model.bst"), (onnxserver, "model.onnx")):
        folder = tmp_path / file
        folder.mkdir()
        (folder / file).write_text("not a model")
        message = refused(program, folder, tmp_path)
        assert message.startswith(f"/{file}: cannot be read: ")
