"""Model files that cannot be fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator

from doctor.findings import Cause, Evidence, Finding
from doctor.model import INITIALIZER, ModelView, container_source, evidence_from, last_line
from kube.views.kserve import KEYS_REFUSED
from kube.views.kubernetes import Secret, ServiceAccount

_OOM = "OOMKilled"
_KINDS: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    (
        Cause.STORAGE_KEYS_MISSING,
        re.compile(r"NoCredentials|Unable to locate credentials|authentication failed\. Set AWS|: no keys\b"),
    ),
    (Cause.STORAGE_KEYS_REFUSED, KEYS_REFUSED),
    (
        Cause.STORAGE_UNREACHABLE,
        re.compile(
            r"Could not connect|EndpointConnectionError|ConnectTimeout|Connection refused|Connection reset|Max retries"
            r"|Name or service not known|name resolution|Failed to resolve|No address|timed out|SSL|CERTIFICATE"
        ),
    ),
    (
        Cause.STORAGE_BUCKET_MISSING,
        re.compile(
            r"NoSuchBucket|S3 resource '[^']*' not found|[Bb]ucket \S+ (does not exist|not found)|no such bucket"
        ),
    ),
    (
        Cause.STORAGE_NOT_FOUND,
        re.compile(r"No model found|NoSuchKey|Not Found|\b404\b|does not exist|no file there|not found", re.IGNORECASE),
    ),
)
_ENDPOINT = "serving.kserve.io/s3-endpoint"


def not_fetched(view: ModelView) -> Iterator[Finding]:
    """Find why the files could not be fetched: no keys, wrong keys, no such store, bucket or folder."""
    said = _said(view)
    if said is None:
        return
    evidence = [said]
    cause = next((kind for kind, pattern in _KINDS if pattern.search(said.text)), Cause.STORAGE_FAILED)
    secrets = _secrets(view)
    scheme, _, rest = view.model.storage_uri.partition("://")
    if (
        cause is Cause.STORAGE_UNREACHABLE
        and scheme == "s3"
        and secrets
        and not any(key == _ENDPOINT for secret in secrets for key in secret.metadata.annotations)
        and "amazonaws.com" in said.text
    ):
        cause = Cause.STORAGE_SECRET_BARE
        evidence.append(evidence_from(f"Secret {secrets[0].name}", f"has no annotation {_ENDPOINT}"))
    if cause is Cause.STORAGE_KEYS_MISSING:
        evidence += _no_keys(view)
    endpoints = [secret.metadata.annotations.get(_ENDPOINT, "") for secret in secrets]
    yield view.finding(
        cause,
        evidence,
        bucket=rest.partition("/")[0] or "-",
        secret=", ".join(secret.name for secret in secrets) or "-",
        endpoint=", ".join(filter(None, endpoints)) or "-",
    )


def _said(view: ModelView) -> Evidence | None:
    """Give what the storage initializer said when it failed the last time."""
    for pod, status in view.statuses:
        if status.name == INITIALIZER and status.failed and status.failed.reason != _OOM:
            text = view.said(pod, status)
            return evidence_from(
                container_source(pod, INITIALIZER), last_line(text) or f"exit {status.failed.exit_code}"
            )
    return _said_before(view)


def _said_before(view: ModelView) -> Evidence | None:
    """Give the same for a pod that is gone, from KServe's status or a warning."""
    model = view.model
    fetching = any(status.name == INITIALIZER and not status.failed for _, status in view.statuses)
    if (
        model.transition == "BlockedByFailedLoad"
        and model.failure_reason == "ModelLoadFailed"
        and model.failure_message
    ):
        # KServe does not say which container it was.
        kinds = [kind for kind, pattern in _KINDS if pattern.search(model.failure_message)]
        if kinds and (not view.pods or fetching) and "://" in model.failure_message:
            return evidence_from("KServe, of a pod before", last_line(model.failure_message))
    if not view.pods and not model.ready:
        told = (
            event
            for event in view.warnings
            if event.reason == "BackOff" and f"container {INITIALIZER}" in event.message
        )
        return next((evidence_from(f"pod {event.about}, which is gone", event.message) for event in told), None)
    return None


def _secrets(view: ModelView) -> tuple[Secret, ...]:
    account = view.account
    listed = [entry.get("name", "") for entry in account.secrets] if account else []
    found = (view.facts.get(Secret, name, view.namespace) for name in listed)
    return tuple(secret for secret in found if secret is not None)


def _no_keys(view: ModelView) -> list[Evidence]:
    account = view.account
    if view.facts.missed(ServiceAccount, namespace=view.namespace) or account is None:
        return []
    listed = ", ".join(entry.get("name", "") for entry in account.secrets)
    return [evidence_from(f"ServiceAccount {account.name}", f"lists {listed}" if listed else "lists no Secret")]
