"""The identity of a stack, made once and kept in its state, with the cluster that the stack belongs to.

A stack can be renamed, and another backend or organization can have one of the same name. So objects are marked with
an identity that the stack keeps. A dynamic provider keeps it: Pulumi loads this module, whose name is in the stack's
state. Renaming the module or its provider breaks stacks that were deployed before.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import tenacity
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider

NAME = "stack"
KUBERNETES_PROVIDER = "pulumi:providers:kubernetes"
# Said while Pulumi itself writes the state, as it does for the resource of the stack when the program starts.
UNREADABLE_STATE = r"(?s).*failed to load checkpoint"
ATTEMPTS = 5
# Follows the stack's name in the identity. No name of a stack has this character.
SEPARATOR = ":"


class StackIdentityProvider(ResourceProvider):
    """Makes the identity. It creates nothing in the cluster, and nothing ever changes it."""

    # Otherwise a stack without secrets would need a passphrase.
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the identity: the name of the stack as it is now, and something random to tell it from a namesake.

        The objects of a stack from before there were identities are marked with its name alone, and stay so.
        """
        suffix = "" if props["deployed_before"] else f"{SEPARATOR}{secrets.token_hex(4)}"
        identity = f"{props['stack']}{suffix}"
        return CreateResult(identity, {**props, "identity": identity})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Report no change, whatever the stack is called now and wherever it is deployed to."""
        return DiffResult(changes=False)


@dataclass(frozen=True, kw_only=True)
class ClusterIdentity:
    """A cluster.

    Attributes:
        uid: UID of its namespace kube-system, which no other cluster has.
        name: what to call it in messages: its context, or its server.

    """

    uid: str
    name: str

    def __str__(self) -> str:
        """What to call it in messages, so that two clusters of the same name are told apart."""
        return f"{self.name} (UID {self.uid})"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The identity of the running stack.

    Attributes:
        text: what its objects are marked with.
        deployed_before: whether the stack is from before there were identities; then its objects may have no mark.
        cluster: the cluster that it was deployed to first.
        in_state: URNs of the resources that the stack has already.
        kept_by: the resource that keeps it in the stack's state.

    """

    text: str
    deployed_before: bool
    cluster: ClusterIdentity
    in_state: frozenset[str] = frozenset()
    kept_by: Sequence[pulumi.Resource] = ()

    @property
    def stack(self) -> str:
        """Name of the stack, without organization and project, as it was when the identity was made."""
        return self.text.rpartition("/")[2].partition(SEPARATOR)[0]

    def has_namespace(self, name: str) -> bool:
        """Whether the stack has made this namespace for its models, whatever the cluster says of it."""
        return any(urn.endswith(f"::kubernetes:core/v1:Namespace::{name}") for urn in self.in_state)


class StackIdentity(Resource, module="kserve-multi-model", name="StackIdentity"):
    """Keeps the identity in the stack's state. Its outputs are known in every preview but the first one."""

    identity: pulumi.Output[str]
    stack: pulumi.Output[str]
    deployed_before: pulumi.Output[bool]
    cluster_uid: pulumi.Output[str]
    cluster_name: pulumi.Output[str]

    def __init__(self, *, stack: str, deployed_before: bool, cluster: ClusterIdentity) -> None:
        props = {
            "stack": stack,
            "deployed_before": deployed_before,
            "cluster_uid": cluster.uid,
            "cluster_name": cluster.name,
            "identity": None,
        }
        super().__init__(StackIdentityProvider(), NAME, props)


async def own_identity(*, stack: str, cluster: ClusterIdentity) -> Identity:
    """Return the identity of the running stack, whose full name is `stack`; `cluster` is the one to deploy to.

    In the first preview, which makes no identity, it is one for this preview only.
    """
    types = await _resource_types(stack)
    # Where the state has no identity yet, but a cluster's provider, the stack is from before there were identities.
    deployed_before = KUBERNETES_PROVIDER in types.values()
    resource = StackIdentity(stack=stack, deployed_before=deployed_before, cluster=cluster)
    outputs = pulumi.Output.all(
        text=resource.identity,
        deployed_before=resource.deployed_before,
        uid=resource.cluster_uid,
        name=resource.cluster_name,
    )
    if not await outputs.is_known():
        text = stack if deployed_before else f"{stack}{SEPARATOR}new"
        return Identity(
            text=text,
            deployed_before=deployed_before,
            cluster=cluster,
            in_state=frozenset(types),
            kept_by=[resource],
        )
    known = await outputs.future() or {}
    return Identity(
        text=known["text"],
        deployed_before=known["deployed_before"],
        cluster=ClusterIdentity(uid=known["uid"], name=known["name"]),
        in_state=frozenset(types),
        kept_by=[resource],
    )


@tenacity.retry(
    retry=tenacity.retry_if_exception_message(match=UNREADABLE_STATE),
    wait=tenacity.wait_exponential(multiplier=0.1),
    stop=tenacity.stop_after_attempt(ATTEMPTS),
    reraise=True,
)
async def _resource_types(stack: str) -> dict[str, str]:
    """Type of each resource in the stack's state, by URN. A StackReference would stay in the state; this does not."""
    answer = await pulumi.runtime.invoke_async("pulumi:pulumi:readStackResourceOutputs", {"stackName": stack})
    return {urn: resource["type"] for urn, resource in answer["outputs"].items()}
