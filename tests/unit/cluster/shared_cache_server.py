"""A web server on loopback that offers a folder, and fails as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.running_server import run_server


@dataclass
class WebServer:
    """The folder's server.

    Attributes:
        ranges: whether it sends a part of a file when it is asked for one, as most servers do.
        sizes: whether it says how long a file is.
        faults: what goes wrong with the next requests for a path, one after the other.
        requests: (path, Range header) of what it was asked for.
    """

    folder: Path
    ranges: bool = True
    sizes: bool = True
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def asked(self, path: str) -> list[str | None]:
        """The Range headers of the requests for a path."""
        return [header for asked, header in self.requests if asked == path]


Fault = Callable[[BaseHTTPRequestHandler, bytes], None]


def status(code: int, **headers: str) -> Fault:
    """Answer with a status and no content."""

    def answer(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def cut(after: int, then: Callable[[], object] = lambda: None) -> Fault:
    """Promise the whole content, send its start, then close the connection."""

    def answer(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:after])
        handler.wfile.flush()
        then()
        handler.close_connection = True

    return answer


@contextmanager
def serving(folder: Path) -> Iterator[WebServer]:
    """The server for as long as the block runs."""
    server = WebServer(folder)

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            server.requests.append((self.path, asked))
            file = folder / self.path.lstrip("/")
            faults = server.faults.get(self.path)
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
            if faults and file.is_file():
                faults.pop(0)(self, file.read_bytes())
            elif file.is_file() and (start or not server.sizes):
                self.send_part(file.read_bytes(), start)
            else:
                super().do_GET()

        def send_part(self, content: bytes, start: int) -> None:
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if server.sizes:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:])

        def log_message(self, *_: object) -> None:
            pass

    with run_server(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as listener:
        server.url = f"http://127.0.0.1:{listener.server_address[1]}"
        yield server
