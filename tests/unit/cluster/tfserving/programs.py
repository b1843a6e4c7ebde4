"""The TensorFlow server as a process, the way a container starts it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.unit.cluster.serving.programs import PROJECT as SERVING_PROJECT
from tests.unit.cluster.serving.programs import NotReadyError, Program, reserved_port

PROJECT = SERVING_PROJECT.parent / "tfserving"
ENVIRONMENT = {"PYTHONPATH": f"{PROJECT}:{SERVING_PROJECT}"}


@dataclass(frozen=True)
class Server:
    """The server's process and address."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/models"

    @retry(
        retry=retry_if_exception_type(NotReadyError), stop=stop_after_delay(180), wait=wait_fixed(0.05), reraise=True
    )
    def wait_ready(self) -> None:
        assert self.process.poll() is None, self.log.read_text()
        try:
            answer = requests.get(f"{self.url}/model", timeout=10)
        except requests.ConnectionError as error:
            raise NotReadyError(self.log.read_text()) from error
        # The first answer of all is already the loaded model's: the port was not open before.
        assert answer.json()["model_version_status"][0]["state"] == "AVAILABLE"

    def predict(self, body: Any, *, path: str = "model:predict") -> requests.Response:
        return requests.post(f"{self.url}/{path}", json=body, timeout=30)

    def asked(self, signature: str, **given: Any) -> Any:
        """What a signature answers."""
        answer = self.predict({"signature_name": signature, **given})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, signature: str, **given: Any) -> str:
        """The words that refuse a request."""
        answer = self.predict({"signature_name": signature, **given})
        assert answer.status_code == 400, answer.text
        return str(answer.json()["error"])


@contextmanager
def started(python: Path, base: Path, *more: str, log: Path) -> Iterator[Server]:
    """Start the server on a free port; end it when done."""
    with reserved_port() as port:
        # As KServe's runtime kserve-tensorflow-serving does.
        arguments = ("--model_name=model", "--port=9000", f"--rest_api_port={port}", f"--model_base_path={base}")
        program = Program(python, "tfserving")
        process = program.start(*arguments, "--rest_api_timeout_in_ms=60000", *more, log=log, environment=ENVIRONMENT)
        try:
            yield Server(process, port, log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
