"""Say why a model's files cannot be fetched while an update waits for the model, and keep it longer than its pods."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import grpc
import httpx2 as httpx
import pulumi

from components.objects import STACK_ANNOTATION
from components.rollout.wait import WaitScope
from endpoints.stores import last_words, without_secrets
from kube.kubeconfig import KubeconfigError
from kube.read import PASSING_ERRORS, ForbiddenError, read, read_list
from kube.views.base import MODEL_LABEL
from kube.views.fetching import NOT_FETCHED, unfetched
from kube.views.kserve import SPEC_HASH_ANNOTATION, InferenceService
from kube.views.kubernetes import Event, Pod

POLL_SECONDS = 2.0
COMPONENT = "kserve-multi-model"
# What differs from one attempt to the next, as a request's number and the time.
_PASSING = re.compile(r"[0-9a-fA-F-]{8,}|\d+")


@dataclass(frozen=True, kw_only=True)
class Download:
    """Watch the pods of a model's new version from when it is declared until it is rolled out.

    Attributes:
        scope: where the model is, and how long an update waits for it.
        model: name of its InferenceService.
        spec_hashes: values of SPEC_HASH_ANNOTATION of its pods.
        secrets: of its store, which are not repeated.

    """

    scope: WaitScope
    model: str
    spec_hashes: frozenset[str]
    secrets: tuple[str, ...] = field(default=(), repr=False)
    _rolled_out: threading.Event = field(default_factory=threading.Event, repr=False)

    async def start(self, _: pulumi.ResourceHookArgs) -> None:
        """Watch from now on, beside the update: its provider is what waits for the model."""
        # A daemon: an update that ends for another reason does not wait for it.
        name = f"watch {self.model}"
        threading.Thread(target=copy_context().run, args=(self.watch,), name=name, daemon=True).start()

    async def stop(self, _: pulumi.ResourceHookArgs) -> None:
        """Watch no longer."""
        self._rolled_out.set()

    def watch(self) -> None:
        """Tell of each failure once, until the model is rolled out or the time is over."""
        end = time.monotonic() + self.scope.timeout
        told: set[str] = set()
        kept: set[str] = set()
        with ExitStack() as stack:
            client = cache(lambda: stack.enter_context(self.scope.connect()))
            while not self._rolled_out.wait(POLL_SECONDS) and time.monotonic() < end:
                try:
                    self._look(client, told=told, kept=kept)
                except PASSING_ERRORS:
                    continue
                except (KubeconfigError, ForbiddenError):
                    return  # the wait for the rollout says so
                except grpc.RpcError:
                    return  # the update is over, and Pulumi's engine takes no words any longer

    def _look(self, client: Callable[[], httpx.Client], *, told: set[str], kept: set[str]) -> None:
        for words in self._failures(client()):
            same = _PASSING.sub("", words)
            if same not in told:
                told.add(same)
                pulumi.log.warn(f"model {self.model}: its files cannot be fetched yet: {words}")
            if same not in kept:
                self._keep(client(), words)
                kept.add(same)

    def _failures(self, client: httpx.Client) -> Iterator[str]:
        """What the pods of the new version say; nothing secret is in it."""
        pods = read_list(Pod, client, namespace=self.scope.namespace, labels=f"{MODEL_LABEL}={self.model}")
        for pod in pods:
            failure = unfetched(pod) if pod.metadata.annotations.get(SPEC_HASH_ANNOTATION) in self.spec_hashes else None
            if failure and (words := last_words(without_secrets(failure.words, known=self.secrets))):
                yield words

    def _keep(self, client: httpx.Client, words: str) -> None:
        """Keep the words as a warning about the InferenceService, which Kubernetes drops after an hour.

        Without the right to create events the update has said it, which will do.
        """
        namespace = self.scope.namespace
        model = read(InferenceService, client, InferenceService.path(namespace=namespace, name=self.model))
        answer = client.post(Event.path(namespace=namespace), json=_event(model, words))
        if answer.status_code not in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            answer.raise_for_status()


def _event(model: InferenceService, words: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    marks = {
        STACK_ANNOTATION: model.metadata.annotations.get(STACK_ANNOTATION, ""),
        SPEC_HASH_ANNOTATION: model.declared,
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{model.name}-", "namespace": model.namespace, "annotations": marks},
        "involvedObject": {
            "apiVersion": InferenceService.api.removeprefix("apis/"),
            "kind": InferenceService.__name__,
            "name": model.name,
            "namespace": model.namespace,
            "uid": model.metadata.uid,
        },
        "type": "Warning",
        "reason": NOT_FETCHED,
        "message": words,
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": COMPONENT},
    }
