"""Google Cloud Storage as PyPI's `gcp-storage-emulator` imitates it. It asks for no credentials."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import httpx2 as httpx


@contextmanager
def google_emulator(bucket: str, files: Mapping[str, bytes], *, address: str = "127.0.0.1") -> Iterator[str]:
    """Run it with one bucket while the context lasts; gives its URL."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port = probe.getsockname()[1]
    options = ("--in-memory", "--quiet", "--host", address, "--port", str(port), "--default-bucket", bucket)
    process = subprocess.Popen(
        [sys.executable, "-m", "gcp_storage_emulator", "start", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://{address}:{port}"
    try:
        with httpx.Client(base_url=url, trust_env=False) as client:
            _wait_for(client)
            for name, content in files.items():
                query = {"uploadType": "media", "name": name}
                client.post(f"/upload/storage/v1/b/{bucket}/o", params=query, content=content).raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(client: httpx.Client) -> None:
    for _ in range(100):
        with suppress(httpx.TransportError):
            client.get("/storage/v1/b").raise_for_status()
            return
        time.sleep(0.1)
    raise AssertionError("the emulator of Google Cloud Storage does not answer")
