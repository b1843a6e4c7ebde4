from __future__ import annotations

import pytest

from components.releases.releases import GRPC_V2, LOCAL, OFFICIAL_0_20, RELEASES, KubernetesRange, Release

each = pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)


@each
def test_names(release: Release) -> None:
    assert RELEASES[release.name] is release
    names = [runtime.name for runtime in release.runtimes]
    assert len(names) == len(set(names))


@each
def test_a_runtime_is_offered_or_left_out(release: Release) -> None:
    offered = {runtime.values_key for runtime in release.runtimes}
    assert not offered & set(release.kserve.left_out)


@each
def test_every_runtime_says_whom_it_serves(release: Release) -> None:
    for runtime in release.runtimes:
        assert (GRPC_V2 in runtime.spoken) == (runtime.grpc_port is not None)
        for model_format in runtime.formats:
            asked = {"format_name": model_format.name, "version": model_format.version}
            for protocol in runtime.spoken:
                assert runtime.serves(**asked, protocol=protocol)
                assert runtime.chosen_for(**asked, protocol=protocol) == model_format.auto_select
            assert not runtime.serves(**asked, protocol="v9")


def test_the_servers_that_tell_whether_a_model_is_loaded() -> None:
    mute = {runtime.name for runtime in OFFICIAL_0_20.runtimes if not runtime.tells_loaded}
    assert mute == {"kserve-tensorflow-serving", "kserve-torchserve", "kserve-tritonserver", "kserve-vllmserver"}
    assert all(runtime.tells_loaded for runtime in LOCAL.runtimes)


def test_one_release_is_published_and_one_is_in_a_mirror() -> None:
    assert LOCAL.needs_mirror
    assert not OFFICIAL_0_20.needs_mirror


def test_a_runtime_that_is_never_chosen_may_be_named() -> None:
    (predictive,) = (r for r in OFFICIAL_0_20.runtimes if r.name == "kserve-predictiveserver")
    asked = {"format_name": "sklearn", "version": "1", "protocol": "v1"}
    assert predictive.serves(**asked)
    assert not predictive.chosen_for(**asked)


@pytest.mark.parametrize(("version", "inside"), [((1, 31), False), ((1, 32), True), ((1, 34), True), ((1, 35), False)])
def test_a_range_of_kubernetes_versions(version: tuple[int, int], inside: bool) -> None:
    tested = KubernetesRange(oldest=(1, 32), newest=(1, 34))
    assert (version in tested) == inside
    assert str(tested) == "1.32 to 1.34"
