"""Read the Kubernetes API: refusals told apart from other errors, answers as pydantic models."""

from __future__ import annotations

from typing import TypeVar

import httpx2 as httpx
from pydantic import BaseModel

from kube.kubeconfig import LoginFailedError

# Errors of `get` and `read` that may be gone at the next attempt.
PASSING_ERRORS = (httpx.HTTPError, LoginFailedError, ValueError)
REFUSALS = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
Answer = TypeVar("Answer", bound=BaseModel)


class ForbiddenError(Exception):
    """The API server refuses to answer this login, with the status 401 or 403."""


def get(client: httpx.Client, path: str, **query: str) -> httpx.Response:
    """Answer of the API server, whatever its status.

    Raises:
        ForbiddenError: its status is 401 or 403.
        LoginFailedError: the login plugin failed.
        httpx.HTTPError: the API server cannot be reached.
    """
    answer = client.get(path, params=query)
    if answer.status_code in REFUSALS:
        raise ForbiddenError(f"the cluster answers {answer.status_code}")
    return answer


def read(kind: type[Answer], client: httpx.Client, path: str, **query: str) -> Answer:
    """Object or list at this path of the API.

    Raises:
        ForbiddenError: this login may not read it.
        LoginFailedError: the login plugin failed.
        httpx.HTTPError: it does not exist, or the API server cannot be reached.
        ValueError: the answer is not such an object.
    """
    return kind.model_validate(get(client, path, **query).raise_for_status().json())
