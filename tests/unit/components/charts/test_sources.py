from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from components.charts.sources import ChartMirror, ChartStore, ChartUnavailable, ImageMirror
from registries.login import Login, Logins
from releases.types import ChartArchive, Manifest, MirroredChart
from tests.unit.components.registry import Registry, packaged

FOLDER = Path("build/charts")
CHART = MirroredChart(name="istiod", version="1.31.0")


@pytest.fixture
def store(registry: Registry) -> ChartStore:
    return ChartStore(folder=FOLDER, mirror=ChartMirror(repository=f"{registry.address}/charts", plain_http=True))


def downloads(registry: Registry) -> int:
    """Return how many archives were downloaded."""
    return sum("/blobs/" in path for path in registry.requests)


def test_a_chart_is_downloaded_once(store: ChartStore, registry: Registry) -> None:
    registry.push("charts/istiod", "1.31.0", packaged("istiod", "1.31.0"))
    path = store.path(CHART)
    assert Path(path).read_bytes() == packaged("istiod", "1.31.0")
    assert store.path(CHART) == path
    assert downloads(registry) == 1


def test_the_path_is_relative_to_the_project(store: ChartStore, registry: Registry) -> None:
    registry.any_chart = True
    assert store.path(CHART).startswith("build/charts/istiod-1.31.0-")


def test_a_chart_is_downloaded_again_when_its_tag_moves(store: ChartStore, registry: Registry) -> None:
    registry.push("charts/istiod", "1.31.0", b"old")
    old = store.path(CHART)
    registry.push("charts/istiod", "1.31.0", b"new")
    new = store.path(CHART)
    assert (Path(old).read_bytes(), Path(new).read_bytes()) == (b"old", b"new")


def test_a_public_registry_that_requires_a_token(store: ChartStore, registry: Registry) -> None:
    registry.requires_token = True
    registry.push("charts/istiod", "1.31.0", b"chart")
    assert Path(store.path(CHART)).read_bytes() == b"chart"
    assert any(path == "/token?service=here&scope=repository%3Ax%3Apull" for path in registry.requests)


def test_the_error_for_a_missing_chart_has_chart_and_address(store: ChartStore, registry: Registry) -> None:
    with pytest.raises(ChartUnavailable) as missing:
        store.path(CHART)
    assert "chart istiod 1.31.0 could not be fetched" in str(missing.value)
    assert f"oci://{registry.address}/charts" in str(missing.value)
    assert "404" in str(missing.value)
    assert "The setting `mirror` names another place" in str(missing.value)


def test_a_registry_that_cannot_be_reached() -> None:
    store = ChartStore(folder=FOLDER, mirror=ChartMirror(repository="127.0.0.1:1/charts", plain_http=True))
    with pytest.raises(ChartUnavailable, match=r"from oci://127.0.0.1:1/charts: .*refused"):
        store.path(CHART)


def test_an_image_instead_of_a_chart(store: ChartStore, registry: Registry) -> None:
    registry.push("charts/istiod", "1.31.0", b"image", media_type="application/vnd.oci.image.layer.v1.tar+gzip")
    with pytest.raises(ChartUnavailable, match=r"1\.31\.0 is there but is not a Helm chart"):
        store.path(CHART)


def test_content_with_another_digest_is_refused(store: ChartStore, registry: Registry) -> None:
    digest = registry.push("charts/istiod", "1.31.0", b"chart")
    registry.blobs[digest] = b"changed on the way"
    with pytest.raises(ChartUnavailable, match="whose digest is not"):
        store.path(CHART)
    assert not list(FOLDER.glob("*"))


def test_an_archive_at_a_url_is_downloaded_once(registry: Registry) -> None:
    registry.files["/istiod-1.27.1.tgz"] = b"archive"
    chart = ChartArchive(name="istiod", version="1.27.1", url=f"http://{registry.address}/istiod-1.27.1.tgz")
    store = ChartStore(folder=FOLDER)
    assert store.path(chart) == store.path(chart) == "build/charts/istiod-1.27.1.tgz"
    assert registry.requests == ["/istiod-1.27.1.tgz"]


def test_a_missing_archive(registry: Registry) -> None:
    chart = ChartArchive(name="istiod", version="1", url=f"http://{registry.address}/gone.tgz")
    with pytest.raises(ChartUnavailable, match=r"istiod 1 could not be fetched from http://.*/gone.tgz: 404"):
        ChartStore(folder=FOLDER).path(chart)


def test_a_manifest_becomes_a_chart_without_templates(registry: Registry) -> None:
    registry.files["/crds.yaml"] = b"kind: CustomResourceDefinition\ndescription: '{{ not a template }}'\n"
    manifest = Manifest(name="gateway-api-crds", version="v1.5.1", url=f"http://{registry.address}/crds.yaml")
    store = ChartStore(folder=FOLDER)
    chart = Path(store.path(manifest))
    assert store.path(manifest) == str(chart)
    assert yaml.safe_load((chart / "Chart.yaml").read_text())["version"] == "1.5.1"
    assert (chart / "files" / "manifest.yaml").read_bytes() == registry.files["/crds.yaml"]
    assert [f.read_text() for f in (chart / "templates").iterdir()] == ['{{ .Files.Get "files/manifest.yaml" }}\n']
    assert registry.requests == ["/crds.yaml"]


def test_an_incomplete_chart_is_written_again(registry: Registry) -> None:
    registry.files["/crds.yaml"] = b"kind: CustomResourceDefinition\n"
    manifest = Manifest(name="crds", version="1", url=f"http://{registry.address}/crds.yaml")
    (FOLDER / "crds-1" / "files").mkdir(parents=True)
    (FOLDER / "crds-1" / "files" / "manifest.yaml").write_text("half")
    chart = Path(ChartStore(folder=FOLDER).path(manifest))
    assert (chart / "files" / "manifest.yaml").read_bytes() == registry.files["/crds.yaml"]
    assert (chart / "Chart.yaml").exists()


def test_a_chart_that_only_a_mirror_has() -> None:
    with pytest.raises(ChartUnavailable, match=r"istiod 1\.31\.0 is published nowhere: set mirror.charts"):
        ChartStore(folder=FOLDER).path(CHART)


def test_the_name_of_an_image_in_a_mirror() -> None:
    assert ImageMirror(repository="host:5000/all").image("knative/queue") == "host:5000/all/knative/queue"


PASSWORD = "private-password"


def private(registry: Registry, *, password: str | None = PASSWORD) -> ChartStore:
    """A store that fetches charts from a registry with a login; None sends no login."""
    registry.login = ("reader", PASSWORD)
    known = (Login(host=registry.address, username="reader", password=password),) if password else ()
    mirror = ChartMirror(repository=f"{registry.address}/charts", plain_http=True)
    return ChartStore(folder=FOLDER, mirror=mirror, logins=Logins(known=known))


BOTH_WAYS = pytest.mark.parametrize("by_token", [False, True], ids=["by login", "by token"])


@BOTH_WAYS
def test_a_private_registry_with_the_right_login(registry: Registry, by_token: bool) -> None:
    registry.requires_token = by_token
    registry.push("charts/istiod", "1.31.0", b"chart")
    assert Path(private(registry).path(CHART)).read_bytes() == b"chart"


@BOTH_WAYS
def test_a_private_registry_with_a_wrong_login(registry: Registry, by_token: bool) -> None:
    registry.requires_token = by_token
    registry.any_chart = True
    with pytest.raises(ChartUnavailable) as refused:
        private(registry, password="wrong-password").path(CHART)
    assert f"{registry.address} refuses the login of 'reader'" in str(refused.value)
    assert "wrong-password" not in f"{refused.value!r}{refused.value.__cause__!r}"


@BOTH_WAYS
def test_a_private_registry_without_a_login(registry: Registry, by_token: bool) -> None:
    registry.requires_token = by_token
    registry.any_chart = True
    with pytest.raises(ChartUnavailable) as refused:
        private(registry, password=None).path(CHART)
    assert f"{registry.address} asks for a login" in str(refused.value)
    assert "`registries` has the logins" in str(refused.value)


def test_the_login_of_another_registry_is_not_sent(registry: Registry) -> None:
    registry.any_chart = True
    mirror = ChartMirror(repository=f"{registry.address}/charts", plain_http=True)
    logins = Logins(known=(Login(host="registry.example", username="reader", password=PASSWORD),))
    assert Path(ChartStore(folder=FOLDER, mirror=mirror, logins=logins).path(CHART)).is_file()
    assert registry.sent_logins == []


@pytest.mark.parametrize(
    ("password", "problem"), [("wrong", "refuses the login of 'reader'"), (None, "asks for a login")]
)
def test_an_archive_at_a_url_with_a_login(registry: Registry, password: str | None, problem: str) -> None:
    registry.files["/istiod-1.27.1.tgz"] = b"archive"
    chart = ChartArchive(name="istiod", version="1.27.1", url=f"http://{registry.address}/istiod-1.27.1.tgz")
    with pytest.raises(ChartUnavailable, match=f"{registry.address} {problem}"):
        replace(private(registry, password=password), mirror=None).path(chart)
    assert Path(replace(private(registry), mirror=None).path(chart)).read_bytes() == b"archive"
