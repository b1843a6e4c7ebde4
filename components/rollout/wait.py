"""Wait in a Pulumi hook until the cluster has done what it does after an object is applied."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import httpx2 as httpx
import pulumi

from components.threads import in_own_thread
from kube.kubeconfig import UnsupportedLoginError
from kube.read import PASSING_ERRORS, ForbiddenError

POLL_SECONDS = 1.0


class RolloutError(Exception):
    """The cluster did not do in time what a hook waits for."""


@dataclass(frozen=True, kw_only=True)
class WaitScope:
    """Where hooks wait, and how long.

    Attributes:
        connect: opens a client of the cluster.
        namespace: of the objects.
        timeout: seconds that each wait may take.

    """

    connect: Callable[[], httpx.Client]
    namespace: str
    timeout: int


@dataclass(frozen=True, kw_only=True)
class Wait(ABC):
    """Wait for an object that KServe makes. `run` is the hook.

    Attributes:
        name: of the object.
        failure: what is wrong when the time is over, to follow the object's name in the error.

    """

    scope: WaitScope
    name: str
    failure: ClassVar[str]

    @abstractmethod
    def pending(self, client: httpx.Client) -> str | None:
        """Reason to go on waiting, or None when there is none.

        Raises:
            ForbiddenError: this login may not read what has to be looked at.
            LoginFailedError: the login plugin failed.
            httpx.HTTPError: the API server does not answer, or has no such object.
            ValueError: the answer is not such an object.
        """

    async def run(self, _: pulumi.ResourceHookArgs) -> None:
        """Return when nothing is pending. Where the cluster cannot be read with this login, warn and do not wait.

        Raises:
            RolloutError: something is still pending after the scope's timeout; the text names it.
        """
        try:
            reason = await in_own_thread(self._poll)
        except (UnsupportedLoginError, ForbiddenError) as problem:
            pulumi.log.warn(f"the rollout of {self.name} is not checked: {problem}")
            return
        if reason:
            raise RolloutError(f"{self.name} {self.failure} after {self.scope.timeout:.0f} s: {reason}")

    def _poll(self) -> str | None:
        """Reason that is left in the end."""
        end = time.monotonic() + self.scope.timeout
        with ExitStack() as stack:
            # Connecting fails with a login plugin that fails, so each attempt tries it until it succeeds.
            client = cache(lambda: stack.enter_context(self.scope.connect()))
            while (reason := self._reason(client)) and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
        return reason

    def _reason(self, client: Callable[[], httpx.Client]) -> str | None:
        try:
            return self.pending(client())
        except PASSING_ERRORS as problem:
            return f"{type(problem).__name__}: {problem}"
