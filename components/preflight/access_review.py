"""Ask the cluster whether this login has the rights that the stack needs."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial

import httpx2 as httpx

from components.objects import STACK_ANNOTATION
from components.preflight.report import report
from components.preflight.rights import Right, needed_rights
from components.settings.stack import Settings
from kube.connection import refusal_of
from kube.views.kubernetes import Namespace

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
# How many questions the API server is asked at the same time.
THREADS = 8
# The right to do everything, which administrators have: one question instead of hundreds.
EVERYTHING = Right(verb="*", group="*", resource="*")
PLATFORM_ROLE = "docs/cluster-role.yaml"
MODELS_ROLE = "docs/cluster-role-models.yaml"


class _RefusedError(Exception):
    """The API server did not answer whether this login has a right."""


def rights_problem(client: httpx.Client, settings: Settings) -> str | None:
    """Message that lists every missing right; None if the login has all of them, which is then reported.

    Raises:
        httpx.HTTPError: the cluster does not answer.
    """
    try:
        if _is_allowed(client, EVERYTHING):
            report("rights", "this login may do everything")
            return None
        needed = sorted(_needed(client, settings), key=_words)
        with ThreadPoolExecutor(THREADS) as pool:
            missing = [
                right
                for right, allowed in zip(needed, pool.map(partial(_is_allowed, client), needed), strict=True)
                if not allowed
            ]
    except _RefusedError as problem:
        return f"the cluster does not tell what this login may do: {problem}. Try again, or use another login"
    if not missing:
        report("rights", f"this login has the {len(needed)} that the stack needs")
        return None
    role = PLATFORM_ROLE if settings.installs_platform else MODELS_ROLE
    return (
        f"this login lacks rights that the stack needs: to {_listed(missing)}. Have an administrator grant what {role} "
        "has, as docs/clusters.md shows, or use another login"
    )


def _needed(client: httpx.Client, settings: Settings) -> frozenset[Right]:
    answers = {name: client.get(Namespace.path(name=name)) for name in settings.namespaces}
    found = {name: Namespace.model_validate(answer.json()) for name, answer in answers.items() if answer.is_success}
    return needed_rights(
        settings,
        missing={name for name, answer in answers.items() if answer.status_code == httpx.codes.NOT_FOUND},
        own={name for name, namespace in found.items() if STACK_ANNOTATION in namespace.metadata.annotations},
    )


def _is_allowed(client: httpx.Client, right: Right) -> bool:
    attributes = {name: text for name, text in asdict(right).items() if text or name == "group"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = client.post(REVIEWS, json=review)
    if answer.status_code == httpx.codes.NOT_FOUND:  # not a Kubernetes API: what is read next says so
        return True
    if not answer.is_success:
        raise _RefusedError(f"{refusal_of(answer)} (status {answer.status_code})")
    return answer.json().get("status", {}).get("allowed") is True


def _words(right: Right) -> tuple[str, str]:
    kind = f"{right.resource}.{right.group}" if right.group else right.resource
    return f" in namespace {right.namespace}" if right.namespace else "", kind


def _listed(rights: Iterable[Right]) -> str:
    """Text of the rights, in which kinds with the same verbs are grouped."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        verbs.setdefault(_words(right), []).append(right.verb)
    kinds: dict[tuple[str, str], list[str]] = {}
    for (place, kind), allowed in verbs.items():
        kinds.setdefault((", ".join(sorted(allowed)), place), []).append(kind)
    return "; ".join(f"{allowed} {', '.join(named)}{place}" for (allowed, place), named in kinds.items())
