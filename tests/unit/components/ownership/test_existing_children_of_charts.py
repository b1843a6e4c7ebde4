"""Objects of charts that exist already and are somebody else's; Pulumi, its provider and Helm are real."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.objects import STACK_ANNOTATION
from tests.unit.components import pulumi_project
from tests.unit.components.kubernetes import UID
from tests.unit.components.pulumi_project import Cluster, Project
from tests.unit.components.registry import Registry, packaged

# A chart as one Helm release, and another one object by object: the two ways in which this program deploys charts.
PROGRAM = f"""\
import functools
import os
from pathlib import Path
import httpx2
import pulumi
from components.charts.deploy import Charts
from components.charts.helm_records import ReleaseMark
from components.charts.sources import ChartMirror, ChartStore
from components.objects import cluster_provider
from components.ownership.marks import own_all_objects
from components.ownership.stack_identity import ClusterIdentity, Identity
from releases.types import OciChart

identity = Identity(
    text="organization/copies/dev:1",
    deployed_before=False,
    cluster=ClusterIdentity(uid={UID!r}, name="of context 'here'"),
)
connect = functools.partial(httpx2.Client, base_url=os.environ["CLUSTER"])
own_all_objects(identity, connect=connect, namespace="default")
provider = cluster_provider("cluster", context="here", uid={UID!r}, opts=pulumi.ResourceOptions())
charts = Charts(
    store=ChartStore(
        folder=Path("charts"), mirror=ChartMirror(repository=os.environ["CHARTS"], plain_http=True)
    ),
    mark=ReleaseMark(identity=identity.text, deployed_before=False),
    context="here",
)
for name in os.environ["DEPLOYED"].split():
    deploy = charts.definitions if name == "release" else charts.workloads
    chart = OciChart(name=name, version="1.0.0", repository="registry.invalid/charts")
    deploy(name, chart, namespace="default", values={{}}, opts=pulumi.ResourceOptions(provider=provider))
"""
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: of-{{ .Release.Name }}}
data: {whose: ours}
"""


def path_of(name: str) -> str:
    return f"/api/v1/namespaces/default/configmaps/of-{name}"


def theirs(name: str) -> dict[str, object]:
    metadata = {"name": f"of-{name}", "namespace": "default", "uid": "theirs", "resourceVersion": "7"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"whose": "theirs"}}


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster, registry: Registry) -> Project:
    made = pulumi_project.project(tmp_path, cluster=cluster, program=PROGRAM)
    (tmp_path / "components").symlink_to(pulumi_project.ROOT / "components")
    for name in ("release", "objects"):
        registry.push(f"charts/{name}", "1.0.0", packaged(name, "1.0.0", template=TEMPLATE))
    return made


def run(project: Project, cluster: Cluster, registry: Registry, *command: str, deployed: str) -> str:
    environment = {"CHARTS": f"{registry.address}/charts", "CLUSTER": cluster.address, "DEPLOYED": deployed}
    return project.pulumi(*command, **environment)


def test_a_chart_deployed_object_by_object_takes_over_nothing(
    project: Project, cluster: Cluster, registry: Registry
) -> None:
    cluster.objects[path_of("objects")] = theirs("objects")
    for command in (("preview",), ("up", "--yes", "--skip-preview")):
        with pytest.raises(AssertionError, match=r"(?s)ConfigMap default/of-objects is there already"):
            run(project, cluster, registry, *command, deployed="objects")
        assert cluster.objects == {path_of("objects"): theirs("objects")}
    run(project, cluster, registry, "destroy", "--yes", "--skip-preview", deployed="objects")
    assert cluster.objects == {path_of("objects"): theirs("objects")}


def test_a_helm_release_takes_over_nothing(project: Project, cluster: Cluster, registry: Registry) -> None:
    """Helm itself refuses an object that it did not make."""
    cluster.objects[path_of("release")] = theirs("release")
    with pytest.raises(AssertionError, match=r"(?s)of-release.*cannot be imported into the current release"):
        run(project, cluster, registry, "up", "--yes", "--skip-preview", deployed="release")
    assert cluster.objects[path_of("release")] == theirs("release")
    run(project, cluster, registry, "destroy", "--yes", "--skip-preview", deployed="release")
    assert cluster.objects == {path_of("release"): theirs("release")}


def test_both_are_deployed_marked_and_deleted_where_nothing_is_there(
    project: Project, cluster: Cluster, registry: Registry
) -> None:
    run(project, cluster, registry, "up", "--yes", "--skip-preview", deployed="release objects")
    made = cluster.objects[path_of("objects")]["metadata"]
    assert made["annotations"][STACK_ANNOTATION] == "organization/copies/dev:1"
    run(project, cluster, registry, "destroy", "--yes", "--skip-preview", deployed="release objects")
    assert cluster.objects == {}
