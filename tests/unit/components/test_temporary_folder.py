"""Pulumi and its Kubernetes provider leave nothing in the temporary folder; both are real, the cluster is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
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
from tests.unit.components.kubernetes import kubeconfig

ROOT = Path(__file__).parents[3]
TOKEN = "a-login-of-the-kubeconfig"
PROGRAM = f"""\
import os, sys
sys.path.insert(0, {str(ROOT)!r})
import pulumi
import pulumi_kubernetes as k8s
from components.objects import cluster_provider

if os.environ.get("AS_BEFORE"):
    provider = k8s.Provider("cluster", cluster_identifier=pulumi.get_stack(), enable_server_side_apply=True)
else:
    provider = cluster_provider(
        "cluster", context="here", uid=pulumi.get_stack(), opts=pulumi.ResourceOptions()
    )
k8s.core.v1.ConfigMap(
    "settings",
    metadata={{"name": "settings", "namespace": "default"}},
    data={{"a": "b"}},
    opts=pulumi.ResourceOptions(provider=provider),
)
"""
API: Mapping[str, Mapping[str, Any]] = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {
                "name": "configmaps",
                "singularName": "configmap",
                "namespaced": True,
                "kind": "ConfigMap",
                "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
            }
        ],
    },
}


class Handler(BaseHTTPRequestHandler):
    """As much of the Kubernetes API as one ConfigMap needs."""

    server: Cluster

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/openapi/v2":
            self._send(b"", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        elif path in API:
            self._answer(API[path])
        elif path in self.server.objects:
            self._answer(self.server.objects[path])
        elif path.endswith("/configmaps"):
            listed = {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}
            self._answer(listed)
        else:
            self._not_found()

    def do_PATCH(self) -> None:
        asked = urlsplit(self.path)
        sent = yaml.safe_load(self.rfile.read(int(self.headers["Content-Length"])))
        metadata = {"uid": "1", "resourceVersion": "1", "creationTimestamp": "2025-01-01T00:00:00Z"}
        made = sent | {"metadata": sent["metadata"] | metadata}
        if "dryRun" not in parse_qs(asked.query):
            self.server.objects[asked.path] = made
        self._answer(made)

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
    """A cluster on the loopback that keeps ConfigMaps."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, Mapping[str, Any]] = {}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    server = Cluster()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def built(part: str, program: str) -> Path:
    """The newest program of the tests' cache; skips the test where it was never built."""
    found = sorted((cache_dir() / "entries" / part).glob(f"[!.]*/{program}"), key=lambda path: path.stat().st_mtime)
    if not found:
        pytest.skip(f"there is no {part} yet: python -m cluster tools")
    return found[-1]


@dataclass(frozen=True, kw_only=True)
class Project:
    """A Pulumi project of one ConfigMap, with the Pulumi and the provider that were built here."""

    folder: Path
    kubeconfig: Path

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    def pulumi(self, *arguments: str, **variables: str) -> str:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--stack", "dev"],
            cwd=self.folder,
            env={
                "PATH": f"{self.folder / 'programs'}:{Path(sys.executable).parent}:/usr/bin:/bin",
                "HOME": str(self.folder),
                "TMPDIR": str(self.temporary),
                "KUBECONFIG": str(self.kubeconfig),
                "PULUMI_HOME": str(self.folder / "home"),
                "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
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


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster) -> Project:
    host = built("pulumi-language-python", "pulumi-language-python")
    programs, plugin = tmp_path / "programs", tmp_path / "home" / "plugins" / PLUGIN
    for folder in (programs, plugin, tmp_path / "state", tmp_path / "temporary"):
        folder.mkdir(parents=True)
    for program in (built("pulumi", "pulumi"), *(host.parent / "sources").rglob("pulumi-*")):
        (programs / program.name).symlink_to(program)
    shutil.copy(host, programs)  # it looks for the other programs beside itself
    # The published one, where that answers; then none is built.
    published = OfficialProvider(Cache(cache_dir() / "entries")).find()
    provider = published / "pulumi-resource-kubernetes" if published else built("provider", "provider")
    (plugin / "pulumi-resource-kubernetes").symlink_to(provider)
    (tmp_path / "Pulumi.yaml").write_text("name: copies\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    address = f"http://127.0.0.1:{cluster.server_port}"
    made = Project(folder=tmp_path, kubeconfig=kubeconfig(tmp_path, server=address, login={"token": TOKEN}))
    made.pulumi("stack", "init")
    return made


def test_nothing_stays_in_the_temporary_folder(project: Project, cluster: Cluster) -> None:
    for command in (
        "preview",
        "up --yes --skip-preview",
        "refresh --yes --skip-preview",
        "destroy --yes --skip-preview",
    ):
        project.pulumi(*command.split())
        assert list(project.temporary.rglob("*")) == []
        assert bool(cluster.objects) == command.startswith(("up", "refresh"))


def test_a_stack_whose_provider_was_given_the_path_goes_on_without_a_copy(project: Project) -> None:
    project.pulumi("up", "--yes", "--skip-preview", AS_BEFORE="1")
    (copy,) = project.temporary.iterdir()
    assert TOKEN in copy.read_text()
    copy.unlink()
    shown = project.pulumi("up", "--yes", "--skip-preview")
    assert "pulumi:providers:kubernetes cluster updated" in shown
    assert "1 updated" in shown
    assert "2 unchanged" in shown
    assert "replace" not in shown
    for file in project.temporary.iterdir():
        file.unlink()
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert list(project.temporary.iterdir()) == []


def test_a_destroy_with_a_kubeconfig_without_the_context_deletes_nothing(
    project: Project, cluster: Cluster, tmp_path: Path
) -> None:
    project.pulumi("up", "--yes", "--skip-preview")
    (tmp_path / "other").mkdir()
    other = kubeconfig(tmp_path / "other", server=f"http://127.0.0.1:{cluster.server_port}", contexts=("mine",))
    with pytest.raises(AssertionError, match='context "here" does not exist'):
        project.pulumi("destroy", "--yes", "--skip-preview", KUBECONFIG=str(other))
    assert cluster.objects
