"""The cluster's domain by the certificate of its API server, over TLS on the loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kube.cluster_domain import cluster_domain
from kube.connection import connect
from tests.unit.kube.conftest import Authority, answer, serving_tls, write
from tests.unit.predict.server import Reply, Server

SERVICE = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")


def domain(file: Path) -> str | None:
    with connect(kubeconfig=file, retries=True) as client:
        return cluster_domain(client.get("/version"))


def of(authority: Authority, folder: Path, *names: str, **cluster: Any) -> str | None:
    """The domain of a cluster whose API server has a certificate for these names."""
    authority.issue("api-server", alternative="127.0.0.1", names=names)
    with serving_tls(authority, name="api-server") as api:
        answer(api, Reply({"major": "1", "minor": "34"}))
        trusted = cluster or {"certificate-authority": str(authority.certificate)}
        return domain(write(folder / "config", server=api.address, cluster=trusted))


@pytest.mark.parametrize("name", ["cluster.local", "corp.example"])
def test_the_certificate_is_for_the_api_servers_own_service(authority: Authority, tmp_path: Path, name: str) -> None:
    assert of(authority, tmp_path, *SERVICE, f"kubernetes.default.svc.{name}", "api.example.com") == name


def test_where_it_has_several_the_usual_one_counts(authority: Authority, tmp_path: Path) -> None:
    names = (f"kubernetes.default.svc.{name}" for name in ("a.example", "cluster.local"))
    assert of(authority, tmp_path, *names) == "cluster.local"


def test_a_certificate_that_does_not_tell(authority: Authority, tmp_path: Path) -> None:
    assert of(authority, tmp_path, *SERVICE, "api.example.com") is None
    unverified = {"insecure-skip-tls-verify": True}
    assert of(authority, tmp_path, "kubernetes.default.svc.corp.example", **unverified) is None


def test_without_tls_nothing_tells(api: Server, tmp_path: Path) -> None:
    assert domain(write(tmp_path / "config", server=api.address)) is None
