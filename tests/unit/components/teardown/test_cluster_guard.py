"""A destroy or a refresh in another cluster, whose context has the same name; Pulumi and its provider are real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.ownership.stack_identity import ClusterIdentity, Identity
from components.settings.stack import parse
from components.teardown.cluster_guard import ClusterGuardArgs, ClusterGuardProvider
from tests.unit.components import pulumi_project
from tests.unit.components.kubernetes import UID, kubeconfig
from tests.unit.components.pulumi_project import Cluster, Project

OTHER = "0c4a7b1e-0000-4000-8000-000000000002"
PROGRAM = f"""\
import pulumi
import pulumi_kubernetes as k8s
from components.objects import cluster_provider
from components.ownership.stack_identity import ClusterIdentity, Identity
from components.teardown.cluster_guard import ClusterGuard, ClusterGuardArgs

provider = cluster_provider("cluster", context="here", uid={UID!r}, opts=pulumi.ResourceOptions())
settings = k8s.core.v1.ConfigMap(
    "settings",
    metadata={{"name": "settings", "namespace": "default"}},
    data={{"a": "b"}},
    opts=pulumi.ResourceOptions(provider=provider),
)
ClusterGuard(
    args=ClusterGuardArgs(
        identity=Identity(
            text="organization/project/dev:a",
            deployed_before=False,
            cluster=ClusterIdentity(uid={UID!r}, name="of context 'here'"),
        ),
        context="here",
        namespaces=("models",),
        has_platform=True,
    ),
    opts=pulumi.ResourceOptions(depends_on=[settings]),
)
"""
REFUSAL = f"(?s)nothing was changed.*{UID}.*another one.*{OTHER}.*Set KUBECONFIG"


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster) -> Project:
    made = pulumi_project.project(tmp_path, cluster=cluster, program=PROGRAM)
    made.pulumi("up", "--yes", "--skip-preview")
    return made


@pytest.fixture
def other(tmp_path: Path, cluster: Cluster) -> Iterator[tuple[Cluster, str]]:
    """Another cluster with the same objects, and a kubeconfig in which its context has the name of the stack's."""
    (tmp_path / "other").mkdir()
    with pulumi_project.running(OTHER) as server:
        server.objects.update(cluster.objects)
        yield server, str(kubeconfig(tmp_path / "other", server=server.address))


def test_a_destroy_in_another_cluster_deletes_nothing(
    project: Project, cluster: Cluster, other: tuple[Cluster, str]
) -> None:
    namesake, login = other
    with pytest.raises(AssertionError, match=REFUSAL):
        project.pulumi("destroy", "--yes", "--skip-preview", KUBECONFIG=login)
    assert namesake.objects == cluster.objects != {}
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert cluster.objects == {}
    assert namesake.objects


def test_a_refresh_in_another_cluster_forgets_nothing(project: Project, other: tuple[Cluster, str]) -> None:
    namesake, login = other
    namesake.objects.clear()
    with pytest.raises(AssertionError, match=REFUSAL):
        project.pulumi("refresh", "--yes", KUBECONFIG=login)
    assert "4 unchanged" in project.pulumi("up", "--yes", "--skip-preview")


def test_a_cluster_that_does_not_answer_deletes_nothing_unless_it_is_to_be_forgotten(
    project: Project, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    gone = str(kubeconfig(tmp_path / "gone", server="http://127.0.0.1:1"))
    with pytest.raises(AssertionError, match="does not say whether it leads to the same"):
        project.pulumi("destroy", "--yes", "--skip-preview", KUBECONFIG=gone)
    assert cluster.objects
    forgotten = {"KUBECONFIG": gone, "PULUMI_K8S_DELETE_UNREACHABLE": "true"}
    assert "4 deleted" in project.pulumi("destroy", "--yes", "--skip-preview", **forgotten)


@pytest.mark.parametrize(
    ("platform", "has_platform"),
    [
        (None, True),
        ({"existing": "auto"}, True),
        ({"existing": ["cert_manager"]}, True),
        ({"existing": "all"}, False),
        ("platform", False),
    ],
    ids=["its own", "what is missing", "all but one part", "none", "another stack's"],
)
def test_a_destroy_looks_for_objects_of_others_where_the_stack_has_installed_any_part(
    platform: object, *, has_platform: bool
) -> None:
    identity = Identity(text="o/p/dev:a", deployed_before=False, cluster=ClusterIdentity(uid=UID, name="here"))
    settings = parse({"release": "0.20", **({"platform": platform} if platform else {})})
    assert ClusterGuardArgs.from_settings(settings, identity=identity).has_platform is has_platform


def test_a_destroy_looks_into_the_namespace_of_a_monitoring_beside_a_platform_that_was_there() -> None:
    identity = Identity(text="o/p/dev:a", deployed_before=False, cluster=ClusterIdentity(uid=UID, name="here"))
    settings = parse({"release": "0.20", "platform": {"existing": "all"}, "monitoring": True})
    assert ClusterGuardArgs.from_settings(settings, identity=identity).has_platform


@pytest.mark.parametrize(
    ("olds", "news", "changes"),
    [
        ({"context": "a"}, {"context": "a"}, False),
        ({"context": "a"}, {"context": "b"}, True),
        ({"context": "a"}, {"context": "a", "pull_secrets": ["regcred"]}, True),
        ({"context": "a", "pull_secrets": ["regcred"]}, {"context": "a"}, True),
        ({"context": "a", "__provider": "of another version"}, {"context": "a", "__provider": "of this one"}, False),
    ],
    ids=["same", "changed", "added", "removed", "another version of Pulumi"],
)
def test_what_a_guard_keeps_is_renewed_and_never_replaced(
    olds: dict[str, Any], news: dict[str, Any], *, changes: bool
) -> None:
    found = ClusterGuardProvider().diff("", olds, news)
    assert (found.changes, found.replaces) == (changes, None)
