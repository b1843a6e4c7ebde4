"""What every object of the stack gets, the objects of its charts included: a mark, and the refusal to adopt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx2 as httpx
import pulumi
from pulumi.output import Unknown
from pulumi.runtime import rpc

from components.objects import STACK_ANNOTATION
from components.ownership.existing_objects import HELM_RELEASE, ExistingObjects
from components.ownership.stack_identity import Identity

HOOK, UPDATE_HOOK = "refuse-existing", "refuse-remade"


def own_all_objects(identity: Identity, *, connect: Callable[[], httpx.Client], namespace: str) -> None:
    """Mark every object that is declared from now on, and refuse to create those that exist already.

    `connect` opens a client of the cluster; `namespace` is that of objects that name none.
    """
    existing = ExistingObjects(connect=connect, namespace=namespace, identity=identity)
    in_previews = pulumi.ResourceHookOptions(on_dry_run=True)
    hook = pulumi.ResourceHook(HOOK, existing.refuse, in_previews)
    update_hook = pulumi.ResourceHook(UPDATE_HOOK, existing.refuse_remade, in_previews)

    def own(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        # A patch changes an object that somebody else made, and gives it back.
        if not args.custom or not args.type_.startswith("kubernetes:") or args.type_.endswith("Patch"):
            return None
        hooks = args.opts.hooks or pulumi.ResourceHookBinding()
        hooks.before_create = [*(hooks.before_create or []), hook]
        hooks.before_update = [update_hook, *(hooks.before_update or [])]
        args.opts.hooks = hooks
        # Helm's own records say whose a release is.
        props = args.props if args.type_ == HELM_RELEASE else marked(args.props, identity=identity.text)
        return pulumi.ResourceTransformResult(props=props, opts=args.opts)

    pulumi.runtime.register_resource_transform(own)


def marked(props: Mapping[str, Any], *, identity: str) -> dict[str, Any]:
    """Inputs of an object with the mark of a stack; a mark that it has is kept."""

    def mark_annotations(annotations: Mapping[str, Any]) -> dict[str, Any]:
        return {STACK_ANNOTATION: identity, **annotations}

    def mark_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
        return {**metadata, "annotations": _when_known(metadata.get("annotations"), mark_annotations)}

    return {**props, "metadata": _when_known(props.get("metadata"), mark_metadata)}


def _when_known(value: Any, change: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Any:
    """Change a value; one that a preview does not know yet stays as it is, until the update changes it."""
    if isinstance(value, pulumi.Output):
        return value.apply(change)
    if rpc.is_rpc_secret(value):  # so the SDK gives secrets to transforms
        return rpc.wrap_rpc_secret(change(rpc.unwrap_rpc_secret(value)))
    return value if isinstance(value, Unknown) else change(value or {})
