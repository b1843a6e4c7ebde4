"""Fills the storage of the local OCI registry: images and charts are pushed once, and nodes serve the result."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import psutil
import tenacity
import yaml

from cluster.artifacts import Cache, digest
from cluster.charts import Chart
from cluster.errors import ClusterError
from cluster.images import Image
from cluster.locations import logs_dir
from cluster.processes import GRACE, ending_with_us, run

PORT = 5000
CONTENT = "registry-content"


@dataclass(frozen=True)
class RegistryContent:
    """A cache entry with a registry's storage.

    Attributes:
        extra: the extra whose images it holds; None for the content that every cluster starts with.
    """

    images: tuple[Image, ...]
    charts: tuple[Chart, ...] = ()
    extra: str | None = None

    @property
    def entry(self) -> str:
        """The cache entry's name."""
        return f"registry-{self.extra}" if self.extra else CONTENT

    def key(self, cache: Cache) -> str:
        """The key of the cache entry."""
        return digest([image.key(cache) for image in self.images], [chart.key(cache) for chart in self.charts])

    def build(self, cache: Cache, *, registry: Path, crane: Path, helm: Path) -> Path:
        """Push all images and charts to an empty registry; returns the directory with its storage."""

        def push(directory: Path) -> None:
            log = logs_dir() / "registry.log"
            with _serving(registry=registry, root=directory / "storage", log=log) as address:
                for image in self.images:
                    layout, name = image.path(cache), f"{address}/{image.name}:{image.tag}"
                    run([crane, "push", "--insecure", layout, name], what=f"pushing the image {image.name}", log=log)
                for chart in self.charts:
                    package, target = chart.path(cache), f"oci://{address}/charts"
                    run(
                        [helm, "push", "--plain-http", package, target], what=f"pushing the chart {chart.name}", log=log
                    )

        return cache.get(self.entry, self.key(cache), push)


@contextmanager
def _serving(*, registry: Path, root: Path, log: Path) -> Iterator[str]:
    """Run a registry on a free loopback port while the block runs; gives its address."""
    settings = root.parent / "registry.yaml"
    storage = {"filesystem": {"rootdirectory": str(root)}}
    configuration = {"version": "0.1", "log": {"level": "warn"}, "storage": storage, "http": {"addr": "127.0.0.1:0"}}
    settings.write_text(yaml.safe_dump(configuration))
    with log.open("ab") as sink:
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        command = ending_with_us([registry, "serve", settings])
        server = subprocess.Popen(command, stdout=sink, stderr=sink, env=environment)
    try:
        yield _wait_until_answering(server, log)
    finally:
        server.terminate()
        try:
            server.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        settings.unlink()


class _NotListeningError(ClusterError):
    """The registry does not listen yet."""


@tenacity.retry(
    retry=tenacity.retry_if_exception_type((httpx.TransportError, psutil.NoSuchProcess, _NotListeningError)),
    wait=tenacity.wait_fixed(0.1),
    stop=tenacity.stop_after_delay(20),
    reraise=True,
)
def _wait_until_answering(server: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the registry answers; returns its address, whose port is found by the open socket."""
    if server.poll() is not None:
        raise ClusterError("the registry did not start", log=log)
    connections = psutil.Process(server.pid).net_connections("tcp")
    port = next((found.laddr.port for found in connections if found.status == psutil.CONN_LISTEN), None)
    if port is None:
        raise _NotListeningError("the registry does not listen on any port", log=log)
    address = f"127.0.0.1:{port}"
    httpx.get(f"http://{address}/v2/", timeout=5, trust_env=False).raise_for_status()
    return address
