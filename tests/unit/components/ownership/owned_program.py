"""A program whose objects are the stack's own, as the deployment's are."""

from __future__ import annotations

import textwrap

from tests.unit.components.kubernetes import UID


def owned_program(declared: str, *, imports: str = "") -> str:
    """The program that declares this; there, `identity` is the stack's, and `opts` have the provider."""
    return f"""\
import functools
import httpx2
import pulumi
{imports}
from components.objects import cluster_provider, this_stack
from components.ownership.marks import own_all_objects
from components.ownership.stack_identity import ClusterIdentity, own_identity

async def deploy():
    here = ClusterIdentity(uid={UID!r}, name="of context 'here'")
    identity = await own_identity(stack=this_stack(), cluster=here)
    server = pulumi.Config().require("server")
    own_all_objects(identity, connect=functools.partial(httpx2.Client, base_url=server), namespace="default")
    opts = pulumi.ResourceOptions(depends_on=identity.kept_by)
    opts = pulumi.ResourceOptions(provider=cluster_provider("cluster", context="here", uid={UID!r}, opts=opts))
{textwrap.indent(declared, "    ")}
pulumi.run(deploy)
"""
