"""How objects are declared: the provider, the stack that owns them, what they wait for, retries on webhook errors.

Which objects there are does not belong here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

# Annotation of every object: the identity of the stack that made it. Of a stack from before, that is its full name.
STACK_ANNOTATION = "kserve-multi-model/stack"
# Annotation: the object is deleted at once, and the garbage collector deletes its children afterwards.
BACKGROUND_DELETION = {"pulumi.com/deletionPropagationPolicy": "background"}
OBJECT_TIMEOUT = 300
# Deletion may have to wait for running requests and for finalizers, however quickly the object was made.
DELETE_TIMEOUT = 600
# Errors of the API server while a webhook's endpoints or certificate have not reached it yet. The object was not made.
WEBHOOK_NOT_REACHED = re.compile(
    r"failed calling webhook|conversion webhook .* failed|no endpoints available for service"
)
WEBHOOK_ATTEMPTS = 30
LONGEST_PAUSE = 5.0


def this_stack() -> str:
    """Return the full name of the running stack: organization/project/stack."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


def cluster_provider(name: str, *, context: str | None, uid: str, opts: pulumi.ResourceOptions) -> k8s.Provider:
    """Declare the provider of the cluster with this UID.

    A kubeconfig at another path, or another context in it, replaces no object: the preflight refuses a cluster that is
    not the stack's. `context` is named even where the settings name none, because a later `pulumi destroy` does not run
    the program, and kubectl's current context may be another one by then.
    """
    return k8s.Provider(
        name,
        # Empty, so that it reads $KUBECONFIG or ~/.kube/config itself. Of a kubeconfig that it is given, as a path or
        # as text, it leaves a copy with all keys in the temporary folder at every run. None would give it $KUBECONFIG.
        kubeconfig="",
        context=context,
        cluster_identifier=uid,
        enable_server_side_apply=True,
        # Otherwise a changed value replaces the object, and everything that depends on it.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        kube_client_settings=k8s.KubeClientSettingsArgs(qps=200, burst=400),
        # Stacks from before keep another identifier; a new one would replace every object.
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=["clusterIdentifier"])),
    )


def declare_namespace(
    name: str, *, opts: pulumi.ResourceOptions, annotations: Mapping[str, str] | None = None
) -> k8s.core.v1.Namespace:
    """Declare a namespace, which is deleted with the stack."""
    metadata = k8s.meta.v1.ObjectMetaArgs(name=name, annotations=annotations)
    return k8s.core.v1.Namespace(name, metadata=metadata, opts=opts)


def own_namespaces(
    names: Iterable[str], *, owner: str, opts: pulumi.ResourceOptions
) -> dict[str, k8s.core.v1.Namespace]:
    """Declare namespaces of models, by name; other stacks see by an annotation that the stack `owner` deletes them."""
    annotations = {STACK_ANNOTATION: owner}
    return {name: declare_namespace(name, annotations=annotations, opts=opts) for name in sorted(names)}


def inside(
    namespace: str, namespaces: Mapping[str, pulumi.Resource], opts: pulumi.ResourceOptions
) -> pulumi.ResourceOptions:
    """Options of what is in a namespace: it depends on that namespace, where the stack declares it, and on no other.

    Who has Pulumi forget a namespace, with what depends on it, forgets nothing of the others.
    """
    made = namespaces.get(namespace)
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[made] if made else []))


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
    labels: Mapping[str, str] | None = None,
) -> k8s.apiextensions.CustomResource:
    """Declare a custom resource that is done when its condition `ready` is true, within `timeout` seconds.

    Without `ready` it is done when it is created.
    """
    all_annotations = {**(annotations or {}), **({"pulumi.com/waitFor": f"condition={ready}"} if ready else {})}
    timeouts = pulumi.CustomTimeouts(create=f"{timeout}s", update=f"{timeout}s", delete=f"{DELETE_TIMEOUT}s")
    return k8s.apiextensions.CustomResource(
        resource_name,
        api_version=api_version,
        kind=kind,
        # An empty map of annotations or labels would show as a difference in every preview.
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=name, namespace=namespace, annotations=all_annotations or None, labels=labels or None
        ),
        spec=dict(spec),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(custom_timeouts=timeouts)),
    )


def retry_on_webhook_error(name: str) -> pulumi.ResourceHookBinding:
    """Return the hooks of objects that a webhook checks; `name` is unique in the program.

    A webhook's pod can be ready before the API server can reach it: until then, creating the object is tried again.
    """
    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(name, pause_before_retry)])


async def pause_before_retry(failure: pulumi.ErrorHookArgs) -> bool:
    """Pause and return True where the webhook was not reached, so that the engine tries again.

    Returns False for any other error, and after WEBHOOK_ATTEMPTS (about two minutes).
    """
    errors = failure.errors
    if not errors or not WEBHOOK_NOT_REACHED.search(errors[0]) or len(errors) >= WEBHOOK_ATTEMPTS:
        return False
    await asyncio.sleep(min(0.25 * 2 ** len(errors), LONGEST_PAUSE))
    return True
