"""Where charts and manifests are published, and the folder they are downloaded to before Helm renders them.

A chart is downloaded once. Previews and updates after that render it from the folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pulumi

from registries.chart_package import DESCRIPTION, manifest_chart
from registries.errors import DownloadError
from registries.http_client import download
from registries.login import Logins
from registries.registry import SECONDS, Registry
from releases.types import ChartArchive, Manifest, MirroredChart, OciChart, Source


@dataclass(frozen=True, kw_only=True)
class ChartMirror:
    """A place in an OCI registry that has every chart under its own name: `repository` is `host/path`."""

    repository: str
    plain_http: bool = False


@dataclass(frozen=True, kw_only=True)
class ImageMirror:
    """A place in an image registry that has every image under its own name: `repository` is `host/path`."""

    repository: str

    def image(self, name: str) -> str:
        """Return the image's full name in the mirror, without a tag."""
        return f"{self.repository}/{name}"


class ChartUnavailable(pulumi.RunError):
    """A chart could not be fetched."""


@dataclass(frozen=True, kw_only=True)
class ChartStore:
    """The downloaded charts.

    Attributes:
        folder: relative to the project, because its path becomes part of the stack's state.
        mirror: where all charts come from; None for where each of them is published.
        logins: of the registries and web servers that ask for one.

    """

    folder: Path
    mirror: ChartMirror | None = None
    logins: Logins = field(default_factory=Logins)

    def path(self, source: Source) -> str:
        """Return the path of a chart, which is downloaded first if it is not there.

        Raises:
            ChartUnavailable: the download failed; the message has the chart and the address.

        """
        if self.mirror:
            chart = OciChart(name=source.name, version=source.version, repository=self.mirror.repository)
            return str(self._from_registry(chart, plain_http=self.mirror.plain_http))
        match source:
            case OciChart():
                return str(self._from_registry(source, plain_http=False))
            case ChartArchive():
                return str(self._from_url(source))
            case Manifest():
                return str(self._wrapped(source))
            case MirroredChart():
                raise ChartUnavailable(
                    f"chart {source.name} {source.version} is published nowhere: set mirror.charts to where it is"
                )

    def _from_registry(self, chart: OciChart, *, plain_http: bool) -> Path:
        # A tag can be moved, and often is in a registry on the user's machine: so the file is named by its digest.
        host, _, repository = f"{chart.repository}/{chart.name}".partition("/")
        try:
            with Registry.at(host, plain_http=plain_http, login=self.logins.of(host)) as registry:
                digest = registry.chart_digest(repository, tag=chart.version)
                target = self.folder / f"{chart.name}-{chart.version}-{digest.removeprefix('sha256:')[:12]}.tgz"
                if not target.exists():
                    pulumi.log.info(f"fetching chart {chart.name} {chart.version}")
                    _write(target, registry.blob(repository, digest=digest))
        except DownloadError as problem:
            raise _unavailable(chart, address=f"oci://{chart.repository}", problem=problem) from problem
        return target

    def _from_url(self, chart: ChartArchive) -> Path:
        target = self.folder / f"{chart.name}-{chart.version}.tgz"
        if not target.exists():
            _write(target, self._download(chart))
        return target

    def _wrapped(self, manifest: Manifest) -> Path:
        """Make a chart that holds a manifest as it is, without treating anything in it as a template."""
        target = self.folder / f"{manifest.name}-{manifest.version}"
        if not (target / DESCRIPTION).exists():
            for path, content in manifest_chart(manifest.name, manifest.version, self._download(manifest)).items():
                _write(target / path, content)
        return target

    def _download(self, source: ChartArchive | Manifest) -> bytes:
        pulumi.log.info(f"fetching {source.name} {source.version}")
        try:
            return download(source.url, seconds=SECONDS, login=self.logins.of(urlsplit(source.url).netloc))
        except DownloadError as problem:
            raise _unavailable(source, address=source.url, problem=problem) from problem


def _unavailable(source: Source, *, address: str, problem: Exception) -> ChartUnavailable:
    return ChartUnavailable(
        f"chart {source.name} {source.version} could not be fetched from {address}: {problem}\n"
        "Check that the address can be reached from this machine and that the chart is there. The setting `mirror` "
        "names another place for all charts, and `registries` has the logins of registries that ask for one."
    )


def _write(target: Path, content: bytes) -> None:
    """Write the file completely or not at all, even if another run writes the same file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.rename(target)
