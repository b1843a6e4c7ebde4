"""Requests with a compressed body, as Triton's client sends it when told to; KServe's SDK reads plain bodies alone."""

import gzip
import zlib
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


class CompressedBodies:
    """Middleware: hands on a body as it was before the client compressed it."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on the request, or refuse it: 415 for an unknown Content-Encoding, 400 where the body is not of it."""
        headers = MutableHeaders(scope=scope) if scope["type"] == "http" else MutableHeaders()
        encoding = headers.get("content-encoding", "identity").lower()
        if encoding == "identity":
            await self.app(scope, receive, send)
            return
        read = READERS.get(encoding)
        if read is None:
            error = f"Content-Encoding: expected one of {', '.join(READERS)}, got {encoding}"
            await JSONResponse({"error": error}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)(scope, receive, send)
            return
        try:
            body = read(await Request(scope, receive).body())
        except (OSError, EOFError, zlib.error) as problem:
            error = f"body: not {encoding}, which its Content-Encoding says: {problem}"
            await JSONResponse({"error": error}, HTTPStatus.BAD_REQUEST)(scope, receive, send)
            return
        del headers["content-encoding"]
        headers["content-length"] = str(len(body))
        await self.app(scope, _Replayed(body, receive), send)


class _Replayed:
    """Receives one body, then whatever the client sends, which is that it has gone."""

    def __init__(self, body: bytes, receive: Receive):
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
