"""Custom resources that are waited for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

OBJECT_TIMEOUT = 300
# What is deleted may have requests to finish and finalizers to wait for, however quickly it was made.
DELETE_TIMEOUT = 600
# The object is removed at once, and the garbage collector removes its children afterwards.
BACKGROUND_DELETION = {"pulumi.com/deletionPropagationPolicy": "background"}


def custom_resource(
    resource_name: str,
    *,
    api_version: str,
    kind: str,
    name: str,
    namespace: pulumi.Input[str],
    spec: Mapping[str, Any],
    opts: pulumi.ResourceOptions,
    ready: str | None = None,
    timeout: int = OBJECT_TIMEOUT,
    annotations: Mapping[str, str] | None = None,
) -> k8s.apiextensions.CustomResource:
    """An object that is done when its condition `ready` is true, within `timeout` seconds."""
    noted = {**(annotations or {}), **({"pulumi.com/waitFor": f"condition={ready}"} if ready else {})}
    bounds = pulumi.CustomTimeouts(create=f"{timeout}s", update=f"{timeout}s", delete=f"{DELETE_TIMEOUT}s")
    return k8s.apiextensions.CustomResource(
        resource_name,
        api_version=api_version,
        kind=kind,
        # An empty map of annotations would be a difference for ever.
        metadata=k8s.meta.v1.ObjectMetaArgs(name=name, namespace=namespace, annotations=noted or None),
        spec=dict(spec),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(custom_timeouts=bounds)),
    )
