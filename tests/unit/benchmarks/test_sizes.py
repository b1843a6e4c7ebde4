"""Sizes and parts, from what programs and registries say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.cold_build import part_seconds
from benchmarks.sizes import OTHERS, by_program, cache_sizes, image_sizes, images_of, kind_of, processor_model
from cluster.artifacts import disk_usage
from tests.unit.predict.server import Reply, serving


def test_parts_are_the_lines_that_end_in_seconds() -> None:
    lines = [
        "installing with apt: mmdebstrap",
        "  ✓ kubernetes modules 12 s",
        "  ✓ kubernetes 271 s",
        "  ✓ node bench: Kubernetes v1.34.3 at 198.18.0.2",
        "  ✓ 2 model files at http://198.18.0.2:9000/models",
        "  kubernetes failed after 12 s",
    ]
    assert part_seconds(lines) == {"kubernetes modules": 12, "kubernetes": 271}


def test_a_layer_of_two_images_counts_once_in_the_total() -> None:
    base = {"digest": "sha256:base", "size": 100}

    def manifest(name: str, size: int) -> dict[str, object]:
        return {
            "config": {"digest": f"sha256:{name}-config", "size": 1},
            "layers": [base, {"digest": f"sha256:{name}", "size": size}],
        }

    found = image_sizes({"sklearnserver": manifest("sklearn", 20), "xgbserver": manifest("xgb", 300)})
    assert [(image.name, image.size) for image in found.images] == [("xgbserver", 401), ("sklearnserver", 121)]
    assert found.total_bytes == 422


def test_images_of_a_registry_without_its_charts() -> None:
    manifest = {"config": {"digest": "sha256:a", "size": 1}, "layers": [{"digest": "sha256:b", "size": 20}]}
    with serving() as server:
        for request, body in {
            "/v2/_catalog?n=1000": {"repositories": ["charts/istiod", "pause"]},
            "/v2/pause/tags/list": {"tags": ["3.10"]},
            "/v2/pause/manifests/3.10": manifest,
        }.items():
            server.on(server.address.removeprefix("http://"), f"GET {request}", Reply(body))
        found = images_of(server.address)
        assert "oci.image.manifest" in server.requests[-1].headers["accept"]
    assert [(image.name, image.size) for image in found.images] == [("pause", 21)]


def test_memory_is_summed_by_program_largest_first() -> None:
    usage = [("python3", 200), ("kubelet", 300), ("python3", 210)]
    assert list(by_program(usage).items()) == [("python3", 410), ("kubelet", 300)]


def test_the_cache_counts_the_newest_version_of_an_entry(tmp_path: Path) -> None:
    for name, size, time in (("image-pause/old", 400_000, 1), ("image-pause/new", 4096, 2), ("pause/key", 8192, 1)):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_bytes(b"x" * size)
        os.utime(tmp_path / name, (time, time))
    (tmp_path / "pause.lock").touch()
    newest = {OTHERS: disk_usage(tmp_path / "pause"), "images": disk_usage(tmp_path / "image-pause" / "new")}
    assert cache_sizes(tmp_path) == newest


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ("image-store", "unpacked images, shared by every node"),
        ("image-kserve-agent", "images"),
        ("python-sklearn", "Python packages"),
        ("registry-onnx", "the registry's content"),
        ("models-demo", "the demo's models"),
        ("kubernetes", OTHERS),
    ],
)
def test_kinds_of_cache_entries(entry: str, kind: str) -> None:
    assert kind_of(entry) == kind


def test_the_processor_is_named_once() -> None:
    assert processor_model("processor\t: 0\nmodel name\t: Xeon 1\n\nmodel name\t: Xeon 1\n") == "Xeon 1"
