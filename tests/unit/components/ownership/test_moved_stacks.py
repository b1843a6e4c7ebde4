"""A stack that is renamed, or whose state is moved to another backend; Pulumi and its provider are real."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from components.objects import STACK_ANNOTATION
from tests.unit.components import pulumi_project
from tests.unit.components.ownership.owned_program import owned_program
from tests.unit.components.pulumi_project import Cluster, Project

PROGRAM = owned_program(
    """\
metadata = {"name": "settings", "namespace": "default"}
k8s.core.v1.ConfigMap("settings", metadata=metadata, data={"a": "b"}, opts=opts)
return {"identity": identity.text}
""",
    imports="import pulumi_kubernetes as k8s",
)
SETTINGS = "/api/v1/namespaces/default/configmaps/settings"


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster) -> Project:
    made = pulumi_project.project(tmp_path, cluster=cluster, program=PROGRAM)
    made.pulumi("config", "set", "server", cluster.address)
    made.pulumi("up", "--yes", "--skip-preview")
    return made


def mark(cluster: Cluster) -> str:
    """The identity that the object in the cluster has."""
    found: str = cluster.objects[SETTINGS]["metadata"]["annotations"][STACK_ANNOTATION]
    return found


def require_no_changes(project: Project) -> None:
    """Fail if a preview shows a change of any resource: the stack, its identity, the provider, the object."""
    assert "4 unchanged" in project.pulumi("preview", "--expect-no-changes")


def test_a_renamed_stack_keeps_its_identity(project: Project, cluster: Cluster) -> None:
    first = mark(cluster)
    assert first.startswith("organization/copies/dev:")
    project.pulumi("stack", "rename", "production")
    renamed = replace(project, stack="production")
    require_no_changes(renamed)
    assert mark(cluster) == first
    renamed.pulumi("destroy", "--yes", "--skip-preview")
    assert cluster.objects == {}


def test_a_stack_keeps_its_identity_in_another_backend(project: Project, cluster: Cluster) -> None:
    first = mark(cluster)
    state = project.folder / "exported.json"
    project.pulumi("stack", "export", "--file", str(state))
    moved = elsewhere(project)
    moved.pulumi("stack", "import", "--file", str(state))
    require_no_changes(moved)
    moved.pulumi("destroy", "--yes", "--skip-preview")
    assert cluster.objects == {}, first


def test_a_namesake_in_another_backend_is_refused(project: Project, cluster: Cluster) -> None:
    before = cluster.objects[SETTINGS]
    namesake = elsewhere(project)
    for command in (("preview",), ("up", "--yes", "--skip-preview")):
        with pytest.raises(AssertionError, match=f"(?s)settings.*{re.escape(mark(cluster))}"):
            namesake.pulumi(*command)
    namesake.pulumi("destroy", "--yes", "--skip-preview")
    assert cluster.objects == {SETTINGS: before}


def elsewhere(project: Project) -> Project:
    """The project with a backend of its own, which has a new stack of the same name."""
    other = replace(project, backend="elsewhere")
    (project.folder / other.backend).mkdir()
    other.pulumi("stack", "init")
    return other
