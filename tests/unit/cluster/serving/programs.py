"""The serving project's programs as processes, the way a container starts them."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import requests
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from cluster import image_python
from cluster.artifacts import Cache, locked
from cluster.catalog import PYTHON_FILESYSTEM
from cluster.locations import cache_dir

ROOT = Path(__file__).parents[4]
PROJECT = ROOT / "cluster" / "serving"


@dataclass(frozen=True)
class Program:
    """One program of the serving project, run by that project's own interpreter.

    Attributes:
        hidden: a folder with modules that hide packages that the program's image does not have.
        prefix: a command that runs it.
    """

    python: Path
    module: str
    hidden: Path | None = None
    prefix: tuple[str, ...] = ()

    def run(
        self,
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        termination_log: Path = Path("/nonexistent"),
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [*self.prefix, self.python, "-m", self.module, *arguments],
            env=self._environment({"TERMINATION_MESSAGE_PATH": str(termination_log), **(environment or {})}),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def start(
        self, *arguments: str | Path, log: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start it, with everything it prints in one file."""
        with log.open("wb") as stream:
            return subprocess.Popen(
                [*self.prefix, self.python, "-m", self.module, *arguments],
                env=self._environment(environment or {}),
                stdout=stream,
                stderr=stream,
            )

    def without_privileges(self) -> Program:
        """The program as a user whom permissions bind, as in a container; root's privileges override them."""
        drop = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
        return replace(self, prefix=drop if os.geteuid() == 0 else ())

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        environment = container_environment(more)
        if self.hidden:
            environment["PYTHONPATH"] = f"{self.hidden}:{environment['PYTHONPATH']}"
        return environment


def container_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Our environment without what steers Python or the stores' clients here, and what a container adds."""
    steering = ("AWS_", "S3_", "PYTHON", "REQUESTS_", "SSL_", "CURL_", "HF_", "GOOGLE_", "AZURE_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(steering)}
    return {**kept, "PYTHONPATH": str(PROJECT), **more}


class NotReadyError(Exception):
    """The server does not answer yet."""


@dataclass(frozen=True)
class Server:
    """A model server's process and address."""

    process: subprocess.Popen[bytes]
    port: int
    grpc_port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @retry(
        retry=retry_if_exception_type(NotReadyError), stop=stop_after_delay(180), wait=wait_fixed(0.05), reraise=True
    )
    def wait_ready(self) -> None:
        assert self.process.poll() is None, self.log.read_text()
        try:
            answer = requests.get(f"{self.url}/v1/models/model", timeout=10)
        except requests.ConnectionError as error:
            raise NotReadyError(self.log.read_text()) from error
        # The first answer of all is already the loaded model's: the port was not open before.
        assert answer.status_code == 200
        assert answer.json() == {"name": "model", "ready": True}

    @retry(retry=retry_if_exception_type(NotReadyError), stop=stop_after_delay(180), wait=wait_fixed(0.05))
    def wait_listening(self) -> None:
        """Wait for a server that has no model of its own."""
        assert self.process.poll() is None, self.log.read_text()
        if not self.port_is_open():
            raise NotReadyError(self.log.read_text())

    def port_is_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def predict(self, instances: object) -> requests.Response:
        return requests.post(f"{self.url}/v1/models/model:predict", json={"instances": instances}, timeout=10)


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that no other process is given meanwhile; servers set SO_REUSEADDR, too, so they can listen on it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def started(
    program: Program, model_dir: Path, *more: str, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Start a model server on free ports; end it when done."""
    with reserved_port() as port, reserved_port() as grpc_port:
        ports = (f"--http_port={port}", f"--grpc_port={grpc_port}")
        arguments = ("--model_name=model", f"--model_dir={model_dir}", *ports, *more)
        process = program.start(*arguments, log=log, environment=environment)
        try:
            yield Server(process, port, grpc_port, log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def path_of(example: str) -> dict[str, str]:
    """What a process finds the program of `examples/<example>` by."""
    return {"PYTHONPATH": f"{PROJECT}:{PROJECT.parent.parent / 'examples' / example}"}


@contextmanager
def companion(example: str, *arguments: str, predictor: str, python: Path, log: Path) -> Iterator[Server]:
    """A transformer or an explainer of `examples/`, told what KServe tells it; ready, and ended when done."""
    with reserved_port() as port:
        program = Program(python, "serving.with_sdk")
        told = ("--model_name", "model", "--predictor_host", predictor, "--http_port", str(port))
        module = example.replace("-", "_")
        process = program.start(module, *arguments, *told, log=log, environment=path_of(example))
        server = Server(process, port, port, log)
        try:
            server.wait_ready()
            yield server
        finally:
            process.kill()
            process.wait()


def interpreter(project: Path = PROJECT) -> Path:
    """The images' Python with a project's packages; this machine's where it is of the same version."""
    venv = project / ".venv"
    with locked(cache_dir() / "locks" / f"{project.name}-packages"):
        subprocess.run(["make", "--silent", "--directory", ROOT, f"{venv.relative_to(ROOT)}/.synced"], check=True)
        (packages,) = (venv / "lib").glob("python3.*/site-packages")
        if packages.parent.name == f"python{image_python.VERSION}":
            return venv / "bin" / "python"
        root = PYTHON_FILESYSTEM.build(Cache(cache_dir() / "entries"))
        script = venv / "bin" / "image-python"
        script.write_text(
            "#!/bin/sh\n"
            f'export PYTHONHOME={root}/usr PYTHONPATH="$PYTHONPATH:{packages}"\n'
            f'exec {shlex.join(image_python.command(root))} "$@"\n'
        )
        script.chmod(0o755)
        return script
