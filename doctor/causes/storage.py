"""Model files that cannot be fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from doctor.causes.images import PULLED, pull_cause
from doctor.findings import Cause, Evidence, Finding
from doctor.model import OOM_KILLED, ModelView, container_source, evidence_from, last_line
from endpoints.stores import credentials_setting, own_words, store_setting, without_secrets
from kube.views.fetching import INITIALIZER, NOT_FETCHED, fetched, kept_words, unfetched
from kube.views.kserve import KEYS_REFUSED, InferenceService
from kube.views.kubernetes import Secret, ServiceAccount

_KINDS: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    # KServe runs a shell in an image with a model.
    (Cause.STORAGE_FAILED, re.compile(r"executable file not found")),
    (
        Cause.STORAGE_KEYS_MISSING,
        re.compile(
            r"NoCredentials|Unable to locate credentials|authentication failed\. Set AWS|: no keys\b"
            r"|no basic auth credentials"
        ),
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
# What is wrong in an image with a model, which was pulled.
_IN_IMAGE = re.compile(r"modelcar is invalid|executable file not found")


def not_fetched(view: ModelView) -> Iterator[Finding]:
    """Find why the files could not be fetched: no keys, wrong keys, no such store, bucket or folder."""
    failure = _failure(view) or _earlier_failure(view)
    if failure is None:
        return
    evidence = [failure, *_answer(view, failure)]
    cause = _cause(view, [item.text for item in reversed(evidence)])
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
        secret=", ".join(secret.name for secret in secrets) or _other_secret(view) or "-",
        store=store_setting(view.model.store),
        setting=credentials_setting(view.model.store, uri=view.model.location),
        endpoint=", ".join(endpoints) or "-",
        image=view.model.image or "-",
        registry=view.model.image.partition("/")[0] or "-",
    )


def _cause(view: ModelView, texts: Sequence[str]) -> Cause:
    """The cause that the first of these texts names that names a known one."""
    if view.model.image and not any(map(_IN_IMAGE.search, texts)):
        cause = pull_cause(texts[0], image=view.model.image)
        if cause is not Cause.IMAGE_REFUSED:
            return cause
        return _cause_of(texts[0]) or Cause.STORAGE_KEYS_REFUSED
    return next(filter(None, map(_cause_of, texts)), Cause.STORAGE_FAILED)


def _cause_of(text: str) -> Cause | None:
    """The cause that an error of the storage initializer names, if it is a known one."""
    return next((cause for cause, pattern in _KINDS if pattern.search(text)), None)


def _failure(view: ModelView) -> Evidence | None:
    """Why the storage initializer of an existing pod failed the last time, or an image with a model is not pulled."""
    for failure in filter(None, map(unfetched, view.pods)):
        pod, status, end = failure.pod, failure.status, failure.status.failed
        if end is None:
            waiting = status.waiting.message if status.waiting else ""
            return _evidence(container_source(pod, status.name), failure.words or _pull_warning(view) or waiting)
        if end.reason != OOM_KILLED:
            return _evidence(
                container_source(pod, status.name), view.failure_text(pod, status) or f"exit {end.exit_code}"
            )
    return None


def _pull_warning(view: ModelView) -> str:
    """The latest warning of the kubelet that it cannot pull the image with the model; empty if there is none."""
    named = ((PULLED.match(event.message), event.message) for event in view.warnings)
    return next((text for image, text in named if image and image[1] == view.model.image), "")


def _earlier_failure(view: ModelView) -> Evidence | None:
    """Why the storage initializer of a deleted pod failed: what an update kept, or KServe's status, or a warning."""
    model = view.model
    if kept := _kept(view):
        return kept
    fetching = any(status.name == INITIALIZER and not status.failed for _, status in view.statuses)
    blocked = model.transition == "BlockedByFailedLoad" and (not view.pods or fetching)
    events = (e for e in view.warnings if e.reason == "BackOff" and f"container {INITIALIZER}" in e.message)
    backed_off = None if view.pods or model.ready else next(events, None)
    # KServe keeps the last words of a pod that is gone; the warning says only that it was restarted.
    if (blocked or backed_off) and _failed_to_fetch(model):
        return _evidence("KServe, of an earlier pod", last_line(model.failure_message))
    if model.image and not view.pods and not model.ready and (warning := _pull_warning(view)):
        return _evidence("a deleted pod", warning)
    return _evidence(f"deleted pod {backed_off.about}", backed_off.message) if backed_off else None


def _kept(view: ModelView) -> Evidence | None:
    """The latest words that the update kept which declared the model as it is, if no pod has fetched it since."""
    secrets = view.facts.of(Secret, view.namespace)
    words = "" if fetched(view.pods, view.model) else kept_words(view.warnings, view.model, secrets=secrets)
    return _evidence(f"Event {NOT_FETCHED}, of an earlier pod", words) if words else None


def _evidence(source: str, text: str) -> Evidence:
    """Evidence from a client of a store, without what may be secret in it."""
    return evidence_from(source, without_secrets(text))


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
                return [_evidence(container_source(pod, INITIALIZER), answered)]
    return []


def _has_no_credentials(view: ModelView) -> bool:
    """Whether the model's account was read and has neither keys nor a role, and the model no store of variables.

    For an image with a model, whether its pods have no pull secret.
    """
    account, roles = view.account, ("role-arn", "gcp-service-account", "workload.identity")
    if view.model.image:
        return not view.model.pull_secrets
    if account is None or account.secrets or (view.model.store and view.model.storage_container):
        return False
    return not any(role in name for name in account.metadata.annotations for role in roles)


def _other_secret(view: ModelView) -> str:
    """Name of the Secret with credentials that the model's account does not list; empty without one.

    A ClusterStorageContainer takes headers from one, and the kubelet a registry's password.
    """
    model = view.model
    if model.store and model.image:
        return f"{model.service_account}-pull"
    has_variables = model.location.startswith("http") and model.store and model.storage_container
    return f"{model.service_account}-variables" if has_variables else ""


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
