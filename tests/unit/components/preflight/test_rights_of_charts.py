"""The platform's roles allow every kind that its charts have, as Helm renders those that were built here."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.locations import cache_dir
from components.charts.postrender import adjust
from components.platform.context import InstallContext
from components.platform.platform import Platform, PlatformArgs
from components.preflight.access_review import PLATFORM_ROLE
from components.preflight.rights import MANAGE, REPLACE, needed_rights
from components.settings.ingress import Ingress
from components.settings.resource_profiles import FOOTPRINTS
from components.settings.stack import parse
from releases.local import LOCAL
from releases.types import version_text
from tests.unit.components.preflight.test_rights import _plural
from tests.unit.components.pulumi_project import ROOT, built
from tests.unit.components.recording import Recording, record
from tests.unit.components.registry import Registry

# The charts of release `local`: Pulumi's type and the chart's own name, by the name of the resource.
CHARTS: Mapping[str, tuple[str, str]] = {
    "cert-manager": ("Release", "cert-manager"),
    "gateway-api": ("Release", "gateway-api-crds"),
    "istio-base": ("Release", "base"),
    "istiod": ("Chart", "istiod"),
    "istio-ingressgateway": ("Chart", "gateway"),
    "knative-serving-crds": ("Release", "knative-serving-crds"),
    "knative-operator": ("Release", "knative-operator"),
    "net-gateway-api": ("Chart", "net-gateway-api"),
    "kserve-crd": ("Chart", "kserve-crd-minimal"),
    "kserve": ("Chart", "kserve-resources"),
    "kserve-runtimes": ("Chart", "kserve-runtime-configs"),
}
KUBERNETES = f"{version_text(LOCAL.kubernetes.newest)}.0"
Granted = Mapping[tuple[str, str], set[str]]


def granted() -> Granted:
    """Verbs by (group, resource) of the role that the documentation has."""
    verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
    for role in yaml.safe_load_all((ROOT / PLATFORM_ROLE).read_text()):
        for rule in role["rules"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    verbs[group, resource] |= set(rule["verbs"])
    return verbs


def asked(footprint: str) -> Granted:
    """Verbs by (group, resource) that a preview asks for, of a stack with this footprint and a model in each mode."""
    models = [
        {"name": mode.lower(), "format": "sklearn", "storage_uri": "gs://a/b", "mode": mode}
        for mode in ("Knative", "Standard")
    ]
    mirror = {"charts": "oci://registry.example/charts", "images": "registry.example"}
    settings = parse({"release": "local", "mirror": mirror, "resources": footprint, "models": models})
    verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
    for right in needed_rights(settings, missing=set(), own=set()):
        verbs[right.group, right.resource].add(right.verb)
    return verbs


def rendered(chart: Path, *, name: str, namespace: str, values: Mapping[str, Any], folder: Path) -> list[Any]:
    """The chart's objects, with its CustomResourceDefinitions."""
    (folder / "values.json").write_text(json.dumps(values))
    helm = built("helm", "helm")
    options = ["--namespace", namespace, "--include-crds", "--values", str(folder / "values.json")]
    options += ["--kube-version", KUBERNETES]
    done = subprocess.run([helm, "template", name, chart, *options], check=True, capture_output=True, text=True)
    return [document for document in yaml.load_all(done.stdout, yaml.CSafeLoader) if document]


def platform(install: InstallContext) -> Recording:
    args = PlatformArgs(
        install=install,
        release=LOCAL,
        ingress=Ingress(service_type="ClusterIP"),
        has_knative=True,
        monitoring=None,
        foreign_namespaces=frozenset(),
    )
    return record(lambda: Platform("platform", args=args))


@pytest.mark.parametrize("footprint", ["default", "small"])
def test_every_kind_of_the_charts_is_allowed(
    footprint: str, install: InstallContext, registry: Registry, tmp_path: Path
) -> None:
    archives = {name: found for name, (_, chart) in CHARTS.items() if (found := newest(chart))}
    for name, archive in archives.items():
        chart = CHARTS[name][1]
        registry.push(f"charts/{chart}", archive.stem.removeprefix(f"{chart}-"), archive.read_bytes())
    recording = platform(replace(install, footprint=FOOTPRINTS[footprint]))
    lacking: dict[str, set[str]] = {}
    for name, archive in archives.items():
        declared = recording.the(f":{CHARTS[name][0]}", name).plain
        assert Path(declared["chart"]).read_bytes() == archive.read_bytes()
        kinds = kinds_of(declared, name=name, folder=tmp_path)
        assert kinds
        for allowed, (group, kind) in product((granted(), asked(footprint)), kinds):
            resource = _plural(kind.lower())
            if missing := _wanted(kind) - allowed.get((group, resource), set()):
                lacking[f"{name}: {resource}.{group}"] = missing
    assert lacking == {}
    if unbuilt := CHARTS.keys() - archives.keys():
        pytest.skip(f"there is no chart of {', '.join(sorted(unbuilt))} yet: python -m cluster up builds them")


def newest(chart: str) -> Path | None:
    """The archive of a chart that was built here."""
    found = (cache_dir() / "entries" / f"chart-{chart}").glob(f"[!.]*/{chart}-*.tgz")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def kinds_of(declared: Mapping[str, Any], *, name: str, folder: Path) -> set[tuple[str, str]]:
    """API group and kind of each object that a release of a chart makes."""
    namespace = declared.get("namespace", "default")
    documents = rendered(
        Path(declared["chart"]), name=name, namespace=namespace, values=declared["values"], folder=folder
    )
    if "postRenderer" in declared:
        options = declared["postRenderer"]["args"]
        without = [option.removeprefix("--without=") for option in options if option.startswith("--without=")]
        documents = adjust(documents, namespace=namespace, without=without)
    return {(document["apiVersion"].rpartition("/")[0], document["kind"]) for document in documents}


def _wanted(kind: str) -> set[str]:
    """Verbs that an object of a chart needs: a CustomResourceDefinition is replaced as a whole, too."""
    return set(REPLACE if kind == "CustomResourceDefinition" else MANAGE)


def test_no_chart_of_the_platform_is_left_out(install: InstallContext) -> None:
    charts = (one for one in platform(install).resources.values() if "helm.sh" in one.type)
    found = {one.name: (one.type.rpartition(":")[2], Path(one.plain["chart"]).name) for one in charts}
    assert found.keys() == CHARTS.keys()
    for name, (kind, file) in found.items():
        assert (kind, file.startswith(f"{CHARTS[name][1]}-")) == (CHARTS[name][0], True)
