"""A Kubernetes API on the loopback that knows its version, and a kubeconfig for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.unit.predict.server import Reply, Server, serving


@contextmanager
def answering(folder: Path, *, version: tuple[str, str] = ("1", "34")) -> Iterator[Path]:
    """Give the kubeconfig; its contexts are `here` (current) and `elsewhere`, where nothing listens."""
    with serving() as server:
        reply_with(server, {"major": version[0], "minor": version[1]})
        yield kubeconfig(folder, server=server.address)


def reply_with(server: Server, body: object, *, status: int = 200) -> None:
    server.on(server.address.removeprefix("http://"), "GET /version", Reply(body, status=status))


def kubeconfig(folder: Path, *, server: str) -> Path:
    clusters = {"here": server, "elsewhere": "http://127.0.0.1:1"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": address}} for name, address in clusters.items()],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in clusters],
        "current-context": "here",
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file
