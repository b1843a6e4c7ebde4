"""The identity of a stack: made once, for a new stack and for one from before, and known in every later preview."""

from __future__ import annotations

import asyncio
import base64
import re
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from pulumi.dynamic import CreateResult
from pulumi.output import UNKNOWN

from components.ownership import stack_identity
from components.ownership.stack_identity import ClusterIdentity, Identity, StackIdentityProvider, own_identity
from tests.unit.components.recording import PROVIDER, Recording, record

STACK = "organization/kserve-multi-model/dev"
HERE = ClusterIdentity(uid="uid-here", name="of context 'here'")


def found(*, state: dict[str, str] | None = None) -> tuple[Identity, Recording]:
    made: list[Identity] = []

    async def deploy() -> dict[str, Any]:
        made.append(await own_identity(stack=STACK, cluster=HERE))
        return {}

    recording = record(lambda: pulumi.run(deploy), state=state)
    return made[0], recording


def test_identity_of_a_new_stack_is_its_name_and_something_random() -> None:
    one, other = found()[0], found()[0]
    for identity in (one, other):
        assert re.fullmatch(rf"{STACK}:[0-9a-f]{{8}}", identity.text)
        assert (identity.stack, identity.deployed_before, identity.cluster) == ("dev", False, HERE)
    assert one.text != other.text


def test_identity_of_a_stack_from_before_is_its_name_with_which_its_objects_are_marked() -> None:
    identity, _ = found(state=PROVIDER)
    assert (identity.text, identity.stack, identity.deployed_before) == (STACK, "dev", True)
    assert identity.in_state == frozenset(PROVIDER)


def test_the_identity_in_the_state_counts_and_not_what_the_stack_is_called_now(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {
        "identity": "elsewhere/kserve-multi-model/first:1a2b3c4d",
        "deployed_before": False,
        "cluster_uid": "uid-there",
        "cluster_name": "there",
    }
    monkeypatch.setattr(StackIdentityProvider, "create", lambda _, props: CreateResult("kept", {**props, **kept}))
    identity, _ = found(state=PROVIDER)
    assert (identity.text, identity.stack, identity.deployed_before) == (kept["identity"], "first", False)
    assert identity.cluster == ClusterIdentity(uid="uid-there", name="there")


@pytest.mark.parametrize(("state", "text"), [({}, f"{STACK}:new"), (PROVIDER, STACK)])
def test_the_first_preview_has_an_identity_of_its_own(
    monkeypatch: pytest.MonkeyPatch, state: dict[str, str], text: str
) -> None:
    """It makes none; that of a stack from before is known all the same, so it shows no change of a model."""

    def unknown(**_: object) -> SimpleNamespace:
        outputs = ("identity", "deployed_before", "cluster_uid", "cluster_name")
        return SimpleNamespace(**{name: pulumi.Output.from_input(UNKNOWN) for name in outputs})

    monkeypatch.setattr(stack_identity, "StackIdentity", unknown)
    identity, _ = found(state=state)
    assert (identity.text, identity.stack, identity.deployed_before) == (text, "dev", bool(state))
    assert identity.cluster == HERE


def test_nothing_changes_it() -> None:
    olds = {"stack": STACK, "identity": f"{STACK}:1a2b3c4d", "cluster_uid": "a", "deployed_before": False}
    news = {"stack": "another", "identity": None, "cluster_uid": "b", "deployed_before": True}
    result = StackIdentityProvider().diff("id", olds, news)
    assert (result.changes, result.replaces) == (False, None)


def test_state_has_the_module_name_but_no_code_and_no_secret() -> None:
    """So it is known to any version of Python, and without a passphrase."""
    inputs = found()[1].the(":StackIdentity", "stack").inputs
    kept = base64.b64decode(inputs["__provider"])
    assert b"components.ownership.stack_identity" in kept
    assert b"StackIdentityProvider" in kept
    assert len(kept) < 200


@pytest.mark.parametrize(
    ("said", "times", "asked"),
    [
        ("invoke failed: failed to load checkpoint: EOF", 1, 2),
        ("invoke failed: failed to load checkpoint: EOF", 9, 5),
        ("invoke failed: unknown stack", 1, 1),
    ],
    ids=["once", "for good", "another reason"],
)
def test_a_state_that_pulumi_is_writing_is_read_again(
    monkeypatch: pytest.MonkeyPatch, said: str, times: int, asked: int
) -> None:
    calls: list[str] = []

    async def invoke(token: str, arguments: object) -> dict[str, object]:
        calls.append(token)
        if len(calls) <= times:
            raise Exception(said)  # as Pulumi does
        return {"outputs": {}}

    monkeypatch.setattr(pulumi.runtime, "invoke_async", invoke)
    reading = stack_identity._resource_types(STACK)
    if asked > times:
        assert asyncio.run(reading) == {}
    else:
        with pytest.raises(Exception, match=said):
            asyncio.run(reading)
    assert len(calls) == asked
