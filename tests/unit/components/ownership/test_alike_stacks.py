"""Stacks whose names give their objects the same names; Pulumi and its provider are real."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.components import pulumi_project
from tests.unit.components.ownership.owned_program import owned_program
from tests.unit.components.pulumi_project import Cluster

# The keys of a store, with which models in the namespace download. Names of objects have no . and no _ in them.
PROGRAM = owned_program(
    """\
storage = HuggingFaceStorage(kind="huggingface", token=f"token-of-{identity.stack}")
args = StorageCredentialsArgs(stack=identity.stack, name="hub", storage=storage, namespace="default")
StorageCredentials("default/hub", args=args, opts=opts)
""",
    imports="""\
from components.serving.storage_credentials import StorageCredentials, StorageCredentialsArgs
from components.settings.stores.huggingface import HuggingFaceStorage
""",
)
NAMES = {f"/api/v1/namespaces/default/{kind}/team-a-storage-hub" for kind in ("secrets", "serviceaccounts")}


def test_three_stacks_whose_names_clean_to_the_same_text_leave_each_other_alone(
    tmp_path: Path, cluster: Cluster
) -> None:
    first = pulumi_project.project(tmp_path, cluster=cluster, program=PROGRAM)
    stacks = [replace(first, stack=name) for name in ("team.a", "team-a", "team_a")]
    for stack in stacks:
        stack.pulumi("stack", "init")
        stack.pulumi("config", "set", "server", cluster.address)
    stacks[0].pulumi("up", "--yes", "--skip-preview")
    before = dict(cluster.objects)
    assert before.keys() == NAMES
    for other in stacks[1:]:
        for command in (("preview",), ("up", "--yes", "--skip-preview")):
            refusal = r"(?s)team-a-storage-hub is there already \(stack organization/copies/team\.a:"
            with pytest.raises(AssertionError, match=refusal):
                other.pulumi(*command)
            assert cluster.objects == before
        other.pulumi("destroy", "--yes", "--skip-preview")
        assert cluster.objects == before
    stacks[0].pulumi("destroy", "--yes", "--skip-preview")
    assert cluster.objects == {}
