"""Keep a namespace of the stack that holds something of others: Kubernetes would delete it with the namespace."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from functools import partial

import httpx2 as httpx

from components.objects import STACK_ANNOTATION
from components.teardown.made_by_controllers import makes_itself
from kube.discovery import kinds
from kube.kubeconfig import KubeconfigError
from kube.parallel import in_parallel
from kube.read import PASSING_ERRORS, ForbiddenError, get, in_words, read_list
from kube.views.base import Metadata
from kube.views.kserve import InferenceGraph, InferenceService, Served
from kube.views.kubernetes import Namespace

# What this stack deletes at the same time, and what the garbage collector deletes afterwards, is gone by then.
TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 1.0
SHOWN = 10
# Kubernetes and its metrics server make these, and delete them with the objects that they describe.
MADE_BY_ITSELF = {"events", "endpoints", "endpointslices", "leases", "podmetrics", "pods.metrics.k8s.io"}
KINDS: tuple[type[Served], ...] = (InferenceService, InferenceGraph)


class OthersObjectsError(Exception):
    """A namespace of the stack holds something of others, or what it holds cannot be read."""


def require_nothing_of_others(
    namespace: str,
    *,
    connect: Callable[[], httpx.Client],
    kubectl: str = "kubectl",
    timeout: float = TIMEOUT_SECONDS,
    pull_secrets: Collection[str] = (),
) -> None:
    """Return if a namespace that its stack is about to delete holds nothing of others.

    Args:
        namespace: of the stack. If models or graphs of the stack stay in it, the namespace stays, too, and is not read.
        connect: gives a connection to the cluster.
        kubectl: how a user calls kubectl for this cluster, in the text of the error.
        timeout: seconds to wait for objects that go by themselves, such as those that the garbage collector deletes.
        pull_secrets: names of Secrets that something else puts there, for the stack's pods.

    Raises:
        OthersObjectsError: it holds something, or cannot be read; the text says what to do.
    """
    stop = time.monotonic() + timeout
    mark = ""
    try:
        with connect() as client:
            found = _namespace(client, namespace)
            if found is None or found.metadata.deleted:
                return
            mark = found.metadata.annotations.get(STACK_ANNOTATION, "")
            if _has_models(client, namespace, mark=mark):
                return
            look = partial(others_in, client, namespace, mark=mark, pull_secrets=pull_secrets)
            while (others := look()) and time.monotonic() < stop:
                time.sleep(POLL_SECONDS)
    except (ForbiddenError, KubeconfigError, *PASSING_ERRORS) as problem:
        reason = f"what it holds cannot be read: {in_words(problem)}"
        raise OthersObjectsError(_text(namespace, reason, mark=mark, kubectl=kubectl)) from problem
    if others:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        reason = f"it holds what this stack did not make: {', '.join(others[:SHOWN])}{more}"
        raise OthersObjectsError(_text(namespace, reason, mark=mark, kubectl=kubectl))


def _text(namespace: str, reason: str, *, mark: str, kubectl: str) -> str:
    # The mark is organization/project/stack:suffix, of the stack as it was called first.
    project, stack = mark.partition(":")[0].split("/")[1:] if mark.count("/") == 2 else ("<project>", "<stack>")
    urn = f"urn:pulumi:{stack}::{project}::kubernetes:core/v1:Namespace::{namespace}"
    return (
        f"namespace {namespace} stays, because {reason}\n"
        f"To delete it all, delete those first, and run the same command again: {kubectl} --namespace {namespace} "
        "delete <kind>/<name>\n"
        "To leave the namespace as it is, have Pulumi forget it (`pulumi stack --show-urns` lists its URN), and run "
        f"the same command again: pulumi state delete --target-dependents '{urn}'"
    )


def _namespace(client: httpx.Client, name: str) -> Namespace | None:
    answer = get(client, Namespace.path(name=name))
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    return Namespace.model_validate(answer.raise_for_status().json())


def _has_models(client: httpx.Client, namespace: str, *, mark: str) -> bool:
    """Whether models or graphs of the stack stay: then other ones were removed, and the namespace is not deleted."""
    listed = (item for kind in KINDS for item in read_list(kind, client, namespace=namespace, metadata_only=True))
    return any(_is_ours(item.metadata, mark=mark) and not item.metadata.deleted for item in listed)


def others_in(client: httpx.Client, namespace: str, *, mark: str, pull_secrets: Collection[str] = ()) -> list[str]:
    """Objects in a namespace that the stack with this mark did not make, as `pods/iris`.

    `pull_secrets` are names of Secrets that something else puts there, for the stack's pods.

    Raises:
        ForbiddenError: this login may not list them.
        httpx.HTTPError: the API server cannot be reached, or answers with an error.
        ValueError: an answer cannot be read.
    """
    for_the_stack = {f"secrets/{name}" for name in pull_secrets}
    return sorted({*_others(client, namespace, mark=mark)} - for_the_stack)


def _others(client: httpx.Client, namespace: str, *, mark: str) -> Iterator[str]:
    # Kubernetes, too, deletes with a namespace only what can be deleted.
    looked_at = [
        kind
        for kind in kinds(client)
        if kind.namespaced and kind.deletable and not {kind.plural, kind.name} & MADE_BY_ITSELF
    ]
    found = in_parallel(lambda kind: [*kind.objects(client, namespace=namespace)], looked_at)
    for kind, items in zip(looked_at, found, strict=True):
        for item in items:
            # What has an owner goes with it; the owner counts.
            goes = item.owners or item.deleted or makes_itself(kind.name, item) or _is_ours(item, mark=mark)
            if not goes:
                yield f"{kind.name}/{item.name}"


def _is_ours(found: Metadata, *, mark: str) -> bool:
    """Whether the stack made it. In a namespace that lost its mark, every object with a mark counts as the stack's."""
    own = found.annotations.get(STACK_ANNOTATION)
    return own is not None and (own == mark or not mark)
