"""An S3 server of one bucket that checks signatures: what a download needs of the protocol, for the tests."""

import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import trustme
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.running_server import run_server

BUCKET = "models"
KEY, SECRET, REGION = "reader", "its-secret", "us-east-1"


def is_signed(method: str, url: str, headers: Message, *, secret: str) -> bool:
    """Whether a request carries the AWS4 signature that our key gives it with this secret."""
    fields = dict(
        part.strip().partition("=")[::2]
        for part in headers.get("Authorization", "").removeprefix("AWS4-HMAC-SHA256 ").split(",")
    )
    if not fields.get("Credential", "").startswith(f"{KEY}/"):
        return False
    signed = {name: headers[name] for name in fields["SignedHeaders"].split(";")}
    request = AWSRequest(method=method, url=url, headers=signed)
    request.context["timestamp"] = headers["X-Amz-Date"]
    auth = S3SigV4Auth(Credentials(KEY, secret), "s3", REGION)
    ours = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return bool(ours == fields["Signature"])


class Handler(BaseHTTPRequestHandler):
    """One request; the objects are the server's."""

    protocol_version = "HTTP/1.1"
    server: "S3Server"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        _, bucket, *rest = parts.path.split("/", 2)
        key = "/".join(rest)
        url = f"{self.server.scheme}://{self.headers['Host']}{self.path}"
        if not is_signed(self.command, url, self.headers, secret=self.server.secret):
            self.refuse(403, "SignatureDoesNotMatch")
        elif bucket != BUCKET:
            self.refuse(404, "NoSuchBucket")
        elif not key:
            self.answer(200, self.listing(parse_qs(parts.query).get("prefix", [""])[0]))
        elif key in self.server.objects:
            self.answer(200, self.server.objects[key])
        else:
            self.refuse(404, "NoSuchKey")

    def listing(self, prefix: str) -> bytes:
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size></Contents>"
            for key, content in sorted(self.server.objects.items())  # by key, as S3 lists them
            if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>".encode()

    def refuse(self, status: int, code: str) -> None:
        self.answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')  # noqa: S324  # what S3 calls an ETag
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class S3Server(ThreadingHTTPServer):
    """Objects by key, served on a free loopback port.

    Attributes:
        secret: of the key, with which requests must be signed.
    """

    daemon_threads = True

    def __init__(self, objects: dict[str, bytes], *, authority: trustme.CA | None = None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects = objects
        self.secret = SECRET
        self.scheme = "https" if authority else "http"
        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1").configure_cert(context)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"


@contextmanager
def serving(objects: dict[str, bytes], *, authority: trustme.CA | None = None) -> Iterator[S3Server]:
    """Serve objects while the context lasts, with a certificate of the authority if there is one."""
    with run_server(S3Server(objects, authority=authority)) as server:
        yield server
