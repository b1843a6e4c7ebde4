"""Run TorchServe, and the application that answers for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import Any, NoReturn

import httpx2 as httpx
import uvicorn
from serving.container import give_up
from starlette.applications import Starlette

from torchserve_image.api import api
from torchserve_image.configuration import Configuration, WrongModelError
from torchserve_image.torchserve import URL, TorchServe, UnknownModelError

# How often TorchServe is asked whether it has loaded the model, in seconds.
INTERVAL = 1
# The last line of a traceback in a worker's log, and what TorchServe says after a worker ended while it loaded, or
# twice before it did. It would go on trying.
WORKER_ERROR = re.compile(r" MODEL_LOG - ((?:\w+\.)*\w*(?:Error|Exception)\b.*)")
LOAD_FAILED = ("Load model failed", "Auto recovery failed again")
# A worker may print whatever it likes.
LONGEST_LINE = 2**24


class StoppedError(Exception):
    """TorchServe ended, or could not load the model."""


def run() -> None:
    """Serve until SIGTERM, or until TorchServe ends."""
    work = Path(tempfile.mkdtemp(prefix="torchserve-"))
    try:
        configuration = Configuration.read(sys.argv[1:], os.environ, work=work)
        properties = configuration.properties()
        configuration.properties_file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        asyncio.run(serve(configuration))
    except (WrongModelError, UnknownModelError, StoppedError) as error:
        give_up(str(error))


async def serve(configuration: Configuration) -> None:
    """Run TorchServe and the application beside each other until one of them ends, then end the other.

    Raises:
        StoppedError: TorchServe ended, or could not load the model.
        UnknownModelError: the model store has other models.
    """
    process = await asyncio.create_subprocess_exec(
        *configuration.java_command(),
        cwd=configuration.work,
        env=configuration.java_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=LONGEST_LINE,
    )
    try:
        async with (
            _client(configuration.inference_socket) as inference,
            _client(configuration.management_socket) as told,
        ):
            torchserve = TorchServe(name=configuration.model_name, inference=inference, management=told)
            application = api(torchserve, envelope=configuration.envelope)
            await _serve_until_stopped(
                application,
                asyncio.gather(_follow(process), _wait_until_loaded(torchserve)),
                port=configuration.http_port,
            )
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _serve_until_stopped(application: Starlette, torchserve: asyncio.Future[Any], *, port: int) -> None:
    server = uvicorn.Server(uvicorn.Config(application, host="0.0.0.0", port=port, access_log=False))  # noqa: S104
    # The web server stops at SIGTERM and then raises it again, which would end this program before TorchServe.
    signal.signal(signal.SIGTERM, lambda *_: None)
    serving = asyncio.create_task(server.serve())
    await asyncio.wait({serving, torchserve}, return_when=asyncio.FIRST_COMPLETED)
    if torchserve.done():
        server.should_exit = True
        await serving
        torchserve.result()
    else:
        torchserve.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await torchserve


def _client(socket: Path) -> httpx.AsyncClient:
    """A client of TorchServe, which has time limits of its own."""
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(socket)), base_url=URL, timeout=None)


async def _follow(process: asyncio.subprocess.Process) -> NoReturn:
    """Print TorchServe's log until it ends, or says that a model cannot be loaded.

    Raises:
        StoppedError: as it is said, with the worker's own words.
    """
    assert process.stdout  # noqa: S101
    # An error that came from another one is printed after it.
    errors: deque[str] = deque(maxlen=2)
    line = "it said nothing"
    async for raw in process.stdout:
        line = raw.decode(errors="replace").rstrip()
        print(line, flush=True)
        if found := WORKER_ERROR.search(line):
            errors.append(found[1])
        if any(words in line for words in LOAD_FAILED):
            raise StoppedError(f"TorchServe cannot load the model: {'; '.join(errors) or line}")
    raise StoppedError(f"TorchServe ended with code {await process.wait()}: {'; '.join(errors) or line}")


async def _wait_until_loaded(torchserve: TorchServe) -> None:
    """Return when the model is loaded.

    Raises:
        UnknownModelError: the model store has other models.
    """
    while not await torchserve.is_loaded():
        await asyncio.sleep(INTERVAL)
    print(f"{torchserve.name} is loaded", flush=True)
