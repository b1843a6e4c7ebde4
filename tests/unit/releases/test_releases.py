from __future__ import annotations

import pytest

from cluster.catalog import KUBERNETES
from releases import RELEASES
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import GRPC_V2, KubernetesRange, Release

each = pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)


@each
def test_releases_are_found_by_name_and_runtimes_have_unique_names(release: Release) -> None:
    assert RELEASES[release.name] is release
    names = [runtime.name for runtime in release.runtimes]
    assert len(names) == len(set(names))


@each
def test_an_offered_runtime_is_not_disabled(release: Release) -> None:
    offered = {runtime.values_key for runtime in release.runtimes}
    assert not offered & set(release.kserve.disabled_runtimes)


@each
def test_a_runtime_serves_its_own_formats_and_protocols_only(release: Release) -> None:
    for runtime in release.runtimes:
        assert (GRPC_V2 in runtime.served_protocols) == (runtime.grpc_port is not None)
        for model_format in runtime.formats:
            model = {"format_name": model_format.name, "version": model_format.version}
            for protocol in runtime.served_protocols:
                assert runtime.serves(**model, protocol=protocol)
                assert runtime.auto_selects(**model, protocol=protocol) == model_format.auto_select
            assert not runtime.serves(**model, protocol="v9")


def test_which_runtimes_report_that_a_model_is_loaded() -> None:
    silent = {runtime.name for runtime in OFFICIAL_0_20.runtimes if not runtime.reports_loaded}
    assert silent == {"kserve-tensorflow-serving", "kserve-torchserve", "kserve-tritonserver", "kserve-vllmserver"}
    assert all(runtime.reports_loaded for runtime in LOCAL.runtimes)


def test_only_the_local_release_needs_a_mirror() -> None:
    assert LOCAL.needs_mirror
    assert not OFFICIAL_0_20.needs_mirror


def test_a_runtime_that_is_not_auto_selected_serves_a_model_that_names_it() -> None:
    (predictive,) = (r for r in OFFICIAL_0_20.runtimes if r.name == "kserve-predictiveserver")
    model = {"format_name": "sklearn", "version": "1", "protocol": "v1"}
    assert predictive.serves(**model)
    assert not predictive.auto_selects(**model)


@each
def test_kubernetes_versions_are_in_order_and_knative_needs_no_older_one(release: Release) -> None:
    supported = release.kubernetes
    assert supported.oldest <= supported.oldest_with_knative <= supported.newest
    assert all(supported.oldest <= version <= supported.newest for version in supported.tested)


def test_a_kubernetes_range_in_words() -> None:
    knative = KubernetesRange(oldest=(1, 32), oldest_with_knative=(1, 33), newest=(1, 34))
    assert str(knative) == "1.33 to 1.34, without Knative from 1.32"
    assert str(KubernetesRange(oldest=(1, 9), oldest_with_knative=(1, 9), newest=(1, 34))) == "1.9 to 1.34"


def test_the_local_release_is_tested_on_the_kubernetes_of_the_local_cluster() -> None:
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    assert LOCAL.kubernetes.tested == ((int(major), int(minor)),)
