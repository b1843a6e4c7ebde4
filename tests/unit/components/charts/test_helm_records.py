"""Helm's records, in an HTTP server that answers the few requests of the Kubernetes API that are made."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from components.charts.helm_records import ReleaseMark, delete_lost_records
from tests.running_server import run_server

STACK = "organization/kserve-multi-model/dev:1a2b3c4d"
BARE = "made by kserve-multi-model"
OURS = f"{BARE}, stack {STACK}"
OTHERS = f"{BARE}, stack organization/kserve-multi-model/other:5e6f7a8b"
NAMESPACE = "istio-system"


def record(release: str, revision: int, status: str, *, description: str = "Install complete") -> dict[str, Any]:
    """Return a record as Helm writes it."""
    document = gzip.compress(
        json.dumps({"name": release, "info": {"status": status, "description": description}}).encode()
    )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"sh.helm.release.v1.{release}.v{revision}",
            "namespace": NAMESPACE,
            "labels": {"owner": "helm", "name": release, "status": status},
        },
        "data": {"release": base64.b64encode(base64.b64encode(document)).decode()},
    }


def delete(file: Path | None, context: str | None = None, *, deployed_before: bool = False) -> bool:
    mark = ReleaseMark(identity=STACK, deployed_before=deployed_before)
    return delete_lost_records("istio-base", namespace=NAMESPACE, mark=mark, kubeconfig=file, context=context)


class KubernetesAPI(ThreadingHTTPServer):
    """Lists Secrets by label and deletes them by name."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secrets: list[dict[str, Any]] = []

    @property
    def names(self) -> list[str]:
        return [secret["metadata"]["name"] for secret in self.secrets]


class _Handler(BaseHTTPRequestHandler):
    server: KubernetesAPI

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        assert path == f"/api/v1/namespaces/{NAMESPACE}/secrets"
        selector = parse_qs(query)["labelSelector"][0]
        wanted = dict(pair.split("=") for pair in selector.split(","))
        items = [s for s in self.server.secrets if wanted.items() <= s["metadata"]["labels"].items()]
        self.answer({"apiVersion": "v1", "kind": "SecretList", "metadata": {}, "items": items})

    def do_DELETE(self) -> None:
        *_, namespace, _, name = self.path.split("/")
        kept = [s for s in self.server.secrets if s["metadata"]["name"] != name]
        assert {s["metadata"]["namespace"] for s in self.server.secrets if s not in kept} == {namespace}
        self.server.secrets = kept
        self.answer({"apiVersion": "v1", "kind": "Status", "status": "Success"})

    def answer(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def kubernetes() -> Iterator[KubernetesAPI]:
    with run_server(KubernetesAPI()) as server:
        yield server


@pytest.fixture
def kubeconfig(kubernetes: KubernetesAPI, tmp_path: Path) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{kubernetes.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


def test_records_of_pending_operations_and_of_killed_runs_are_deleted(
    kubernetes: KubernetesAPI, kubeconfig: Path
) -> None:
    kubernetes.secrets = [
        record("istio-base", 1, "superseded"),
        record("istio-base", 2, "deployed", description=OURS),
        record("istio-base", 3, "pending-upgrade"),
        record("other", 1, "pending-install"),
    ]
    assert delete(kubeconfig, "here")
    assert kubernetes.names == ["sh.helm.release.v1.istio-base.v1", "sh.helm.release.v1.other.v1"]


def test_the_record_of_a_release_installed_by_someone_else_is_kept(kubernetes: KubernetesAPI, kubeconfig: Path) -> None:
    kubernetes.secrets = [record("istio-base", 1, "deployed")]
    assert not delete(kubeconfig)
    assert kubernetes.names == ["sh.helm.release.v1.istio-base.v1"]


@pytest.mark.parametrize("description", [OTHERS, BARE, f"{OURS}0"])
def test_the_record_of_another_stacks_release_is_kept(
    kubernetes: KubernetesAPI, kubeconfig: Path, description: str
) -> None:
    kubernetes.secrets = [record("istio-base", 1, "deployed", description=description)]
    assert not delete(kubeconfig)
    assert kubernetes.names == ["sh.helm.release.v1.istio-base.v1"]


def test_a_stack_from_before_knows_its_records_without_an_identity(kubernetes: KubernetesAPI, kubeconfig: Path) -> None:
    kubernetes.secrets = [
        record("istio-base", 1, "superseded", description=BARE),
        record("istio-base", 2, "deployed", description=OTHERS),
    ]
    assert delete(kubeconfig, deployed_before=True)
    assert kubernetes.names == ["sh.helm.release.v1.istio-base.v2"]


def test_the_kubeconfig_is_found_in_the_environment(
    kubernetes: KubernetesAPI, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    kubernetes.secrets = [record("istio-base", 1, "pending-install")]
    assert delete(None)
    assert kubernetes.names == []
