"""Servers of models' files that ask for credentials, each as much of one as KServe's storage initializer needs."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import trustme
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.running_server import run_server

# What a server answers: a status, headers and a body.
Answer = tuple[int, Mapping[str, str], bytes]
Answering = Callable[["Request"], Answer]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request, with its headers' names in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Path without the query, decoded."""
        return unquote(urlsplit(self.url).path)

    @property
    def query(self) -> dict[str, str]:
        """First value of each parameter."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}


def json_answer(body: object, *, status: int = 200) -> Answer:
    """An answer in JSON."""
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def file_answer(content: bytes, **headers: str) -> Answer:
    """A file, of the type that KServe takes."""
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    return 200, {"Content-Type": "application/octet-stream", "ETag": tag, **headers}, content


NOT_FOUND: Answer = (404, {}, b"not found")


@dataclass(kw_only=True)
class Web:
    """A web server of files that every request needs a header for.

    Attributes:
        needed: header that a request needs, in lower case, with its value; the wrong ones get `refusal`.

    """

    files: Mapping[str, bytes]
    needed: tuple[str, str] | None = None
    refusal: int = 401

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        if self.needed and request.headers.get(self.needed[0]) != self.needed[1]:
            return self.refusal, {"WWW-Authenticate": "Basic"}, b"who are you?"
        content = self.files.get(request.path)
        return NOT_FOUND if content is None else file_answer(content)


def basic(username: str, password: str) -> str:
    """Header of basic authentication."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


@dataclass(kw_only=True)
class Hub:
    """A hub of models shaped like Hugging Face's. As there, a private model does not exist for others.

    Attributes:
        token: that requests need.

    """

    model: str
    files: Mapping[str, bytes]
    token: str
    commit: ClassVar[str] = "0" * 40

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        sent = request.headers.get("authorization")
        if sent != f"Bearer {self.token}":
            if sent:
                headers = {"x-error-message": "Invalid credentials in Authorization header"}
                return 401, headers, b'{"error":"Invalid credentials in Authorization header"}'
            headers = {"x-error-code": "RepoNotFound", "x-error-message": "Repository not found"}
            return 401, headers, b'{"error":"Repository not found"}'
        info = f"/api/models/{self.model}"
        if request.path in {info, f"{info}/revision/main", f"{info}/revision/{self.commit}"}:
            siblings = [{"rfilename": name, "size": len(content)} for name, content in self.files.items()]
            return json_answer({"id": self.model, "sha": self.commit, "siblings": siblings, "private": True})
        if request.path.startswith(f"{info}/tree/"):
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}  # noqa: S324 - as git
                for name, content in self.files.items()
            ]
            return json_answer(entries)
        _, _, name = request.path.removeprefix(f"/{self.model}/resolve/").partition("/")
        content = self.files.get(name)
        return NOT_FOUND if content is None else file_answer(content, **{"X-Repo-Commit": self.commit})


@dataclass(kw_only=True)
class Google:
    """Google Cloud Storage with one bucket, and the token server of its service accounts.

    Attributes:
        revoked: whether Google no longer takes the account's key.
        forbidden: whether the account may not read the bucket.

    """

    bucket: str
    files: Mapping[str, bytes]
    private_key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    revoked: bool = False
    forbidden: bool = False

    def key(self, url: str) -> str:
        """Text of the account's key file; `url` is the server's."""
        pem = self.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "acme",
                "private_key_id": "1",
                "private_key": pem.decode(),
                "client_email": "reader@acme.iam.gserviceaccount.com",
                "token_uri": f"{url}/token",
            }
        )

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        if request.path == "/token":
            return self._token(request)
        if request.headers.get("authorization") != "Bearer granted":
            message = "Anonymous caller does not have storage.objects.list access to the Google Cloud Storage bucket."
            return json_answer({"error": {"code": 401, "message": message}}, status=401)
        if self.forbidden:
            message = "reader@acme.iam.gserviceaccount.com does not have storage.objects.list access to the bucket."
            return json_answer({"error": {"code": 403, "message": message}}, status=403)
        objects = f"/b/{self.bucket}/o"
        _, _, path = request.path.partition("/storage/v1")
        if path == objects:
            prefix = request.query.get("prefix", "")
            items = [{"name": name, "bucket": self.bucket} for name in self.files if name.startswith(prefix)]
            return json_answer({"kind": "storage#objects", "items": items})
        content = self.files.get(path.removeprefix(f"{objects}/"))
        return json_answer({"error": {"code": 404}}, status=404) if content is None else file_answer(content)

    def _token(self, request: Request) -> Answer:
        """A token for whoever signed the request with the account's key, as Google grants it."""
        assertion = parse_qs(request.body.decode())["assertion"][0]
        signed, _, signature = assertion.rpartition(".")
        try:
            self.private_key.public_key().verify(
                base64.urlsafe_b64decode(signature + "=="), signed.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            self_signed = False
        else:
            self_signed = not self.revoked
        if not self_signed:
            refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            return json_answer(refusal, status=400)
        return json_answer({"access_token": "granted", "expires_in": 3600, "token_type": "Bearer"})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method=self.command, url=self.path, headers=headers, body=self.rfile.read(length))
        status, said, body = self.server.answering(request)
        self.send_response(status)
        for name, value in said.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answering: Answering, *, address: str, authority: trustme.CA | None) -> None:
        super().__init__((address, 0), _Handler)
        self.answering = answering
        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(address, "localhost").configure_cert(context)
            self.socket = context.wrap_socket(self.socket, server_side=True)


@contextmanager
def serving(answering: Answering, *, address: str = "127.0.0.1", authority: trustme.CA | None = None) -> Iterator[str]:
    """Serve while the context lasts, with a certificate of the authority if there is one; gives the URL."""
    server = _Server(answering, address=address, authority=authority)
    with run_server(server):
        yield f"{'https' if authority else 'http'}://{address}:{server.server_port}"
