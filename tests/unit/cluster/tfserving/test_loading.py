import shutil
import signal
from pathlib import Path

import pytest
import requests
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.unit.cluster.serving.programs import Program

from .conftest import Demo
from .programs import ENVIRONMENT, Server, started


def refused(python: Path, *arguments: str, tmp_path: Path) -> str:
    """The one line with which the server ends."""
    termination_log = tmp_path / "termination-log"
    termination_log.touch()
    ended = Program(python, "tfserving").run(*arguments, environment=ENVIRONMENT, termination_log=termination_log)
    assert ended.returncode == 1
    message = termination_log.read_text()
    assert ended.stderr == f"ERROR {message}\n"
    return message


def refused_model(python: Path, base: Path, *more: str, tmp_path: Path) -> str:
    """Why a model cannot be served, without the model directory."""
    arguments = ("--model_name=model", f"--model_base_path={base}", "--rest_api_port=1", *more)
    message = refused(python, *arguments, tmp_path=tmp_path)
    assert message.startswith(f"model model: {base}")
    return message.removeprefix(f"model model: {base}")


def test_the_newest_version_is_served_and_folders_of_other_names_are_not(
    python: Path, keras_versions: Path, tmp_path: Path
) -> None:
    shutil.copytree(keras_versions / "9", keras_versions / "v99")
    (keras_versions / "100").write_text("no folder")
    with started(python, keras_versions, log=tmp_path / "log") as server:
        server.wait_ready()
        # A model of Keras, as its `export` writes it.
        assert server.predict({"instances": [[1.0, 2.0]]}).json() == {"predictions": [[6.0]]}
        assert server.predict({"instances": [[1.0, 2.0]]}, path="model/versions/9:predict").status_code == 404


def test_a_version_that_comes_later_is_served_once_it_is_loaded(
    python: Path, keras_versions: Path, more_models: Path, tmp_path: Path
) -> None:
    def served(expected: float) -> None:
        assert server.predict({"instances": [[1.0, 2.0]]}).json() == {"predictions": [[expected]]}

    @retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True)
    def wait_served(expected: float) -> None:
        served(expected)

    @retry(retry=retry_if_exception_type(AssertionError), stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True)
    def wait_said(words: str) -> None:
        assert words in server.log.read_text()

    with started(python, keras_versions, log=tmp_path / "log") as server:
        server.wait_ready()
        served(6.0)
        (keras_versions / "12").mkdir()
        wait_said(f"WARNING version 10 is still served: {keras_versions}/12: TensorFlow cannot load it: ")
        served(6.0)
        (keras_versions / "12").rmdir()
        shutil.copytree(more_models / "keras" / "11", tmp_path / "copied")
        (tmp_path / "copied").rename(keras_versions / "11")
        wait_served(9.0)
        states = {each["version"]: each["state"] for each in server_status(server)}
        assert states == {"11": "AVAILABLE", "10": "END"}


def server_status(server: Server) -> list[dict[str, str]]:
    status = requests.get(f"{server.url}/model", timeout=30).json()
    return list(status["model_version_status"])


def test_sigterm_ends_a_ready_server(python: Path, demo: Demo, tmp_path: Path) -> None:
    with started(python, demo.directory, log=tmp_path / "log") as server:
        server.wait_ready()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) in (0, -signal.SIGTERM, 128 + signal.SIGTERM)


def test_unknown_flags_are_said_and_ignored_as_in_tensorflow_serving(python: Path, demo: Demo, tmp_path: Path) -> None:
    more = ("--no_such_flag=1", "--enable_batching", "--prefer_tflite_model=false", "--file_system_poll_wait_seconds=0")
    with started(python, demo.directory, *more, log=tmp_path / "log") as server:
        server.wait_ready()
        assert "WARNING flags that do nothing here: --enable_batching --no_such_flag=1\n" in server.log.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--model_base_path=/m", "--rest_api_port=8080", "--model_config_file=/f"],
            "--model_config_file is not supported by this server: one model is served, by --model_name and "
            "--model_base_path",
        ),
        (
            ["--model_base_path=/m", "--rest_api_port=8080", "--prefer_tflite_model"],
            "--prefer_tflite_model is not supported by this server: SavedModels alone are served",
        ),
        (["--rest_api_port=8080"], "--model_base_path is required: the folder above the version folders"),
        (["--model_base_path=/m"], "--rest_api_port is required: this server speaks REST alone"),
        (["--model_base_path=/m", "--rest_api_port=http"], "argument --rest_api_port: invalid int value: 'http'"),
    ],
    ids=["config", "tflite", "no path", "no port", "no number"],
)
def test_flags_that_would_serve_something_else_end_the_server(
    python: Path, arguments: list[str], words: str, tmp_path: Path
) -> None:
    assert refused(python, *arguments, tmp_path=tmp_path) == f"command line: {words}"


WANTED = "storageUri must name the folder above a version folder, as <folder>/1/saved_model.pb"


def test_a_model_that_cannot_be_loaded_ends_the_server_with_the_reason(
    python: Path, demo: Demo, tmp_path: Path
) -> None:
    base = tmp_path / "model"
    assert refused_model(python, base, tmp_path=tmp_path) == f": no such directory; {WANTED}"
    base.mkdir()
    assert refused_model(python, base, tmp_path=tmp_path) == (f": no version folder in it, it holds nothing; {WANTED}")
    shutil.copytree(demo.directory / "1", base, dirs_exist_ok=True)
    assert refused_model(python, base, tmp_path=tmp_path) == (
        ": no version folder in it, it holds assets, fingerprint.pb, saved_model.pb, variables; move it into a folder "
        "that is named by its version: model/1/saved_model.pb"
    )


def test_a_broken_model_ends_the_server_with_the_reason(python: Path, demo: Demo, tmp_path: Path) -> None:
    base = tmp_path / "model"
    version = base / "1"
    shutil.copytree(demo.directory / "1", version)
    words = refused_model(python, base, "--saved_model_tags=serve,gpu", tmp_path=tmp_path)
    assert words.startswith("/1: TensorFlow cannot load it: MetaGraphDef associated with tags ")
    for data in (version / "variables").glob("*.data*"):
        data.unlink()
    words = refused_model(python, base, tmp_path=tmp_path)
    assert words.startswith("/1: TensorFlow cannot load it: ")
    assert "variables.data-00000-of-00001" in words
    (version / "saved_model.pb").write_bytes(b"no model")
    words = refused_model(python, base, tmp_path=tmp_path)
    assert words.startswith("/1: TensorFlow cannot load it: Cannot parse file ")
    (version / "saved_model.pb").unlink()
    words = refused_model(python, base, tmp_path=tmp_path)
    assert words.startswith("/1: TensorFlow cannot load it: SavedModel file does not exist at: ")
