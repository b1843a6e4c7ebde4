"""How a pod gets its model's files, and what went wrong: by KServe's storage initializer, or as an image (modelcar)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from kube.views.kserve import SPEC_HASH_ANNOTATION, InferenceService
from kube.views.kubernetes import ContainerStatus, Event, Pod, Secret

INITIALIZER = "storage-initializer"
# Containers of an image with a model: the first one pulls it and looks into it, the other one is beside the server.
MODELCAR_INIT = "modelcar-init"
MODELCARS = (MODELCAR_INIT, "modelcar")
# Reason of the Event about an InferenceService that keeps the words of a download that failed.
NOT_FETCHED = "ModelNotFetched"
NOT_PULLED = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
_BACK_OFF, _LAST_ERROR = "Back-off pulling image", "ErrImagePull: "


@dataclass(frozen=True, kw_only=True)
class Unfetched:
    """A container that failed to fetch the model, and its words; empty where it left none."""

    pod: Pod
    status: ContainerStatus
    words: str


def unfetched(pod: Pod) -> Unfetched | None:
    """Why a pod has no model files; None where it has them, or still fetches them for the first time."""
    for status in (*pod.init, *pod.containers):
        if status.name in {INITIALIZER, MODELCAR_INIT} and status.failed:
            return Unfetched(pod=pod, status=status, words=status.failed.message)
        if status.name in MODELCARS and status.waiting and status.waiting.reason in NOT_PULLED:
            return Unfetched(pod=pod, status=status, words=pull_error(status.waiting.message))
    return None


def pull_error(message: str) -> str:
    """The error of an image's last pull; empty where the kubelet, which waits for the next one, no longer says it."""
    return message.partition(_LAST_ERROR)[2] or ("" if message.startswith(_BACK_OFF) else message)


def has_files(pod: Pod) -> bool:
    """Whether a pod has its model's files: what fetches them has ended well."""
    fetching = [status for status in pod.init if status.name in {INITIALIZER, MODELCAR_INIT}]
    return bool(fetching) and all(status.ended and not status.ended.exit_code for status in fetching)


def fetched(pods: Iterable[Pod], model: InferenceService) -> bool:
    """Whether a pod of the model as it is declared has its files, so that what was kept before explains nothing."""
    current = (pod for pod in pods if pod.metadata.annotations.get(SPEC_HASH_ANNOTATION) == model.declared)
    return any(map(has_files, current))


def kept_words(events: Iterable[Event], model: InferenceService, *, secrets: Iterable[Secret] = ()) -> str:
    """The latest words that the update kept which declared the model as it is; empty if it kept none.

    Words from before the model or a Secret of its store was written again explain nothing: it may be mended.

    Args:
        events: of the model's namespace.
        model: the model.
        secrets: of the model's namespace.

    """
    mended = _mended(model, secrets)
    kept = [
        event
        for event in events
        if event.reason == NOT_FETCHED and _is_of(event, model) and not _is_before(event, mended)
    ]
    latest = max(kept, key=lambda event: event.last.timestamp() if event.last else 0.0, default=None)
    return latest.message if latest else ""


def _mended(model: InferenceService, secrets: Iterable[Secret]) -> datetime | None:
    """When the model or a Secret of its store was last written."""
    # The program names a store's Secrets after the account that carries them.
    names = {f"{model.service_account}{suffix}" for suffix in ("", "-variables", "-pull")}
    written = (secret.metadata.written for secret in secrets if secret.name in names)
    return max(filter(None, (model.metadata.written, *written)), default=None)


def _is_before(event: Event, time: datetime | None) -> bool:
    """Whether an Event was made before this time, both by the API server's clock."""
    return bool(time and event.metadata.created and event.metadata.created < time)


def _is_of(event: Event, model: InferenceService) -> bool:
    declared = event.metadata.annotations.get(SPEC_HASH_ANNOTATION)
    return event.about_uid == model.metadata.uid and bool(model.declared) and declared == model.declared
