"""A small Pulumi project: Pulumi and its Kubernetes provider, with its Helm, are real; the cluster is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from cluster.artifacts import Cache
from cluster.locations import cache_dir
from cluster.provider import PLUGIN, OfficialProvider
from tests.running_server import run_server
from tests.unit.components.kubernetes import UID, kubeconfig
from tests.unit.components.protobuf import secret_of

ROOT = Path(__file__).parents[3]
TOKEN = "a-login-of-the-kubeconfig"
API: Mapping[str, Mapping[str, Any]] = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
    # In both of its forms.
    "/api": {"kind": "APIVersions", "versions": ["v1"], "items": []},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [], "items": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {
                "name": f"{kind.lower()}s",
                "singularName": kind.lower(),
                "namespaced": True,
                "kind": kind,
                "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
            }
            for kind in ("ConfigMap", "Secret", "ServiceAccount")
        ],
    },
}


class Handler(BaseHTTPRequestHandler):
    """As much of the Kubernetes API as these kinds, and Helm's releases of charts with ConfigMaps, need."""

    server: Cluster

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path in self.server.answers:
            self._answer(self.server.answers[path])
        elif path == "/openapi/v2":
            self._send(b"", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        elif path in API:
            self._answer(API[path])
        elif found := self.server.objects.get(path) or self.server.namespaces.get(path):
            self._answer(found)
        elif path.endswith(("/configmaps", "/serviceaccounts")):
            kind = "ConfigMapList" if path.endswith("/configmaps") else "ServiceAccountList"
            self._answer({"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []})
        elif path.endswith("/secrets"):
            self._answer(self._list(path, parse_qs(urlsplit(self.path).query).get("labelSelector", [""])[0]))
        else:
            self._not_found()

    def do_PATCH(self) -> None:
        self._keep(urlsplit(self.path).path, status=200)

    do_PUT = do_PATCH  # noqa: N815 - the base class's name

    def do_POST(self) -> None:
        self._keep(urlsplit(self.path).path, status=201)

    def _keep(self, path: str, *, status: int) -> None:
        """Keep what is sent, unless it is a dry run."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        in_protobuf = "protobuf" in self.headers["Content-Type"]
        sent = secret_of(body) if in_protobuf else yaml.safe_load(body)
        if "merge-patch" in self.headers["Content-Type"]:
            before = self.server.objects[path]
            sent = {key: {**before[key], **sent.get(key, {})} if key == "data" else before[key] for key in before}
        metadata = {"uid": "1", "resourceVersion": "1", "creationTimestamp": "2025-01-01T00:00:00Z"}
        made = sent | {"metadata": sent["metadata"] | metadata}
        if "dryRun" not in parse_qs(urlsplit(self.path).query):
            self.server.objects[f"{path}/{sent['metadata']['name']}" if status == 201 else path] = made
        self._answer(made, status)

    def _list(self, path: str, selector: str) -> Mapping[str, Any]:
        """The Secrets of a namespace with these labels."""
        wanted = dict(term.split("=", 1) for term in selector.split(",") if "=" in term)
        items = [
            one
            for place, one in self.server.objects.items()
            if place.startswith(f"{path}/") and wanted.items() <= one["metadata"].get("labels", {}).items()
        ]
        return {"kind": "SecretList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}

    def do_DELETE(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        if self.server.objects.pop(urlsplit(self.path).path, None) is None:
            self._not_found()
        else:
            self._answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _not_found(self) -> None:
        self._answer(
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}, 404
        )

    def _answer(self, body: Mapping[str, Any], status: int = 200) -> None:
        self._send(json.dumps(body).encode(), "application/json", status)

    def _send(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Cluster(ThreadingHTTPServer):
    """A cluster on the loopback that keeps ConfigMaps, Secrets and ServiceAccounts."""

    def __init__(self, uid: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        namespace = {"metadata": {"name": "kube-system", "uid": uid}}
        self.namespaces: Mapping[str, Mapping[str, Any]] = {"/api/v1/namespaces/kube-system": namespace}
        self.objects: dict[str, Mapping[str, Any]] = {}
        # What is answered at a path instead.
        self.answers: dict[str, Mapping[str, Any]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running(uid: str = UID) -> Iterator[Cluster]:
    """A running cluster with this UID."""
    with run_server(Cluster(uid)) as server:
        yield server


def built(part: str, program: str) -> Path:
    """The newest program of the tests' cache; skips the test where it was never built."""
    found = sorted((cache_dir() / "entries" / part).glob(f"[!.]*/{program}"), key=lambda path: path.stat().st_mtime)
    if not found:
        pytest.skip(f"there is no {part} yet: python -m cluster tools")
    return found[-1]


@dataclass(frozen=True, kw_only=True)
class Project:
    """A small Pulumi project, with the Pulumi and the provider that were built here.

    Attributes:
        backend: the folder with the states, in that of the project.

    """

    folder: Path
    kubeconfig: Path
    stack: str = "dev"
    backend: str = "state"

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    def pulumi(self, *arguments: str, **variables: str) -> str:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--stack", self.stack],
            cwd=self.folder,
            env={
                "PATH": f"{self.folder / 'programs'}:{Path(sys.executable).parent}:/usr/bin:/bin",
                "HOME": str(self.folder),
                "PYTHONPATH": str(ROOT),
                "TMPDIR": str(self.temporary),
                "KUBECONFIG": str(self.kubeconfig),
                "PULUMI_HOME": str(self.folder / "home"),
                "PULUMI_BACKEND_URL": f"file://{self.folder / self.backend}",
                "PULUMI_CONFIG_PASSPHRASE": "a",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


def project(folder: Path, *, cluster: Cluster, program: str) -> Project:
    """A project in this folder, whose current context leads to the cluster. Skips the test where nothing was built."""
    host = built("pulumi-language-python", "pulumi-language-python")
    programs, plugin = folder / "programs", folder / "home" / "plugins" / PLUGIN
    for made in (programs, plugin, folder / "state", folder / "temporary"):
        made.mkdir(parents=True)
    (programs / "pulumi").symlink_to(built("pulumi", "pulumi"))
    # The host looks for the other programs beside itself. Those of a Go module cannot be executed where they are.
    for executable in (host, *(host.parent / "sources").rglob("pulumi-*")):
        Path(shutil.copy(executable, programs)).chmod(0o755)
    # The published one, where that answers; then none is built.
    published = OfficialProvider(Cache(cache_dir() / "entries")).find()
    provider = published / "pulumi-resource-kubernetes" if published else built("provider", "provider")
    (plugin / "pulumi-resource-kubernetes").symlink_to(provider)
    (folder / "Pulumi.yaml").write_text("name: copies\nruntime: python\n")
    (folder / "__main__.py").write_text(program)
    login = kubeconfig(folder, server=cluster.address, login={"token": TOKEN})
    new = Project(folder=folder, kubeconfig=login)
    new.pulumi("stack", "init")
    return new
