"""The program as a process, beside one that answers as TorchServe does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

PROJECTS = [Path(__file__).parents[4] / "cluster" / name for name in ("torchserve", "serving")]
FAKE = Path(__file__).with_name("fake_java.py")
SECONDS = 60


@dataclass(frozen=True)
class Started:
    """The program while it runs."""

    process: subprocess.Popen[str]
    client: httpx.Client
    stopped: Path

    def is_ready(self) -> bool:
        return self.get("/v1/models/iris") == 200

    @retry(retry=retry_if_exception_type(httpx.ConnectError), wait=wait_fixed(0.1), stop=stop_after_delay(SECONDS))
    def get(self, path: str) -> int:
        return self.client.get(path).status_code

    def predict(self) -> httpx.Response:
        return self.client.post("/v1/models/iris:predict", json={"instances": [[1.0]]})

    def end(self) -> tuple[int, str]:
        """The exit code, and the last line on stderr."""
        _, said = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, said.strip().splitlines()[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(
    tmp_path: Path, behaviour: str = "", *, archive: bool = True, hiding: Path | None = None
) -> Iterator[Started]:
    java = tmp_path / "jvm/bin/java"
    java.parent.mkdir(parents=True)
    java.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    java.chmod(0o755)
    (tmp_path / "models/model-store").mkdir(parents=True)
    if archive:
        (tmp_path / "models/model-store/flowers.mar").touch()
    port, stopped, message = free_port(), tmp_path / "stopped", tmp_path / "message"
    if not message.exists():
        message.touch()
    own = {
        "JAVA_HOME": str(java.parents[1]),
        "PYTHONPATH": os.pathsep.join(map(str, filter(None, (hiding, *PROJECTS)))),
        "FAKE_TORCHSERVE": behaviour,
        "STOPPED": str(stopped),
        "TERMINATION_MESSAGE_PATH": str(message),
    }
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "torchserve_image",
            "--model_name=iris",
            f"--model_dir={tmp_path}/models",
            f"--http_port={port}",
        ],
        env={**os.environ, **own},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS) as client:
            yield Started(process, client, stopped)
    finally:
        # Killed, it would leave the other one behind.
        process.terminate()
        process.wait(SECONDS)


def test_it_is_ready_when_torchserve_has_loaded_the_model(tmp_path: Path) -> None:
    with started(tmp_path) as program:
        while not program.is_ready():
            pass
        answer = program.predict()
        assert (answer.status_code, answer.json()) == (200, {"predictions": [1, 0]})


def test_it_lives_but_is_not_ready_while_torchserve_loads(tmp_path: Path) -> None:
    with started(tmp_path, "loads") as program:
        assert program.get("/v2/health/live") == 200
        assert program.get("/v2/health/ready") == 503
        assert not program.is_ready()


def test_sigterm_ends_torchserve_too(tmp_path: Path) -> None:
    with started(tmp_path) as program:
        while not program.is_ready():
            pass
        program.process.send_signal(signal.SIGTERM)
        assert program.end()[0] == 0
        assert program.stopped.exists()


def test_sigterm_ends_it_while_it_starts(tmp_path: Path) -> None:
    """By a handler of its own: the kernel ignores the signal for a container's first process without one."""
    slow, begun = tmp_path / "slow", tmp_path / "begun"
    slow.mkdir()
    (slow / "uvicorn.py").write_text(f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(60)\n")
    with started(tmp_path, hiding=slow) as program:
        for _ in range(SECONDS * 100):
            if begun.exists():
                break
            time.sleep(0.01)
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(SECONDS) == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (
            "fails",
            "TorchServe cannot load the model: ImportError: no module named torchvision; "
            "ModuleNotFoundError: No module named 'ts.torch_handler.handler'",
        ),
        ("fails to start", "TorchServe cannot load the model: RuntimeError: Unable to find torch_shm_manager"),
        (
            "refuses",
            "TorchServe ended with code 1: Invalid configuration: "
            "Model version 1.0 is already registered for model flowers",
        ),
    ],
)
def test_it_ends_with_torchserves_words_when_the_model_cannot_be_loaded(
    tmp_path: Path, behaviour: str, words: str
) -> None:
    with started(tmp_path, behaviour) as program:
        assert program.end() == (1, f"ERROR {words}")
        assert (tmp_path / "message").read_text() == words
        # Nothing of it is left, either.
        assert program.stopped.exists() == (behaviour != "refuses")


def test_it_ends_when_torchserve_ends(tmp_path: Path) -> None:
    with started(tmp_path, "dies") as program:
        while not program.is_ready():
            pass
        assert program.predict().status_code == 503
        code, words = program.end()
        assert code == 1
        assert words.startswith("ERROR TorchServe ended with code 3")


def test_it_ends_at_once_without_an_archive(tmp_path: Path) -> None:
    with started(tmp_path, archive=False) as program:
        code, words = program.end()
        assert code == 1
        assert words.startswith("ERROR no model archive (*.mar) in ")


def test_a_termination_message_that_cannot_be_written_hides_no_reason(tmp_path: Path) -> None:
    (tmp_path / "message").mkdir()
    with started(tmp_path, archive=False) as program:
        code, words = program.end()
        assert code == 1
        assert words.startswith("ERROR no model archive (*.mar) in ")
