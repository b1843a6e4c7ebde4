"""MLServer as a process, started as the local cluster's serving runtime starts it in a container."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from tenacity import retry, retry_if_not_result, stop_after_delay, wait_fixed

from cluster.catalog import MLSERVER_PROGRAM, MLSERVER_PROJECT, SERVING_PROJECT
from releases.more_formats import MLSERVER, MODEL_FOLDER
from tests.unit.cluster.serving.programs import container_environment, reserved_port

MODEL = "model"


@dataclass(frozen=True)
class Server:
    """A running MLServer."""

    process: subprocess.Popen[bytes]
    port: int
    grpc_port: int
    metrics_port: int
    log: Path

    def is_ready(self) -> bool:
        """Whether the model is ready by the path of KServe's probe."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(self.url(f"v2/models/{MODEL}/ready"), timeout=1).ok
        except requests.RequestException:
            return False

    @retry(retry=retry_if_not_result(bool), stop=stop_after_delay(300), wait=wait_fixed(0.1))
    def wait_ready(self) -> bool:
        return self.is_ready()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"


def command(python: Path, folder: Path) -> list[str]:
    arguments = [argument.replace(MODEL_FOLDER, str(folder)) for argument in MLSERVER.arguments]
    return [str(python), "-m", MLSERVER_PROGRAM.name, *arguments]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The runtime's variables for a model in another folder; `more` replaces some."""
    given = {name: value.replace("{{.Name}}", MODEL) for name, value in MLSERVER.environment}
    assert given["MLSERVER_MODEL_URI"] == MODEL_FOLDER
    changed = {"PYTHONPATH": f"{MLSERVER_PROJECT}:{SERVING_PROJECT}", "MLSERVER_MODEL_URI": str(folder), **more}
    return container_environment({**given, **changed})


@contextmanager
def started(python: Path, folder: Path, *, log: Path) -> Iterator[Server]:
    """Start MLServer on free ports; end it when done."""
    with reserved_port() as port, reserved_port() as grpc_port, reserved_port() as metrics_port:
        ports = {"HTTP": port, "GRPC": grpc_port, "METRICS": metrics_port}
        variables = environment(folder, **{f"MLSERVER_{kind}_PORT": str(number) for kind, number in ports.items()})
        with log.open("wb") as stream:
            process = subprocess.Popen(command(python, folder), env=variables, stdout=stream, stderr=stream)
        try:
            yield Server(process, port, grpc_port, metrics_port, log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
