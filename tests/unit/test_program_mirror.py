"""With a mirror, the whole program names and fetches nothing that is elsewhere; and the mirror's list has all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from releases import RELEASES
from tests.unit.components.kubernetes import answering
from tests.unit.components.recording import Recording
from tests.unit.components.registry import Registry, serving
from tests.unit.test_program import run

MIRROR = "registry.example:5000"
# Hosts of the publishers of all releases, and of others that are usual.
ELSEWHERE = re.compile(
    r"(docker|gcr|quay|ghcr|nvcr|jetstack|pkg\.dev|mcr\.microsoft)\.(io|com|dev)|registry\.k8s\.io|github\.com"
    r"|googleapis\.com|public\.ecr\.aws"
)
STACKS = pytest.mark.parametrize(("stack", "release"), [("dev", "local"), ("cluster", "0.20")])
CANARY = {
    "name": "tried",
    "format": "sklearn",
    "storage_uri": "gs://models/tried",
    "canary": {"traffic": 50, "bandit": {}},
}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.chdir(tmp_path)
    with serving() as registry, answering(tmp_path) as kubeconfig:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        yield registry


def declared(stack: str, *, registry: Registry) -> Recording:
    """An example with everything that the release has images for."""
    return run(stack, registry=registry, monitoring=True, models=[CANARY], storage={})


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if {"registry", "repository"} <= value.keys():  # some charts have the parts of a name apart
            yield f"{value['registry']}/{value['repository']}"
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


@pytest.mark.feature("with a mirror nothing is fetched from elsewhere", mode="both", proof="objects")
@STACKS
def test_nothing_elsewhere_is_named(stack: str, release: str, registry: Registry) -> None:
    del release
    recording = declared(stack, registry=registry)
    found = {
        (resource.name, text)
        for resource in recording.resources.values()
        for text in texts(resource.plain)
        if ELSEWHERE.search(text) and not resource.name.startswith("dashboard-")
    }
    assert found == set()


@STACKS
def test_every_chart_is_fetched_from_the_mirror_and_in_its_list(stack: str, release: str, registry: Registry) -> None:
    declared(stack, registry=registry)
    fetched = {path for path in registry.requests if "/manifests/" in path}
    assert fetched == {f"/v2/charts/{chart.name}/manifests/{chart.version}" for chart in RELEASES[release].sources}


@STACKS
def test_every_image_that_is_named_is_in_the_mirrors_list(stack: str, release: str, registry: Registry) -> None:
    recording = declared(stack, registry=registry)
    listed = {image.name for image in RELEASES[release].images}
    named = {
        text.removeprefix(f"{MIRROR}/").partition(":")[0]
        for resource in recording.resources.values()
        for text in texts(resource.plain)
        if text.startswith(f"{MIRROR}/")
    }
    # The operator puts the names of Knative's images in; istiod does so with its own; nobody publishes the bandit.
    folders = {"istio": "istio/proxyv2", "knative/${NAME}": "knative/activator", "kserve-multi-model/bandit": ""}
    assert {folder for folder, image in folders.items() if image} <= named
    assert {image for folder, image in folders.items() if image} <= listed
    # Overrides that Knative's operator ignores where it does not install net-istio.
    ignored = {f"knative/net-istio-{part}" for part in ("controller", "webhook") if release == "local"}
    assert named - folders.keys() - ignored <= listed
    assert json.dumps(sorted(named)).count("kserve/") > 5
