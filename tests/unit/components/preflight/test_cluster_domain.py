"""An API server whose certificate names another domain than cluster.local, over TLS on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import trustme

from components.preflight.access_review import REVIEWS
from components.preflight.cluster import PreflightError, find_cluster
from components.settings.stack import parse
from tests.unit.components.kubernetes import UID
from tests.unit.kube.conftest import Authority, answer, serving_tls, write
from tests.unit.predict.server import Reply

MODEL = {"name": "iris", "format": "sklearn", "storage_uri": "gs://models/iris"}
OWN = (
    "ingress.domain: {!r} is the cluster's own domain, as the certificate of its API server says, and the gateway does "
    "not serve its hosts; choose another, like models.example.com"
)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig of a cluster whose domain is corp.example."""
    authority = Authority(folder=tmp_path, signing=trustme.CA())
    authority.signing.cert_pem.write_to_path(authority.certificate)
    authority.issue("server", alternative="127.0.0.1", names=("kubernetes.default.svc.corp.example",))
    with serving_tls(authority) as api:
        system = {"metadata": {"name": "kube-system", "uid": UID}}
        answer(api, Reply({"major": "1", "minor": "34"}))
        answer(api, Reply(system), request="GET /api/v1/namespaces/kube-system")
        answer(api, Reply({"status": {"allowed": True}}), request=f"POST {REVIEWS}")
        cluster = {"certificate-authority": str(authority.certificate)}
        yield write(tmp_path / "config", server=api.address, cluster=cluster)


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    given: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lambda *_, **__: None)
    monkeypatch.setattr(pulumi.log, "warn", given.append)
    return given


def find(file: Path, domain: str) -> None:
    document: dict[str, Any] = {"release": "0.20", "models": [MODEL], "ingress": {"domain": domain}}
    find_cluster(parse(document | {"cluster": {"kubeconfig": str(file)}}))


@pytest.mark.parametrize("domain", ["svc.corp.example", "models.svc.corp.example", "corp.example"])
def test_the_clusters_own_domain_is_refused_whatever_it_is(file: Path, warnings: list[str], domain: str) -> None:
    with pytest.raises(PreflightError) as refused:
        find(file, domain)
    assert str(refused.value) == OWN.format(domain)
    assert warnings == []


def test_another_domain_in_such_a_cluster_is_used_with_a_warning(file: Path, warnings: list[str]) -> None:
    find(file, "models.corp.example")
    (warning,) = warnings
    assert warning.startswith("the domain of the cluster's Services is corp.example, as the certificate of its API")
