"""The local cluster builds what the `local` release needs, and Pulumi has one version everywhere."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cluster import catalog
from cluster.artifacts import Cache
from cluster.catalog import Catalog
from cluster.images import Image
from releases.local import LOCAL
from releases.runtimes import BANDIT_IMAGE
from releases.types import NetGatewayApi, PlainMonitoring

ROOT = Path(__file__).parents[3]


@pytest.fixture
def held(tmp_path: Path) -> Catalog:
    cache = Cache(tmp_path)
    return Catalog(cache)


def every_image(held: Catalog) -> list[Image]:
    """The images of the platform and of every extra."""
    return [
        *held.platform_images(),
        *(image for images in held.extra_images().values() for image in images),
    ]


def test_the_catalog_has_every_chart_of_the_release(held: Catalog) -> None:
    ingress = LOCAL.knative.ingress
    assert isinstance(ingress, NetGatewayApi)
    sources = [
        *(LOCAL.cert_manager.chart, LOCAL.gateway_api, LOCAL.istio.base, LOCAL.istio.istiod, LOCAL.istio.gateway),
        *(LOCAL.knative.operator, LOCAL.knative.serving_crds, ingress.chart),
        *(LOCAL.kserve.crds, LOCAL.kserve.resources, LOCAL.kserve.runtime_configs),
    ]
    charts = {(chart.name, chart.version) for chart in held.charts()}
    assert {(source.name, source.version) for source in sources} <= charts


def test_image_tags_are_the_versions_of_the_release(held: Catalog) -> None:
    tags = {image.name: image.tag for image in every_image(held)}
    ingress = LOCAL.knative.ingress
    assert isinstance(ingress, NetGatewayApi)
    assert tags["istio/pilot"] == tags["istio/proxyv2"] == LOCAL.istio.version
    assert tags["knative/controller"] == tags["knative-operator/operator"] == f"v{LOCAL.knative.version}"
    assert tags["knative/net-gateway-api-controller"] == ingress.version
    assert tags["kserve/kserve-controller"] == tags["kserve/sklearnserver"] == LOCAL.kserve.version
    assert tags["brancz/kube-rbac-proxy"] == LOCAL.kserve.rbac_proxy
    assert isinstance(LOCAL.monitoring, PlainMonitoring)
    assert tags["prometheus/prometheus"] == LOCAL.monitoring.prometheus
    assert tags["kube-state-metrics/kube-state-metrics"] == LOCAL.monitoring.kube_state_metrics


def test_the_catalog_has_the_image_of_every_serving_runtime(held: Catalog) -> None:
    names = {image.name for image in every_image(held)}
    assert {runtime.image for runtime in LOCAL.runtimes} <= names


def test_the_images_of_more_formats_have_the_tags_of_the_release(held: Catalog) -> None:
    tags = {(image.name, image.tag) for image in every_image(held)}
    assert {(runtime.image, runtime.tag) for runtime in LOCAL.more_runtimes} <= tags


def test_on_demand_images_are_the_images_of_the_extras(held: Catalog) -> None:
    assert LOCAL.on_demand == {image.name: extra for extra, images in held.extra_images().items() for image in images}


def test_the_catalog_has_the_bandit_image(held: Catalog) -> None:
    assert BANDIT_IMAGE in {f"{image.name}:{image.tag}" for image in every_image(held)}


def test_kubernetes_is_a_version_the_release_was_tested_on() -> None:
    major, minor = catalog.KUBERNETES.removeprefix("v").split(".")[:2]
    assert LOCAL.kubernetes.oldest <= (int(major), int(minor)) <= LOCAL.kubernetes.newest


def test_images_run_as_a_numeric_user_other_than_root(held: Catalog) -> None:
    assert all(image.user.replace(":", "").isdigit() for image in every_image(held))
    assert all(image.user.split(":")[0] != "0" for image in every_image(held))


def test_the_python_packages_of_pulumi_have_the_version_of_its_programs() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"pulumi=={catalog.PULUMI}" in dependencies
    assert f"pulumi-kubernetes=={catalog.PULUMI_KUBERNETES}" in dependencies


def test_every_go_module_is_pinned_with_checksums() -> None:
    for module in {part.module for part in catalog.GO_PARTS}:
        assert (module.directory / "go.mod").is_file(), module.name
        assert (module.directory / "go.sum").is_file(), module.name


def test_go_mod_replaces_each_changed_copy_in_its_version() -> None:
    text = (catalog.CORE.directory / "go.mod").read_text()
    for copied in catalog.CORE.copies:
        assert f"\t{copied.module} {copied.version}\n" in text
        assert f"\t{copied.module} => ./changed/{copied.name}\n" in text
