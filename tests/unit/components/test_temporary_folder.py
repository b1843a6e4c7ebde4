"""Pulumi and its Kubernetes provider leave nothing in the temporary folder; both are real, the cluster is not."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from tests.unit.components import pulumi_project
from tests.unit.components.kubernetes import kubeconfig
from tests.unit.components.pulumi_project import TOKEN, Cluster, Project
from tests.unit.components.registry import Registry, packaged

PROGRAM = """\
import os
import pulumi
import pulumi_kubernetes as k8s
from components.objects import cluster_provider

if os.environ.get("AS_BEFORE"):
    provider = k8s.Provider("cluster", cluster_identifier=pulumi.get_stack(), enable_server_side_apply=True)
else:
    provider = cluster_provider(
        "cluster", context="here", uid=pulumi.get_stack(), opts=pulumi.ResourceOptions()
    )
k8s.core.v1.ConfigMap(
    "settings",
    metadata={"name": "settings", "namespace": "default"},
    data={"a": "b"},
    opts=pulumi.ResourceOptions(provider=provider),
)
"""
# A chart as one Helm release, and another one object by object: the two ways in which this program deploys charts.
WITH_CHARTS = """\
import os
from pathlib import Path
import pulumi
from components.charts.deploy import Charts
from components.charts.helm_records import ReleaseMark
from components.charts.sources import ChartMirror, ChartStore
from components.objects import cluster_provider
from releases.types import OciChart

provider = cluster_provider("cluster", context="here", uid=pulumi.get_stack(), opts=pulumi.ResourceOptions())
mirror = ChartMirror(repository=os.environ["CHARTS"], plain_http=True)
charts = Charts(
    store=ChartStore(folder=Path("charts"), mirror=mirror),
    mark=ReleaseMark(identity="organization/copies/dev:1", deployed_before=False),
    context="here",
)
opts = pulumi.ResourceOptions(provider=provider)
for deploy, name in ((charts.definitions, "release"), (charts.workloads, "objects")):
    deploy(
        name,
        OciChart(name=name, version=os.environ["VERSION"], repository="registry.invalid/charts"),
        namespace="default",
        values={"text": os.environ["VERSION"]},
        opts=opts,
    )
"""
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: of-{{ .Release.Name }}}
data: {text: {{ .Values.text | quote }}}
"""
CONFIG_MAPS = {f"/api/v1/namespaces/default/configmaps/of-{name}" for name in ("release", "objects")}


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster) -> Project:
    return pulumi_project.project(tmp_path, cluster=cluster, program=PROGRAM)


def test_nothing_stays_in_the_temporary_folder(project: Project, cluster: Cluster) -> None:
    for command in (
        "preview",
        "up --yes --skip-preview",
        "refresh --yes --skip-preview",
        "destroy --yes --skip-preview",
    ):
        project.pulumi(*command.split())
        assert list(project.temporary.rglob("*")) == []
        assert bool(cluster.objects) == command.startswith(("up", "refresh"))


def test_nothing_of_helm_and_its_charts_stays_in_the_temporary_folder(
    tmp_path: Path, cluster: Cluster, registry: Registry
) -> None:
    """Neither a kubeconfig nor a chart, its values or what they render to."""
    project = pulumi_project.project(tmp_path, cluster=cluster, program=WITH_CHARTS)
    (tmp_path / "components").symlink_to(pulumi_project.ROOT / "components")
    for name, version in product(("release", "objects"), ("1.0.0", "2.0.0")):
        registry.push(f"charts/{name}", version, packaged(name, version, template=TEMPLATE))
    charts = f"{registry.address}/charts"
    for command, version in (
        ("preview", "1.0.0"),
        ("up --yes --skip-preview", "1.0.0"),
        ("preview --expect-no-changes", "1.0.0"),
        ("refresh --yes --skip-preview", "1.0.0"),
        ("up --yes", "2.0.0"),
        ("destroy --yes --skip-preview", "2.0.0"),
    ):
        project.pulumi(*command.split(), CHARTS=charts, VERSION=version)
        assert list(project.temporary.rglob("*")) == [], command
        copies = [file for file in tmp_path.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]
        assert copies == [project.kubeconfig], command
        kept = {path: found["data"]["text"] for path, found in cluster.objects.items() if path in CONFIG_MAPS}
        after = command.startswith("destroy") or (command, version) == ("preview", "1.0.0")
        assert kept == ({} if after else dict.fromkeys(CONFIG_MAPS, version))
    assert cluster.objects == {}


def test_a_stack_whose_provider_was_given_the_path_goes_on_without_a_copy(project: Project) -> None:
    project.pulumi("up", "--yes", "--skip-preview", AS_BEFORE="1")
    (copy,) = project.temporary.iterdir()
    assert TOKEN in copy.read_text()
    copy.unlink()
    shown = project.pulumi("up", "--yes", "--skip-preview")
    assert "pulumi:providers:kubernetes cluster updated" in shown
    assert "1 updated" in shown
    assert "2 unchanged" in shown
    assert "replace" not in shown
    for file in project.temporary.iterdir():
        file.unlink()
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert list(project.temporary.iterdir()) == []


def test_a_destroy_with_a_kubeconfig_without_the_context_deletes_nothing(
    project: Project, cluster: Cluster, tmp_path: Path
) -> None:
    project.pulumi("up", "--yes", "--skip-preview")
    (tmp_path / "other").mkdir()
    other = kubeconfig(tmp_path / "other", server=cluster.address, contexts=("mine",))
    with pytest.raises(AssertionError, match='context "here" does not exist'):
        project.pulumi("destroy", "--yes", "--skip-preview", KUBECONFIG=str(other))
    assert cluster.objects
