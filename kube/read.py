"""Read the Kubernetes API: refusals told apart from other errors, answers as pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import httpx2 as httpx
from pydantic import BaseModel

from kube.connection import refusal_of
from kube.kubeconfig import LoginFailedError
from kube.views.base import Object

# Errors of `get`, `read` and `read_list` that may be gone at the next attempt.
PASSING_ERRORS = (httpx.HTTPError, LoginFailedError, ValueError)
REFUSALS = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
METADATA_ONLY = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
Answer = TypeVar("Answer", bound=BaseModel)
Kind = TypeVar("Kind", bound=Object)


class ForbiddenError(Exception):
    """The API server refuses to answer this login, with the status 401 or 403."""


def in_words(problem: Exception) -> str:
    """What an error of these functions says: of an answer with an error, the API server's own words, and its status."""
    if isinstance(problem, httpx.HTTPStatusError):
        answer = problem.response
        return f"{refusal_of(answer)} (status {answer.status_code})"
    return str(problem) or type(problem).__name__


class _List(BaseModel):
    # The API server answers null for an empty list of metadata.
    items: tuple[dict[str, Any], ...] | None


def get(
    client: httpx.Client, path: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Answer of the API server, whatever its status.

    Raises:
        ForbiddenError: its status is 401 or 403.
        LoginFailedError: the login plugin failed.
        httpx.HTTPError: the API server cannot be reached.
    """
    answer = client.get(path, params=query, headers=headers)
    if answer.status_code in REFUSALS:
        reason = refusal_of(answer)
        why = "" if reason == f"HTTP {answer.status_code}" else f": {reason}"
        raise ForbiddenError(f"the cluster answers {answer.status_code}{why}")
    return answer


def read(kind: type[Answer], client: httpx.Client, path: str) -> Answer:
    """Object at this path of the API.

    Raises:
        ForbiddenError: this login may not read it.
        LoginFailedError: the login plugin failed.
        httpx.HTTPError: it does not exist, or the API server cannot be reached.
        ValueError: the answer is not such an object.
    """
    return kind.model_validate(get(client, path).raise_for_status().json())


def read_list(
    kind: type[Kind],
    client: httpx.Client,
    *,
    namespace: str = "",
    labels: str = "",
    fields: str = "",
    metadata_only: bool = False,
) -> tuple[Kind, ...]:
    """Objects of a kind; none where the cluster does not know the kind.

    Args:
        kind: view of the objects.
        client: of the cluster.
        namespace: their namespace; empty for all namespaces.
        labels: which they must have, as `key=value`; empty for any.
        fields: which they must have, as `reason=Failed`; empty for any. Kinds have few that can be asked for.
        metadata_only: whether to read nothing of the objects but their metadata.

    Raises:
        ForbiddenError: this login may not read them.
        httpx.HTTPError: the API server cannot be reached, or answers with an error.
        ValueError: the answer is not a list of such objects.

    """
    query = {name: text for name, text in (("labelSelector", labels), ("fieldSelector", fields)) if text}
    headers = METADATA_ONLY if metadata_only else None
    answer = get(client, kind.path(namespace=namespace), query=query, headers=headers)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return ()
    listed = _List.model_validate(answer.raise_for_status().json())
    return tuple(kind.model_validate(item) for item in listed.items or ())
