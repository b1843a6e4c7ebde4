"""How a pod gets its model's files, and what went wrong: by KServe's storage initializer, or as an image (modelcar)."""

from __future__ import annotations

from dataclasses import dataclass

from kube.views.kubernetes import ContainerStatus, Pod

INITIALIZER = "storage-initializer"
# Containers of the image with the model: the first one only pulls it, the other one is beside the server.
MODELCARS = ("modelcar-init", "modelcar")
# Reason of the Event about an InferenceService that keeps the words of a download that failed.
NOT_FETCHED = "ModelNotFetched"
NOT_PULLED = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
)
_PREVIOUS = "ErrImagePull: "


@dataclass(frozen=True, kw_only=True)
class Unfetched:
    """A container that failed to fetch the model, and its words; empty where it left none."""

    pod: Pod
    status: ContainerStatus
    words: str


def unfetched(pod: Pod) -> Unfetched | None:
    """Why a pod has no model files; None where it has them, or still fetches them for the first time."""
    for status in (*pod.init, *pod.containers):
        if status.name == INITIALIZER and status.failed:
            return Unfetched(pod=pod, status=status, words=status.failed.message)
        if status.name in MODELCARS and status.waiting and status.waiting.reason in NOT_PULLED:
            return Unfetched(pod=pod, status=status, words=pull_error(status.waiting.message))
    return None


def pull_error(message: str) -> str:
    """The error of an image's last pull, from what the kubelet says while it waits for the next one."""
    return message.partition(_PREVIOUS)[2] or message
