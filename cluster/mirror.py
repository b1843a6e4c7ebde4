"""Copies every chart and image of a release to a registry, for stacks with the setting `mirror`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any, Self

import yaml

from registries.chart_package import file_of, manifest_chart, packed, stored_chart
from registries.docker_config import docker_login
from registries.errors import DownloadError, NotThereError
from registries.http_client import download, download_errors
from registries.registry import INDEXES, SECONDS, Registry, StoredManifest
from releases.types import ChartArchive, Manifest, MirroredChart, OciChart, Release, ReleaseImage, Source, TagOfChart

# Below the place of the images, as in the local cluster's registry.
CHARTS = "charts"
LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1])(:\d+)?")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place in a registry, as `host:5000/team`: images are below it, and charts below its folder `charts`."""

    host: str
    path: str = ""
    plain_http: bool = False

    @classmethod
    def parse(cls, text: str, *, plain_http: bool = False) -> Self:
        """Read `host[:port][/path]`; registries of this machine speak HTTP."""
        host, _, path = text.removeprefix("oci://").rstrip("/").partition("/")
        return cls(host=host, path=path, plain_http=plain_http or bool(LOOPBACK.fullmatch(host)))

    def repository(self, name: str) -> str:
        """Path of a chart or image in the registry."""
        return f"{self.path}/{name}" if self.path else name

    def __str__(self) -> str:
        return f"{self.host}/{self.path}" if self.path else self.host


@dataclass(frozen=True, kw_only=True)
class Item:
    """A chart or an image of a release.

    Attributes:
        name: in the mirror, without a tag.
        tag: in the mirror.
        source: where it comes from, for people.
        is_optional: whether the source may lack it.

    """

    what: Source | ReleaseImage
    name: str
    tag: str | TagOfChart
    source: str
    is_optional: bool = False

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"


def items_of(release: Release, *, source: Place | None, skip: tuple[str, ...] = ()) -> list[Item]:
    """Every chart and image of a release, without those whose names match a pattern of `skip`.

    Args:
        release: the release.
        source: a mirror to take everything from; None for where it is published.
        skip: patterns of names, as the shell has them.

    """
    found = [
        *(_chart_item(chart, source) for chart in release.sources),
        *(_image_item(image, source) for image in release.images),
    ]
    unique = {str(item): item for item in found}
    return [item for item in unique.values() if not any(fnmatch(item.name, pattern) for pattern in skip)]


def _chart_item(chart: Source, source: Place | None) -> Item:
    name = f"{CHARTS}/{chart.name}"
    if source:
        place = f"{source}/{name}:{chart.version}"
    else:
        place = f"{chart.repository}/{chart.name}:{chart.version}" if isinstance(chart, OciChart) else _url(chart)
    return Item(what=chart, name=name, tag=chart.version, source=place)


def _image_item(image: ReleaseImage, source: Place | None) -> Item:
    published = f"{image.published}@{image.digest}" if image.digest else f"{image.published}:{image.tag}"
    place = f"{source}/{image.name}:{image.tag}" if source else published
    return Item(what=image, name=image.name, tag=image.tag, source=place, is_optional=image.is_optional)


def _url(chart: ChartArchive | Manifest | MirroredChart) -> str:
    return "only in a mirror" if isinstance(chart, MirroredChart) else chart.url


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """Copies to a place in a registry what is not there yet.

    An item's tag is set last, so that what has its tag is complete, and a copy that was ended goes on where it was.

    Attributes:
        target: the place.
        source: a mirror to take everything from; None for where it is published.
        platform: the only platform to copy of images for several, as `linux/amd64`; None for all.

    """

    target: Place
    source: Place | None = None
    platform: str | None = None
    _open: ExitStack = field(default_factory=ExitStack, repr=False)
    _registries: dict[str, Registry] = field(default_factory=dict, repr=False)
    _charts: dict[str, bytes] = field(default_factory=dict, repr=False)

    @contextmanager
    def opened(self) -> Iterator[Self]:
        """Keep the connections to registries in the `with` block."""
        with self._open:
            yield self

    @download_errors()
    def copy(self, item: Item) -> str | None:
        """Copy an item; return its name with the tag, or None where it is in the mirror already.

        Raises:
            DownloadError: it cannot be copied; what was copied of it is not copied again.

        """
        what = item.what
        if isinstance(what, ReleaseImage):
            tag = self._tag(what.tag)
            return self._copied(*self._image_source(what, tag), item.name, tag)
        if self.source or isinstance(what, OciChart):
            return self._copied(*self._chart_source(what), item.name, what.version)
        repository, registry = self.target.repository(item.name), self._registry(self.target)
        if registry.digest(repository, what.version):
            return None
        manifest, parts = stored_chart(self._archive(what))
        for digest, content in parts.items():
            if not registry.has_blob(repository, digest=digest):
                registry.push_blob(repository, content, digest=digest, size=len(content))
        registry.push_manifest(repository, manifest, reference=what.version)
        return f"{item.name}:{what.version}"

    def _image_source(self, image: ReleaseImage, tag: str) -> tuple[Place, str, str]:
        """Where an image is: the registry, its repository there, and its tag or digest."""
        if self.source:
            return self.source, self.source.repository(image.name), tag
        if image.published is None:
            raise DownloadError("nobody publishes it: take it from a mirror that has it, with --from")
        place = Place.parse(image.published)
        return Place(host=place.host, plain_http=place.plain_http), place.path, image.digest or tag

    def _chart_source(self, chart: Source) -> tuple[Place, str, str]:
        if self.source:
            return self.source, self.source.repository(f"{CHARTS}/{chart.name}"), chart.version
        if not isinstance(chart, OciChart):
            raise DownloadError("it is not in a registry")
        place = Place.parse(chart.repository)
        return Place(host=place.host, plain_http=place.plain_http), f"{place.path}/{chart.name}", chart.version

    def _copied(self, source: Place, repository: str, reference: str, name: str, tag: str) -> str | None:
        origin, target = self._registry(source), self._registry(self.target)
        manifest = self._of_platform(origin, repository, origin.manifest(repository, reference))
        copied_to = self.target.repository(name)
        if target.digest(copied_to, tag) == manifest.digest:
            return None
        copying = _Copy(origin=origin, repository=repository, target=target, copied_to=copied_to)
        copying.content(manifest)
        target.push_manifest(copied_to, manifest, reference=tag)
        return f"{name}:{tag}"

    def _of_platform(self, origin: Registry, repository: str, manifest: StoredManifest) -> StoredManifest:
        """The manifest of the platform that is to be copied; the same one where all are, or where it has only one."""
        if self.platform is None or manifest.media_type not in INDEXES:
            return manifest
        listed = json.loads(manifest.content)["manifests"]
        names = {_platform(described.get("platform") or {}): described["digest"] for described in listed}
        if self.platform not in names:
            raise DownloadError(f"it has no platform {self.platform}; it has {', '.join(sorted(names))}")
        return origin.manifest(repository, names[self.platform])

    def _tag(self, tag: str | TagOfChart) -> str:
        if isinstance(tag, str):
            return tag
        try:
            value: Any = yaml.safe_load(file_of(self._archive(tag.chart), tag.file))
            for key in tag.path:
                value = value[key]
        except (ValueError, KeyError, TypeError, yaml.YAMLError) as problem:
            raise DownloadError(
                f"its tag is not in the chart {tag.chart.name} {tag.chart.version}: {problem}"
            ) from None
        return f"{tag.prefix}{value}"

    def _archive(self, chart: Source) -> bytes:
        """A chart's archive, which is downloaded once."""
        if chart.name not in self._charts:
            self._charts[chart.name] = self._download(chart)
        return self._charts[chart.name]

    def _download(self, chart: Source) -> bytes:
        if self.source or isinstance(chart, OciChart):
            place, repository, tag = self._chart_source(chart)
            registry = self._registry(place)
            return registry.blob(repository, digest=registry.chart_digest(repository, tag=tag))
        if isinstance(chart, MirroredChart):
            raise DownloadError("nobody publishes it: take it from a mirror that has it, with --from")
        content = download(chart.url, seconds=SECONDS, login=docker_login(chart.url.split("/")[2]))
        if isinstance(chart, ChartArchive):
            return content
        return packed(chart.name, manifest_chart(chart.name, chart.version, content))

    def _registry(self, place: Place) -> Registry:
        key = f"{place.host} {place.plain_http}"
        if key not in self._registries:
            opening = Registry.at(place.host, plain_http=place.plain_http, login=docker_login(place.host))
            self._registries[key] = self._open.enter_context(opening)
        return self._registries[key]


@dataclass(frozen=True, kw_only=True)
class _Copy:
    """Copies what manifests name from one repository to another, unchanged, so that all digests stay."""

    origin: Registry
    repository: str
    target: Registry
    copied_to: str

    def content(self, manifest: StoredManifest) -> None:
        """Copy everything that a manifest names, but not the manifest itself."""
        document = json.loads(manifest.content)
        for described in document.get("manifests", ()):
            digest = described["digest"]
            if self.target.digest(self.copied_to, digest) != digest:
                inner = self.origin.manifest(self.repository, digest)
                self.content(inner)
                self.target.push_manifest(self.copied_to, inner, reference=digest)
        for described in [*([document["config"]] if "config" in document else []), *document.get("layers", ())]:
            # Layers with addresses of their own are those that must not be distributed.
            if not described.get("urls") and not self.target.has_blob(self.copied_to, digest=described["digest"]):
                self._blob(described["digest"], size=described["size"])

    def _blob(self, digest: str, *, size: int) -> None:
        with self.origin.reading(self.repository, digest=digest) as parts:
            self.target.push_blob(self.copied_to, parts, digest=digest, size=size)


def _platform(described: dict[str, str]) -> str:
    names = (described.get(key, "") for key in ("os", "architecture", "variant"))
    return "/".join(name for name in names if name)


def copy_all(mirror: Mirror, items: list[Item], *, say: Callable[[str], None]) -> list[str]:
    """Copy all items, with a line for each one; return those that could not be copied."""
    failed = []
    with mirror.opened():
        for number, item in enumerate(items, start=1):
            place = f"[{number}/{len(items)}]"
            try:
                copied = mirror.copy(item)
            except NotThereError as problem:
                if not item.is_optional:
                    failed.append(str(item))
                say(f"{place} {item}: {f'not in {mirror.source}, left out' if item.is_optional else problem}")
            except DownloadError as problem:
                failed.append(str(item))
                say(f"{place} {item}: {problem}")
            else:
                say(f"{place} {copied}: copied" if copied else f"{place} {item}: there already")
    return failed
