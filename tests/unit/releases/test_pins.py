"""The versions of `releases/local.py` are those that `cluster/` builds: a change of one alone fails here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cluster import catalog
from releases import local
from releases.runtimes import LIGHTGBM, SKLEARN, XGBOOST
from releases.types import ServingRuntime

CLUSTER = Path(catalog.__file__).parent
# Istio publishes no Go module by its version, so that its commit is pinned. This is the one of each version.
ISTIO_COMMITS = {"1.31.0": "v0.0.0-20260827124520-eed52ebb66ad"}


def pins(module: str) -> dict[str, str]:
    """Version of each Go module that a folder of cluster/modules/ compiles; a `replace` has priority over a `require`.

    A changed copy (`=> ./changed/…`) keeps the version that is required.
    """
    text = (CLUSTER / "modules" / module / "go.mod").read_text()
    required = re.findall(r"^(?:require |\t)(\S+) (v\S+)(?: //.*)?$", text, re.MULTILINE)
    replaced = re.findall(r"^(?:replace |\t)(\S+) => \S+ (v\S+)$", text, re.MULTILINE)
    return {**dict(required), **dict(replaced)}


def knative_module(version: str) -> str:
    """Version of the Go modules of a release of Knative: 1.0 was v0.27."""
    major, minor, patch = map(int, version.split("."))
    assert major == 1
    return f"v0.{minor + 27}.{patch}"


def prometheus_module(version: str) -> str:
    """Version of the Go module of a release of Prometheus: of 3.14.0, v0.314.0."""
    major, minor, patch = map(int, version.split("."))
    return f"v0.{major}{minor:02}.{patch}"


@pytest.mark.parametrize(
    ("folder", "module", "version"),
    [
        ("cert-manager", "github.com/cert-manager/cert-manager", local.CERT_MANAGER),
        ("istio", "istio.io/istio", ISTIO_COMMITS.get(local.ISTIO)),
        ("core", "knative.dev/serving", knative_module(local.KNATIVE)),
        ("core", "knative.dev/operator", knative_module(local.KNATIVE)),
        ("core", "knative.dev/net-gateway-api", knative_module(local.NET_GATEWAY_API)),
        ("core", "github.com/kserve/kserve", local.KSERVE),
        ("core", "github.com/brancz/kube-rbac-proxy", local.KUBE_RBAC_PROXY),
        ("monitoring", "github.com/prometheus/prometheus", prometheus_module(local.PROMETHEUS)),
        ("monitoring", "k8s.io/kube-state-metrics/v2", local.KUBE_STATE_METRICS),
        ("core", "k8s.io/kubernetes", catalog.KUBERNETES),
        ("core", "sigs.k8s.io/metrics-server", catalog.METRICS_SERVER),
        ("core", "github.com/pulumi/pulumi/pkg/v3", f"v{catalog.PULUMI}"),
        ("core", "github.com/pulumi/pulumi/sdk/v3", f"v{catalog.PULUMI}"),
    ],
)
def test_the_go_module_is_pinned_to_the_version_of_the_release(folder: str, module: str, version: str) -> None:
    assert pins(folder)[module] == version


def test_istio_is_pinned_to_a_commit_of_its_version() -> None:
    """Its API, which has versions, is of the same one; what is compiled with it in `core` is the same commit."""
    assert pins("istio")["istio.io/api"].startswith(f"v{local.ISTIO}")
    assert pins("core")["istio.io/istio"] == pins("istio")["istio.io/istio"]


def test_the_gateway_api_is_downloaded_in_the_version_of_the_release() -> None:
    """Its CRDs are not those that programs are compiled with, and go.mod says nothing of them."""
    modules = {module for module, _ in catalog.KSERVE_PART.sources}
    assert f"sigs.k8s.io/gateway-api@v{local.GATEWAY_API}" in modules


@pytest.fixture
def serving() -> dict[str, Any]:
    return tomllib.loads((CLUSTER / "serving" / "pyproject.toml").read_text())


@pytest.fixture
def pinned(serving: dict[str, Any]) -> dict[str, str]:
    """What is required of each Python package of the model servers, such as `==0.20.0`."""
    required = [text for group in serving["dependency-groups"].values() for text in group if isinstance(text, str)]
    found = [re.fullmatch(r"([a-z0-9-]+)(?:\[.*\])?(.+)", text) for text in required]
    return {match[1]: match[2] for match in found if match}


def test_kserves_python_packages_have_the_version_of_the_release(
    pinned: dict[str, str], serving: dict[str, Any]
) -> None:
    version = local.KSERVE.removeprefix("v")
    metadata = {entry["name"]: entry.get("version") for entry in serving["tool"]["uv"]["dependency-metadata"]}
    for package in ("kserve", "kserve-storage"):
        assert (pinned[package], metadata[package]) == (f"=={version}", version)


@pytest.mark.parametrize(
    ("package", "runtime"), [("scikit-learn", SKLEARN), ("xgboost-cpu", XGBOOST), ("lightgbm", LIGHTGBM)]
)
def test_a_model_server_has_a_library_of_the_version_that_its_runtime_says(
    pinned: dict[str, str], package: str, runtime: ServingRuntime
) -> None:
    (declared,) = runtime.formats
    assert pinned[package].startswith(f"~={declared.version}.")
