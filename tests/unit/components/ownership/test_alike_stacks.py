"""Stacks whose names give their objects the same names; Pulumi and its provider are real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.components import pulumi_project
from tests.unit.components.kubernetes import UID
from tests.unit.components.pulumi_project import Cluster

# The keys of a store, with which models in the namespace download. Names of objects have no . and no _ in them.
PROGRAM = f"""\
import functools
import httpx2
import pulumi
from components.objects import cluster_provider, this_stack
from components.ownership.marks import own_all_objects
from components.ownership.stack_identity import ClusterIdentity, own_identity
from components.serving.storage_credentials import StorageCredentials, StorageCredentialsArgs
from components.settings.stores.huggingface import HuggingFaceStorage

async def deploy():
    here = ClusterIdentity(uid={UID!r}, name="of context 'here'")
    identity = await own_identity(stack=this_stack(), cluster=here)
    server = pulumi.Config().require("server")
    own_all_objects(identity, connect=functools.partial(httpx2.Client, base_url=server), namespace="default")
    provider = cluster_provider(
        "cluster", context="here", uid={UID!r}, opts=pulumi.ResourceOptions(depends_on=identity.kept_by)
    )
    storage = HuggingFaceStorage(kind="huggingface", token=f"token-of-{{identity.stack}}")
    args = StorageCredentialsArgs(stack=identity.stack, name="hub", storage=storage, namespace="default")
    StorageCredentials("default/hub", args=args, opts=pulumi.ResourceOptions(provider=provider))

pulumi.run(deploy)
"""
NAMES = {f"/api/v1/namespaces/default/{kind}/team-a-storage-hub" for kind in ("secrets", "serviceaccounts")}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with pulumi_project.running() as server:
        yield server


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
