"""Pulumi and its Kubernetes provider leave nothing in the temporary folder; both are real, the cluster is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.components import pulumi_project
from tests.unit.components.kubernetes import kubeconfig
from tests.unit.components.pulumi_project import TOKEN, Cluster, Project

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


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with pulumi_project.running() as server:
        yield server


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
