"""A registry with a password that has images with a model in them, which the node reaches as localhost.

The kubelet asks a registry at localhost without TLS. A relay in the node's network leads from there to this machine.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cluster.artifacts import Cache
from cluster.catalog import NODE_FILESYSTEM
from cluster.images import MANIFEST, Image, Layer
from cluster.locations import cache_dir, state_dir
from cluster.node.container import NodeContainer
from tests.e2e.machine import NAME, NETWORK
from tests.unit.components.registry import Registry, serving

PORT = 5100
REGISTRY = f"localhost:{PORT}"
REPOSITORY = "models/iris"
# KServe runs a shell in the image; what its few commands need is taken from the node's root filesystem.
PROGRAMS = {"dash": "sh", "ls": "ls", "ln": "ln", "sleep": "sleep", "mkdir": "mkdir"}
LIBRARIES = ("libc.so.6", "libselinux.so.1", "libpcre2-8.so.0")
LIBRARY_FOLDER, LOADER = "usr/lib/x86_64-linux-gnu", "ld-linux-x86-64.so.2"


@contextmanager
def registry_of_images(files: Path, *, tags: Sequence[str], login: tuple[str, str], folder: Path) -> Iterator[Registry]:
    """Serve an image with these model files under several tags while the context lasts; `folder` is for its layers.

    A node that has pulled an image does not ask for it again: hence a tag for each login.
    """
    with serving(address=NETWORK.host) as registry:
        image = _image(files).build(Cache(folder / "images"))
        for blob in (image / "blobs" / "sha256").iterdir():
            registry.blobs[f"sha256:{blob.name}"] = blob.read_bytes()
        described = json.loads((image / "index.json").read_text())["manifests"][0]
        for tag in tags:
            registry.store(f"/v2/{REPOSITORY}/manifests/{tag}", registry.blobs[described["digest"]], MANIFEST)
        registry.login = login
        with _relay(registry.address):
            yield registry


def _image(files: Path) -> Image:
    cache = Cache(cache_dir() / "entries")
    root = NODE_FILESYSTEM.build(cache)
    programs = tuple((root / "usr/bin" / name, f"/bin/{inside}") for name, inside in PROGRAMS.items())
    libraries = tuple(((root / LIBRARY_FOLDER / name).resolve(), f"/lib/{name}") for name in LIBRARIES)
    loader = ((root / LIBRARY_FOLDER / LOADER).resolve(), f"/lib64/{LOADER}")
    shell, models = Layer(files=(*programs, *libraries, loader)), Layer(files=((files, "/models"),))
    return Image(name="models-iris", tag="1", layers=(shell, models))


@contextmanager
def _relay(address: str) -> Iterator[None]:
    pid = NodeContainer(name=NAME, directory=state_dir(NAME) / "container").pid()
    assert pid is not None, "the node runs"
    inside = ("nsenter", "--target", str(pid), "--net", "--mount", "--")
    relay = ("socat", f"TCP4-LISTEN:{PORT},bind=127.0.0.1,reuseaddr,fork", f"TCP4:{address}")
    process = subprocess.Popen([*inside, *relay])
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
