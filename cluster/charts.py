"""Helm charts of the local registry, made from the sources of the compiled Go modules."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.artifacts import Cache, digest
from cluster.locations import logs_dir
from cluster.processes import run

# A Chart.yaml, or one Kubernetes object.
Document = dict[str, Any]
# Raised when the same sources are made into another chart; part of every key.
FORMAT = 3


def _documents(files: list[Path]) -> list[Document]:
    texts = (file.read_text() for file in files)
    return [document for text in texts for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


@dataclass(frozen=True)
class Chart:
    """A chart under `charts/<name>` in the local registry.

    Attributes:
        source: an upstream chart's folder, or a folder or file with plain manifests.
        assemble: fills the chart's folder, as `assemble(folder, source)`; None copies an upstream chart.
    """

    name: str
    version: str
    source: Path
    assemble: Callable[[Path, Path], None] | None = None

    @property
    def entry(self) -> str:
        """The cache entry's name."""
        return f"chart-{self.name}"

    def needs(self, cache: Cache) -> frozenset[str]:
        """The cache entry that holds the sources."""
        return frozenset({self.source.relative_to(cache.root).parts[0]})

    def key(self, cache: Cache) -> str:
        """The key of the cache entry."""
        return digest(self.name, self.version, str(self.source.relative_to(cache.root)), FORMAT)

    def path(self, cache: Cache) -> Path:
        """The packaged chart, built or not."""
        return cache.path(self.entry, self.key(cache)) / f"{self.name}-{self.version}.tgz"

    def build(self, cache: Cache, *, helm: Path) -> Path:
        """The packaged chart."""
        cache.get(self.entry, self.key(cache), lambda directory: self._build(directory, helm))
        return self.path(cache)

    def _build(self, directory: Path, helm: Path) -> None:
        chart = directory / self.name
        if self.assemble is None:
            shutil.copytree(self.source, chart)
        else:
            chart.mkdir()
            self.assemble(chart, self.source)
        description = chart / "Chart.yaml"
        found: Document = yaml.safe_load(description.read_text()) if description.exists() else {}
        found = {"apiVersion": "v2", **found, "name": self.name, "version": self.version, "appVersion": self.version}
        description.write_text(yaml.safe_dump(found))
        run(
            [helm, "package", chart, "--destination", directory],
            what=f"packaging the chart {self.name}",
            log=logs_dir() / f"chart-{self.name}.log",
        )
        shutil.rmtree(chart)


def crds_chart(chart: Path, source: Path) -> None:
    """A chart of the CustomResourceDefinitions in `source`, and nothing else."""
    files = sorted(source.glob("*.yaml")) if source.is_dir() else [source]
    crds = [d for d in _documents(files) if d["kind"] == "CustomResourceDefinition"]
    # Not in the chart's crds folder, from which Helm never removes anything; nor as a template, as which braces in a
    # schema would be read.
    (chart / "files").mkdir()
    (chart / "files" / "crds.yaml").write_text(yaml.dump_all(crds, Dumper=yaml.CSafeDumper))
    (chart / "templates").mkdir()
    (chart / "templates" / "crds.yaml").write_text('{{ .Files.Get "files/crds.yaml" }}\n')


def cert_manager_chart(chart: Path, source: Path) -> None:
    """cert-manager's chart as its release pipeline makes it, with the CRDs as templates behind `installCRDs`."""
    shutil.copytree(source / "charts" / "cert-manager", chart, dirs_exist_ok=True)
    template = chart / "Chart.template.yaml"
    written = yaml.safe_load(template.read_text())
    template.unlink()
    written["annotations"] = {}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(written))
    bodies = [file.read_text() for file in sorted((source / "crds").glob("crd-*.yaml"))]
    text = "\n---\n".join(bodies)
    (chart / "templates" / "crds.yaml").write_text("{{- if .Values.installCRDs }}\n" + text + "\n{{- end }}\n")


def knative_operator_chart(chart: Path, source: Path, *, version: str) -> None:
    """The operator's chart, with the versions that its release pipeline would fill in."""
    shutil.copytree(source, chart, dirs_exist_ok=True)
    for file, placeholder, value in (
        (chart / "Chart.yaml", "{{ version }}", version),
        (chart / "values.yaml", "{{ tag }}", f"v{version}"),
    ):
        file.write_text(file.read_text().replace(placeholder, value))


def net_gateway_api_chart(chart: Path, source: Path) -> None:
    """net-gateway-api's manifests with the images as values, without the ConfigMap, which the deployment declares."""
    images = {
        "ko://knative.dev/net-gateway-api/cmd/controller": "{{ .Values.controller.image }}",
        "ko://knative.dev/net-gateway-api/cmd/webhook": "{{ .Values.webhook.image }}",
    }
    documents = [d for d in _documents(sorted(source.glob("*.yaml"))) if d["kind"] != "ConfigMap"]
    for document in documents:
        if document["kind"] == "Deployment":
            for container in document["spec"]["template"]["spec"]["containers"]:
                container["image"] = images[container["image"]]
    (chart / "templates").mkdir()
    (chart / "templates" / "manifests.yaml").write_text(yaml.safe_dump_all(documents))
    values = {"controller": {"image": ""}, "webhook": {"image": ""}}
    (chart / "values.yaml").write_text(yaml.safe_dump(values))
