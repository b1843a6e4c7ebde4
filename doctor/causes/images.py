"""Images that cannot be pulled."""

from __future__ import annotations

import re
from collections.abc import Iterator

from doctor.findings import Cause, Finding
from doctor.model import ModelView, container_source, evidence_from
from kube.views.base import condition
from kube.views.fetching import MODELCARS, NOT_PULLED

_FETCHED = re.compile(r'Unable to fetch image "([^"]+)"')
PULLED = re.compile(r'Failed to pull image "([^"]+)"')
_KINDS: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    (
        Cause.IMAGE_REFUSED,
        re.compile(
            r"UNAUTHORIZED|DENIED|access denied|authorization failed|\b401\b|\b403\b|no basic auth", re.IGNORECASE
        ),
    ),
    (
        Cause.REGISTRY_UNREACHABLE,
        re.compile(
            r"dial tcp|no such host|server misbehaving|connection refused|i/o timeout|deadline exceeded|TLS handshake"
            r"|x509:|server gave HTTP response|no route to host"
        ),
    ),
    (
        Cause.IMAGE_NOT_FOUND,
        re.compile(r"not found|MANIFEST_UNKNOWN|NAME_UNKNOWN|manifest unknown|InvalidImageName|couldn't parse|\b404\b"),
    ),
)


def not_pulled(view: ModelView) -> Iterator[Finding]:
    """Find why an image is not pulled: a wrong name, a refusal, or a registry out of reach.

    Of images with a model in them, `storage` finds it.
    """
    image, source, text = next(_not_pulled(view), ("", "", ""))
    if not image:
        return
    # A registry may say "not found" of an image that it refuses; the reason is in the warning of the last attempt.
    warnings = [event.message for event in view.warnings if event.message.startswith("Failed to pull image")]
    if warnings and "rpc error" not in text:
        text = f"{text} {warnings[0]}"
    cause = pull_cause(text, image=image)
    yield view.finding(cause, [evidence_from(source, text)], image=image, registry=image.partition("/")[0])


def pull_cause(text: str, *, image: str) -> Cause:
    """The cause that the error of a pull names."""
    # The image's name may have words of an error in it.
    error = text.replace(image, "")
    return next((cause for cause, pattern in _KINDS if pattern.search(error)), Cause.IMAGE_FAILED)


def _not_pulled(view: ModelView) -> Iterator[tuple[str, str, str]]:
    """Images that are not pulled, each with source and text of the evidence."""
    for pod, status in view.statuses:
        if status.waiting and status.waiting.reason in NOT_PULLED and status.name not in MODELCARS:
            source = container_source(pod, status.name)
            yield status.image, source, f"{status.waiting.reason}: {status.waiting.message}"
    for revision in view.revisions:
        healthy = condition(revision.conditions, "ContainerHealthy")
        fetched = _FETCHED.search(healthy.message) if healthy else None
        if healthy and fetched:
            yield fetched[1], f"revision {revision.name}", healthy.message
    if not view.pods and not view.model.ready:
        for event in view.warnings:
            named = PULLED.match(event.message)
            if named and named[1] != view.model.image:
                yield named[1], f"deleted pod {event.about}", event.message
