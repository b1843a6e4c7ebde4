"""Refuse an `up` that would remove a part of the platform, or a namespace, in which others have something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import httpx2 as httpx

from components.charts.helm_records import ReleaseMark
from components.ownership.stack_identity import Identity
from components.platform.existing import ExistingParts
from components.platform.knative import NAMESPACES as KNATIVE_NAMESPACES
from components.platform.knative import RELEASES as KNATIVE_RELEASES
from components.preflight.platform_facts import UntoldError
from components.preflight.running_models import others_behind_knative
from components.settings.stack import Settings
from components.teardown.cluster_guard import NAME as CLUSTER_GUARD
from components.teardown.others_in_platform import Definitions, OthersInPlatform, release_names
from components.teardown.others_objects import others_in
from kube.read import ForbiddenError, in_words
from releases.namespaces import MONITORING_NAMESPACE

NAMESPACE = "kubernetes:core/v1:Namespace"
SHOWN = 5
REMEDY = "Delete these first, or move them elsewhere"


@dataclass(frozen=True, kw_only=True)
class RemovablePart:
    """A part of the platform that the settings can take away from a stack that has it.

    Attributes:
        title: what to call it.
        namespaces: that it is installed in.
        releases: Helm releases of its definitions, as `namespace/name`.
        setting: the one that takes it away.
        kept_by: how the settings keep it.

    """

    title: str
    namespaces: tuple[str, ...]
    releases: tuple[str, ...] = ()
    setting: str
    kept_by: str


MONITORING = RemovablePart(
    title="the monitoring",
    namespaces=(MONITORING_NAMESPACE,),
    setting="monitoring",
    kept_by="leave `monitoring` in the settings",
)
KNATIVE = RemovablePart(
    title="Knative",
    namespaces=KNATIVE_NAMESPACES,
    releases=KNATIVE_RELEASES,
    setting="mode",
    kept_by="set mode: Knative",
)


def removal_problems(
    client: httpx.Client, settings: Settings, *, identity: Identity, existing: ExistingParts
) -> Iterator[str]:
    """Why the settings may not take away what the stack has: others have something there, or need it.

    Raises:
        UntoldError: the cluster does not tell.
        httpx.HTTPError: it cannot be reached.
    """
    try:
        yield from _problems(client, settings, identity=identity, existing=existing)
    except (ForbiddenError, httpx.HTTPStatusError) as problem:
        raise UntoldError(
            "the cluster does not tell whether others have something in what the settings would remove, or need it: "
            f"{in_words(problem)}. Nothing is changed until it does. Try again, or use a login that may list objects "
            "of every kind"
        ) from problem


def _problems(
    client: httpx.Client, settings: Settings, *, identity: Identity, existing: ExistingParts
) -> Iterator[str]:
    without_knative = settings.installs_platform and not settings.needs_knative and "knative" not in existing.parts
    users = others_behind_knative(client, owner=identity.text) if without_knative else ()
    if users:
        yield f"mode: this would remove Knative, but {_named(users)} need it; to keep it, {KNATIVE.kept_by}"
    if not _has_marks(identity):
        return
    removed = [
        *(() if settings.installs_monitoring else (MONITORING,)),
        *((KNATIVE,) if without_knative and not users else ()),
    ]
    for part in removed:
        if any(_is_in_state(identity, namespace) for namespace in part.namespaces):
            yield from _part_problems(client, part, settings, identity=identity)
    for namespace in sorted(_namespaces_of_models(identity) - settings.namespaces):
        yield from _namespace_problems(client, namespace, settings, identity=identity)


def _has_marks(identity: Identity) -> bool:
    """Whether all objects of the stack have its mark; those of one from before there were identities get it by an `up`.

    The guard of the cluster is declared last, so it is there after the first complete `up`.
    """
    return not identity.deployed_before or any(urn.endswith(f"::{CLUSTER_GUARD}") for urn in identity.in_state)


def _part_problems(
    client: httpx.Client, part: RemovablePart, settings: Settings, *, identity: Identity
) -> Iterator[str]:
    mark = ReleaseMark(identity=identity.text, deployed_before=identity.deployed_before)
    definitions = Definitions(releases=release_names(part.releases))
    looking = OthersInPlatform(mark=mark, pull_secrets=settings.image_pull_secrets)
    others = looking.inside(client, namespaces=part.namespaces, definitions=definitions)
    if others:
        yield (
            f"{part.setting}: this would remove {part.title}, and with it what others have in its namespace"
            f"{'s' if len(part.namespaces) > 1 else ''} {' and '.join(part.namespaces)}"
            f"{', or of its kinds' if part.releases else ''}: {'; '.join(others)}. {REMEDY}; or, to keep "
            f"{part.title}, {part.kept_by}"
        )


def _namespace_problems(
    client: httpx.Client, namespace: str, settings: Settings, *, identity: Identity
) -> Iterator[str]:
    others = others_in(client, namespace, mark=identity.text, pull_secrets=settings.image_pull_secrets)
    if others:
        yield (
            f"namespace {namespace!r} has no model or graph of this stack any more, so this would delete it, and with "
            f"it what this stack did not make: {_named(others)}. {REMEDY}; or, to leave the namespace as it is, have "
            "Pulumi forget it (pulumi stack --show-urns lists its URN): pulumi state delete --target-dependents <URN>"
        )


def _named(names: Sequence[str]) -> str:
    return f"{', '.join(names[:SHOWN])}{f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''}"


def _is_in_state(identity: Identity, namespace: str) -> bool:
    """Whether the stack has a namespace of the platform: that is below a component."""
    return any(urn.endswith(f"${NAMESPACE}::{namespace}") for urn in identity.in_state)


def _namespaces_of_models(identity: Identity) -> set[str]:
    """Namespaces that the stack has made for models: they are below nothing."""
    marker = f"::{NAMESPACE}::"
    return {urn.partition(marker)[2] for urn in identity.in_state if marker in urn}
