"""Copying a release from one registry to another: real HTTP servers on the loopback, compared by digest."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.artifacts import Cache
from cluster.catalog import Catalog
from cluster.mirror import Item, Mirror, Place, copy_all, items_of
from registries.chart_package import file_of, packed
from registries.errors import DownloadError
from releases import RELEASES
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import ChartArchive, Manifest, OciChart, ReleaseImage, TagOfChart
from tests.unit.components.registry import Registry, packaged, serving

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def origin() -> Iterator[Registry]:
    with serving() as registry:
        yield registry


@pytest.fixture
def target() -> Iterator[Registry]:
    with serving() as registry:
        yield registry


@pytest.fixture(autouse=True)
def no_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for Docker's configuration, with nothing in it."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blob(registry: Registry, content: bytes) -> dict[str, Any]:
    registry.blobs[digest(content)] = content
    return {"mediaType": "x", "digest": digest(content), "size": len(content)}


def keep(registry: Registry, repository: str, reference: str, document: dict[str, Any]) -> dict[str, Any]:
    content = json.dumps(document).encode()
    for name in (reference, digest(content)):
        registry.manifests[f"{repository}:{name}"] = content
        registry.media_types[f"{repository}:{name}"] = document["mediaType"]
    return {"mediaType": document["mediaType"], "digest": digest(content), "size": len(content)}


def image(registry: Registry, repository: str, tag: str, text: str = "layer") -> dict[str, Any]:
    config, layer = blob(registry, f"config of {text}".encode()), blob(registry, text.encode())
    return keep(registry, repository, tag, {"mediaType": MANIFEST, "config": config, "layers": [layer]})


def image_of_two_platforms(registry: Registry, repository: str, tag: str) -> dict[str, str]:
    """Digest of each platform's manifest."""
    described = []
    for architecture in ("amd64", "arm64"):
        listed = image(registry, repository, f"{tag}-{architecture}", architecture)
        described.append({**listed, "platform": {"os": "linux", "architecture": architecture}})
    keep(registry, repository, tag, {"mediaType": INDEX, "manifests": described})
    return {item["platform"]["architecture"]: item["digest"] for item in described}


def image_item(registry: Registry, name: str, tag: str | TagOfChart = "v1", **fields: Any) -> Item:
    what = ReleaseImage(name=f"mirrored/{name}", tag=tag, published=f"{registry.address}/up/{name}", **fields)
    return Item(what=what, name=what.name, tag=tag, source="", is_optional=what.is_optional)


def copied(item: Item, mirror: Mirror) -> str | None:
    with mirror.opened():
        return mirror.copy(item)


def to(registry: Registry, path: str = "team", **fields: Any) -> Mirror:
    return Mirror(target=Place.parse(f"{registry.address}/{path}"), **fields)


@pytest.mark.feature("python -m cluster mirror", mode="both", proof="objects")
def test_an_image_is_copied_unchanged_with_all_platforms(origin: Registry, target: Registry) -> None:
    image_of_two_platforms(origin, "up/server", "v1")
    assert copied(image_item(origin, "server"), to(target)) == "mirrored/server:v1"
    assert target.manifests["team/mirrored/server:v1"] == origin.manifests["up/server:v1"]
    assert target.blobs == origin.blobs
    # The tag comes last: what has its tag is complete.
    assert target.pushed[-1] == "/v2/team/mirrored/server/manifests/v1"


def test_one_platform_alone(origin: Registry, target: Registry) -> None:
    digests = image_of_two_platforms(origin, "up/server", "v1")
    copied(image_item(origin, "server"), to(target, platform="linux/arm64"))
    assert digest(target.manifests["team/mirrored/server:v1"]) == digests["arm64"]
    assert set(target.blobs.values()) == {b"arm64", b"config of arm64"}
    with pytest.raises(DownloadError, match=r"no platform linux/s390x; it has linux/amd64, linux/arm64"):
        copied(image_item(origin, "server"), to(target, platform="linux/s390x"))


def test_what_is_there_is_not_copied_again(origin: Registry, target: Registry) -> None:
    image(origin, "up/server", "v1")
    item = image_item(origin, "server")
    copied(item, to(target))
    target.pushed.clear()
    assert copied(item, to(target)) is None
    assert target.pushed == []
    image(origin, "up/server", "v1", "newer")  # the tag moves
    assert copied(item, to(target)) == "mirrored/server:v1"
    assert target.manifests["team/mirrored/server:v1"] == origin.manifests["up/server:v1"]


def test_a_copy_that_was_ended_goes_on(origin: Registry, target: Registry) -> None:
    image(origin, "up/server", "v1")
    target.blobs[digest(b"layer")] = b"layer"
    copied(image_item(origin, "server"), to(target))
    assert f"/v2/up/server/blobs/{digest(b'layer')}" not in origin.requests


def test_content_that_changed_on_the_way_is_refused(origin: Registry, target: Registry) -> None:
    image(origin, "up/server", "v1")
    origin.blobs[digest(b"layer")] = b"LAYER"
    with pytest.raises(DownloadError, match="400"):
        copied(image_item(origin, "server"), to(target))
    assert "team/mirrored/server:v1" not in target.manifests


def test_an_image_by_its_digest(origin: Registry, target: Registry) -> None:
    wanted = image(origin, "up/server", "v1")["digest"]
    image(origin, "up/server", "v1", "another one under the tag")
    copied(image_item(origin, "server", digest=wanted), to(target))
    assert digest(target.manifests["team/mirrored/server:v1"]) == wanted


def test_charts_of_all_kinds_are_what_a_stack_fetches(origin: Registry, target: Registry) -> None:
    archive, crds = packaged("istiod", "1"), b"kind: CustomResourceDefinition\n"
    origin.files = {"/istiod.tgz": archive, "/crds.yaml": crds}
    origin.push("charts/kserve", "v1", packaged("kserve", "v1"))
    url = f"http://{origin.address}"
    archived = ChartArchive(name="istiod", version="1", url=f"{url}/istiod.tgz")
    release = replace(
        LOCAL,
        cert_manager=replace(LOCAL.cert_manager, chart=archived),
        gateway_api=Manifest(name="crds", version="v2", url=f"{url}/crds.yaml"),
        kserve=replace(LOCAL.kserve, crds=OciChart(name="kserve", version="v1", repository=f"{origin.address}/charts")),
    )
    wanted = {"charts/istiod", "charts/crds", "charts/kserve"}
    items = [item for item in items_of(release, source=None) if item.name in wanted]
    said: list[str] = []
    assert copy_all(to(target), items, say=said.append) == []
    assert said[0] == f"[1/{len(items)}] charts/istiod:1: copied"
    assert archive in target.blobs.values()
    manifest = json.loads(target.manifests["team/charts/crds:v2"])
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
    assert file_of(target.blobs[layer["digest"]], "files/manifest.yaml") == crds
    assert json.loads(target.blobs[manifest["config"]["digest"]])["name"] == "crds"
    assert target.manifests["team/charts/kserve:v1"] == origin.manifests["charts/kserve:v1"]
    said.clear()
    assert copy_all(to(target), items, say=said.append) == []
    assert all(line.endswith("there already") for line in said)


def test_a_tag_is_read_in_the_chart(origin: Registry, target: Registry) -> None:
    files = {"Chart.yaml": b"name: c\nappVersion: 2.3.4\n", "charts/inner/Chart.yaml": b"appVersion: 7.8.9\n"}
    origin.files["/c.tgz"] = packed("c", files)
    chart = ChartArchive(name="c", version="1", url=f"http://{origin.address}/c.tgz")
    image(origin, "up/server", "2.3.4")
    image(origin, "up/server", "v7.8.9", "other")
    outer = TagOfChart(chart=chart, file="Chart.yaml", path=("appVersion",))
    inner = TagOfChart(chart=chart, file="charts/inner/Chart.yaml", path=("appVersion",), prefix="v")
    assert copied(image_item(origin, "server", outer), to(target)) == "mirrored/server:2.3.4"
    assert copied(image_item(origin, "server", inner), to(target)) == "mirrored/server:v7.8.9"
    nowhere = replace(outer, path=("image", "tag"))
    with pytest.raises(DownloadError, match="its tag is not in the chart c 1"):
        copied(image_item(origin, "server", nowhere), to(target))


def test_from_a_mirror_that_has_everything(origin: Registry, target: Registry) -> None:
    """As release local, which is in the registry of the local cluster only. What is built on demand may be missing."""
    source = Place.parse(f"{origin.address}/built")
    items = items_of(LOCAL, source=source, skip=("kserve/xgb*",))
    for item in items:
        if item.is_optional:
            continue
        if item.name.startswith("charts/"):
            origin.push(f"built/{item.name}", str(item.tag), item.name.encode())
        else:
            image(origin, f"built/{item.name}", str(item.tag), item.name)
    said: list[str] = []
    assert copy_all(to(target, source=source), items, say=said.append) == []
    tags = {name.partition("/")[2]: content for name, content in target.manifests.items() if ":sha256:" not in name}
    assert tags == {
        name.partition("/")[2]: content for name, content in origin.manifests.items() if ":sha256:" not in name
    }
    assert any(line.endswith(f"kserve/onnxserver:v0.20.0: not in {source}, left out") for line in said)
    assert not any("xgb" in line for line in said)


def test_what_is_missing_is_said_and_the_rest_is_copied(origin: Registry, target: Registry) -> None:
    image(origin, "up/there", "v1")
    nowhere = ReleaseImage(name="nowhere", tag="v1")
    items = [
        image_item(origin, "gone"),
        Item(what=nowhere, name="nowhere", tag="v1", source=""),
        image_item(origin, "there"),
    ]
    said: list[str] = []
    assert copy_all(to(target), items, say=said.append) == ["mirrored/gone:v1", "nowhere:v1"]
    assert f"404 Not Found for http://{origin.address}/v2/up/gone" in said[0]
    assert said[1].endswith("nobody publishes it: take it from a mirror that has it, with --from")
    assert said[2] == "[3/3] mirrored/there:v1: copied"


def docker_config(folder: Path, host: str, password: str) -> None:
    auth = base64.b64encode(f"me:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


@pytest.mark.parametrize("by_token", [False, True], ids=["by login", "by token"])
def test_the_login_is_that_of_docker_login(origin: Registry, target: Registry, no_logins: Path, by_token: bool) -> None:
    image(origin, "up/server", "v1")
    target.login, target.requires_token = ("me", "docker-password"), by_token
    with pytest.raises(DownloadError, match="asks for a login"):
        copied(image_item(origin, "server"), to(target))
    docker_config(no_logins, target.address, "wrong-password")
    with pytest.raises(DownloadError, match="refuses the login of 'me'") as refused:
        copied(image_item(origin, "server"), to(target))
    assert "wrong-password" not in str(refused.value)
    docker_config(no_logins, target.address, "docker-password")
    assert copied(image_item(origin, "server"), to(target)) == "mirrored/server:v1"
    assert origin.sent_logins == []


def test_a_program_that_keeps_logins(no_logins: Path, monkeypatch: pytest.MonkeyPatch, target: Registry) -> None:
    program = no_logins / "docker-credential-test"
    program.write_text('#!/bin/sh\nread host\necho "{\\"Username\\": \\"me\\", \\"Secret\\": \\"for $host\\"}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{no_logins}:/usr/bin:/bin")
    (no_logins / "config.json").write_text(json.dumps({"credHelpers": {target.address: "test"}}))
    target.login = ("me", f"for {target.address}")
    target.files = {"/c.tgz": b""}
    with serving() as other:
        image(other, "up/server", "v1")
        assert copied(image_item(other, "server"), to(target)) == "mirrored/server:v1"


@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
def test_every_image_has_one_place_in_a_mirror(release: Any) -> None:
    places = [f"{image.name}:{image.tag}" for image in release.images]
    assert len(places) == len(set(places))
    for image_ in release.images:
        assert (image_.published is None) == release.needs_mirror


def test_the_images_of_release_local_are_those_that_the_local_cluster_builds(tmp_path: Path) -> None:
    catalog = Catalog(Cache(tmp_path))
    always = {(image_.name, image_.tag, False) for image_ in catalog.platform_images()}
    extras = {(image_.name, image_.tag, True) for images in catalog.extra_images().values() for image_ in images}
    assert {(image_.name, image_.tag, image_.is_optional) for image_ in LOCAL.images} == always | extras
    assert {(c.name, c.version) for c in LOCAL.sources} <= {(c.name, c.version) for c in catalog.charts()}


def test_every_serving_runtime_has_its_image_in_the_list() -> None:
    for release in (LOCAL, OFFICIAL_0_20):
        names = {image_.name for image_ in release.images}
        assert {runtime.image for runtime in release.runtimes} <= names
        assert {*release.on_demand} <= names


@pytest.mark.parametrize(
    ("text", "host", "path", "plain_http"),
    [
        ("registry.example/team/", "registry.example", "team", False),
        ("oci://registry.example", "registry.example", "", False),
        ("localhost:5000", "localhost:5000", "", True),
        ("127.0.0.1:5000/a", "127.0.0.1:5000", "a", True),
        ("localhost.example.com/team", "localhost.example.com", "team", False),
        ("127.example.com", "127.example.com", "", False),
    ],
)
def test_places(text: str, host: str, path: str, plain_http: bool) -> None:
    assert Place.parse(text) == Place(host=host, path=path, plain_http=plain_http)
