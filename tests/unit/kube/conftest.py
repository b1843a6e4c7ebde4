"""Kubeconfigs, login plugins, and Kubernetes APIs over TLS on the loopback."""

from __future__ import annotations

import base64
import json
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests.running_server import run_server
from tests.unit.predict.server import Reply, Server, serving

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A certificate authority, and the folder with all it signed."""

    folder: Path
    signing: trustme.CA

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str, *, alternative: str = "unused", names: tuple[str, ...] = ()) -> tuple[Path, Path]:
        """Certificate and key for this common name; `alternative` is a DNS name or an IP address, as are `names`."""
        issued = self.signing.issue_cert(alternative, *names, common_name=name)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        return certificate, key


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(folder=tmp_path_factory.mktemp("authority"), signing=trustme.CA())
    made.signing.cert_pem.write_to_path(made.certificate)
    made.issue("server", alternative="127.0.0.1")
    made.issue("named", alternative="kubernetes.example")
    return made


class TLSServer(Server):
    """A Kubernetes API over TLS; `peers` has the common name of each connection's client certificate."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self.peers: list[str] = []
        self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"

    def get_request(self) -> tuple[Any, Any]:
        connection: Any
        connection, address = super().get_request()
        subject = (connection.getpeercert() or {}).get("subject", ())
        self.peers.append(dict(pair for group in subject for pair in group).get("commonName", ""))
        return connection, address


@contextmanager
def serving_tls(authority: Authority, *, name: str = "server", clients: bool = False) -> Iterator[TLSServer]:
    """A server with the certificate `name`; `clients` says whether it requires one of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / f"{name}.pem", authority.folder / f"{name}.key")
    if clients:
        context.load_verify_locations(authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    with run_server(TLSServer(context)) as server:
        yield server


@pytest.fixture
def api() -> Iterator[Server]:
    with serving() as server:
        answer(server, Reply({"major": "1", "minor": "34"}))
        yield server


def answer(server: Server, *replies: Reply, request: str = "GET /version", host: str | None = None) -> None:
    server.on(host or server.address.partition("://")[2], request, *replies)


def write(file: Path, *, server: str = "", user: Any = None, cluster: Any = None, name: str = "here") -> Path:
    """A kubeconfig with one context, which is the current one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "clusters": [{"name": name, "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": name, "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    file.write_text(yaml.safe_dump(document))
    return file


@dataclass(frozen=True, kw_only=True)
class PluginScript:
    """A login plugin, a Python script that counts its runs and keeps what it was told."""

    path: Path

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The environment of each run."""
        record = self.path.with_suffix(".runs")
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []

    def prints(self, *outputs: Any, version: str = V1, **status: Any) -> None:
        """Print each output in turn, the last one from then on; or one ExecCredential with this status."""
        printed = outputs or (credential(version=version, **status),)
        self.runs_code(
            f"outputs = {[text if isinstance(text, str) else json.dumps(text) for text in printed]!r}\n"
            "print(outputs[min(len(open(record).readlines()), len(outputs)) - 1])"
        )

    def runs_code(self, code: str) -> None:
        record = str(self.path.with_suffix(".runs"))
        self.path.write_text(
            f"#!{sys.executable}\nimport json, os, sys, time\nrecord = {record!r}\n"
            f"print(json.dumps({{**os.environ, 'stdin': sys.stdin.read(), 'argv': sys.argv[1:]}}),"
            f" file=open(record, 'a'))\n{code}\n"
        )
        self.path.chmod(0o700)

    def user(self, version: str = V1, **changes: Any) -> dict[str, Any]:
        fields = {"apiVersion": version, "command": str(self.path), "interactiveMode": "Never", **changes}
        return {"exec": {key: value for key, value in fields.items() if value != ""}}


@pytest.fixture
def plugin(tmp_path: Path) -> PluginScript:
    return PluginScript(path=tmp_path / "plugin")


def credential(*, version: str = V1, **status: Any) -> dict[str, Any]:
    return {"kind": "ExecCredential", "apiVersion": version, "status": status}


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kubeconfig and no proxy of whoever runs the tests."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
