"""Model files that cannot be fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator

from doctor.findings import Cause, Evidence, Finding
from doctor.model import INITIALIZER, OOM_KILLED, ModelView, container_source, evidence_from, last_line
from endpoints.stores import credentials_setting, own_words, store_setting
from kube.views.kserve import KEYS_REFUSED, InferenceService
from kube.views.kubernetes import Secret, ServiceAccount

_KINDS: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    (
        Cause.STORAGE_KEYS_MISSING,
        re.compile(r"NoCredentials|Unable to locate credentials|authentication failed\. Set AWS|: no keys\b"),
    ),
    (Cause.STORAGE_KEYS_REFUSED, KEYS_REFUSED),
    (
        Cause.STORAGE_UNTRUSTED,
        re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|Failed to find ca bundle", re.IGNORECASE),
    ),
    (
        Cause.STORAGE_UNREACHABLE,
        re.compile(
            r"Could not connect|Failed to connect|EndpointConnectionError|ConnectTimeout|Connection refused"
            r"|Connection reset|Max retries|Name or service not known|name resolution|Failed to resolve"
            r"|No address|timed out|SSL|CERTIFICATE"
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
    failure = _failure(view) or _earlier_failure(view)
    if failure is None:
        return
    evidence = [failure, *_answer(view, failure)]
    cause = next(filter(None, map(_cause_of, (e.text for e in reversed(evidence)))), Cause.STORAGE_FAILED)
    secrets = _secrets(view)
    if cause is Cause.STORAGE_KEYS_REFUSED and _has_no_credentials(view):
        cause = Cause.STORAGE_KEYS_MISSING
    endpoints = list(filter(None, (secret.metadata.annotations.get(_ENDPOINT) for secret in secrets)))
    scheme, _, rest = view.model.location.partition("://")
    asked_aws = scheme == "s3" and "amazonaws.com" in failure.text
    if cause is Cause.STORAGE_UNREACHABLE and asked_aws and secrets and not endpoints:
        cause = Cause.STORAGE_SECRET_BARE
        evidence.append(evidence_from(f"Secret {secrets[0].name}", f"has no annotation {_ENDPOINT}"))
    if cause is Cause.STORAGE_KEYS_MISSING:
        evidence += _no_keys(view)
    yield view.finding(
        cause,
        evidence,
        bucket=rest.partition("/")[0] or "-",
        secret=", ".join(secret.name for secret in secrets) or _variables(view) or "-",
        store=store_setting(view.model.store),
        setting=credentials_setting(view.model.store, uri=view.model.location),
        endpoint=", ".join(endpoints) or "-",
    )


def _cause_of(text: str) -> Cause | None:
    """The cause that an error of the storage initializer names, if it is a known one."""
    return next((cause for cause, pattern in _KINDS if pattern.search(text)), None)


def _failure(view: ModelView) -> Evidence | None:
    """Why the storage initializer of an existing pod failed the last time."""
    for pod, status in view.statuses:
        if status.name == INITIALIZER and status.failed and status.failed.reason != OOM_KILLED:
            text = view.failure_text(pod, status) or f"exit {status.failed.exit_code}"
            return evidence_from(container_source(pod, INITIALIZER), text)
    return None


def _earlier_failure(view: ModelView) -> Evidence | None:
    """Why the storage initializer of a deleted pod failed, from KServe's status or a warning."""
    model = view.model
    fetching = any(status.name == INITIALIZER and not status.failed for _, status in view.statuses)
    blocked = model.transition == "BlockedByFailedLoad" and (not view.pods or fetching)
    events = (e for e in view.warnings if e.reason == "BackOff" and f"container {INITIALIZER}" in e.message)
    backed_off = None if view.pods or model.ready else next(events, None)
    # KServe keeps the last words of a pod that is gone; the warning says only that it was restarted.
    if (blocked or backed_off) and _failed_to_fetch(model):
        return evidence_from("KServe, of an earlier pod", last_line(model.failure_message))
    return evidence_from(f"deleted pod {backed_off.about}", backed_off.message) if backed_off else None


def _failed_to_fetch(model: InferenceService) -> bool:
    """Whether the failure that KServe reports is the storage initializer's, which it does not say."""
    message = model.failure_message
    known = "://" in message and _cause_of(message) is not None
    own = bool(model.location) and model.location.rstrip("/") in message
    return model.failure_reason == "ModelLoadFailed" and (known or own or "torage initialization" in message)


def _answer(view: ModelView, failure: Evidence) -> list[Evidence]:
    """What the store's server answered, where the initializer's last line leaves it out."""
    for pod, status in view.statuses:
        if status.name == INITIALIZER and status.failed:
            answered = own_words(f"{status.failed.message}\n{view.log(pod, INITIALIZER)}")
            if answered and answered not in failure.text:
                return [evidence_from(container_source(pod, INITIALIZER), answered)]
    return []


def _has_no_credentials(view: ModelView) -> bool:
    """Whether the model's account was read and has neither keys nor a role, and the model no store of variables."""
    account, roles = view.account, ("role-arn", "gcp-service-account", "workload.identity")
    if account is None or account.secrets or (view.model.store and view.model.storage_container):
        return False
    return not any(role in name for name in account.metadata.annotations for role in roles)


def _variables(view: ModelView) -> str:
    """Name of the Secret from which the model's ClusterStorageContainer takes credentials, if it has one."""
    web = view.model.location.startswith("http")
    has_some = web and view.model.store and view.model.storage_container
    return f"{view.model.service_account}-variables" if has_some else ""


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
