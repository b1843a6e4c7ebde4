from __future__ import annotations

from collections.abc import Callable

import pulumi
import pulumi_kubernetes as k8s
import pytest
from pulumi.output import UNKNOWN

from components.objects import STACK_ANNOTATION
from components.ownership.marks import HOOK, marked, own_all_objects
from components.ownership.stack_identity import ClusterIdentity, Identity
from tests.unit.components.recording import Recording, record

OURS = "organization/kserve-multi-model/dev:1a2b3c4d"


def owned(declare: Callable[[], object]) -> Recording:
    def never() -> None:
        raise AssertionError("nothing is asked before Pulumi creates an object")

    def program() -> None:
        identity = Identity(text=OURS, deployed_before=False, cluster=ClusterIdentity(uid="u", name="here"))
        own_all_objects(identity, connect=never, namespace="default")  # type: ignore[arg-type]
        declare()

    return record(program)


@pytest.mark.parametrize(
    ("annotations", "marked"),
    [
        (None, {STACK_ANNOTATION: OURS}),
        ({"a": "b"}, {"a": "b", STACK_ANNOTATION: OURS}),
        ({STACK_ANNOTATION: "kept"}, {STACK_ANNOTATION: "kept"}),
    ],
)
def test_an_object_is_marked_and_keeps_what_it_has(annotations: dict[str, str] | None, marked: dict[str, str]) -> None:
    def declare() -> None:
        metadata = k8s.meta.v1.ObjectMetaArgs(name="n", namespace="there", labels={"l": "v"}, annotations=annotations)
        k8s.core.v1.Secret("n", metadata=metadata, string_data={"key": pulumi.Output.secret("hidden")})

    secret = owned(declare).the(":Secret", "n")
    assert secret.plain["metadata"] == {"name": "n", "namespace": "there", "labels": {"l": "v"}, "annotations": marked}
    assert secret.plain["stringData"] == {"key": "hidden"}
    assert "hidden" not in str(secret.inputs["metadata"])
    assert secret.beforehand == (HOOK,)


def test_what_a_preview_does_not_know_stays_unknown() -> None:
    assert marked({"metadata": UNKNOWN, "data": 1}, identity=OURS) == {"metadata": UNKNOWN, "data": 1}
    metadata = marked({"metadata": {"name": UNKNOWN, "annotations": UNKNOWN}}, identity=OURS)["metadata"]
    assert metadata == {"name": UNKNOWN, "annotations": UNKNOWN}


def test_metadata_that_is_secret_is_marked() -> None:
    def declare() -> None:
        metadata = pulumi.Output.secret({"name": "n", "annotations": {"a": "b"}})
        k8s.core.v1.ConfigMap("n", metadata=metadata)

    found = owned(declare).the(":ConfigMap", "n")
    assert found.plain["metadata"] == {"name": "n", "annotations": {"a": "b", STACK_ANNOTATION: OURS}}


def test_the_options_and_hooks_of_an_object_stay() -> None:
    def declare() -> None:
        first = k8s.core.v1.Namespace("first", metadata=k8s.meta.v1.ObjectMetaArgs(name="first"))
        options = pulumi.ResourceOptions(
            depends_on=[first],
            custom_timeouts=pulumi.CustomTimeouts(create="7m"),
            ignore_changes=["data"],
            replace_on_changes=["metadata.labels"],
            delete_before_replace=True,
            deleted_with=first,
            retain_on_delete=True,
            hooks=pulumi.ResourceHookBinding(
                before_create=[pulumi.ResourceHook("earlier", lambda _: None)],
                after_update=[pulumi.ResourceHook("later", lambda _: None)],
                on_error=[pulumi.ErrorHook("again", lambda _: False)],
            ),
        )
        k8s.core.v1.ConfigMap("n", metadata=k8s.meta.v1.ObjectMetaArgs(name="n"), opts=options)

    recording = owned(declare)
    found, first = recording.the(":ConfigMap", "n"), recording.the(":Namespace", "first")
    assert first.urn in found.dependencies
    assert (found.bounds["create"], found.ignored, found.replaced_by) == ("7m", ("data",), ("metadata.labels",))
    assert (found.deleted_first, found.deleted_with, found.retained) == (True, first.urn, True)
    assert (found.beforehand, found.afterwards, found.on_error) == (("earlier", HOOK), ((), ("later",)), ("again",))


def test_a_patch_changes_an_object_of_somebody_else() -> None:
    def declare() -> None:
        k8s.core.v1.ConfigMapPatch("n", metadata=k8s.meta.v1.ObjectMetaPatchArgs(name="n"), data={"a": "b"})

    patch = owned(declare).the(":ConfigMapPatch", "n")
    assert patch.plain["metadata"] == {"name": "n"}
    assert patch.beforehand == ()
