"""Declarations that KServe refuses before it creates anything: formats, runtimes, storage URIs."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.findings import Cause, Evidence, Finding
from doctor.model import ModelView, evidence_from
from kube.views.kserve import ClusterServingRuntime, ServingRuntime

_REASONS = {
    "RuntimeNotRecognized": Cause.RUNTIME_UNKNOWN,
    "RuntimeDisabled": Cause.RUNTIME_DISABLED,
    "NoSupportingRuntime": Cause.RUNTIME_NONE,
    "RuntimeUnhealthy": Cause.RUNTIME_NONE,
}


def wrong_declaration(view: ModelView) -> Iterator[Finding]:
    """Find a format without a runtime, a runtime that is unknown or disabled, or a storage URI of an unknown kind."""
    model = view.model
    if model.transition == "InvalidSpec":
        cause = _REASONS.get(model.failure_reason, Cause.DECLARATION_REFUSED)
        if cause is Cause.RUNTIME_NONE and model.runtime:
            cause = Cause.RUNTIME_MISMATCH
        evidence = [evidence_from("InferenceService", f"{model.failure_reason}: {model.failure_message}")]
        known = (*view.facts.of(ClusterServingRuntime), *view.facts.of(ServingRuntime, view.namespace))
        yield view.finding(
            cause,
            evidence,
            runtime=model.runtime or "-",
            protocol=model.protocol or "v1",
            why=_why(view, known),
            enabled=", ".join(sorted({_serves(runtime) for runtime in known if not runtime.disabled})) or "-",
        )
        return
    for event in view.warnings:
        if "StorageURI not supported" in event.message:
            listed = event.message.partition("[")[2].partition("]")[0]
            schemes = ", ".join(sorted({scheme.strip(" []") for scheme in listed.split(",")}))
            yield view.finding(Cause.STORAGE_URI_UNKNOWN, [evidence_from("KServe", event.message)], schemes=schemes)
            return


def _serves(runtime: ClusterServingRuntime) -> str:
    formats = ", ".join(dict.fromkeys(form.name for form in runtime.formats))
    return f"{runtime.name} ({formats}; {', '.join(runtime.protocols) or 'v1'})"


def _why(view: ModelView, known: tuple[ClusterServingRuntime, ...]) -> str:
    """What no runtime serves, or what the runtime that the model names serves instead."""
    model = view.model
    if model.runtime:
        named = [runtime for runtime in known if runtime.name == model.runtime]
        return "; ".join(map(_serves, named)) or model.runtime
    fitting = [runtime for runtime in known if any(form.name == model.format for form in runtime.formats)]
    enabled = [runtime for runtime in fitting if not runtime.disabled]
    if not enabled:
        off = ", ".join(runtime.name for runtime in fitting)
        return f"format {model.format}" + (f" (disabled: {off})" if off else "")
    versions = {form.version for runtime in enabled for form in runtime.formats if form.name == model.format}
    if model.version and model.version not in versions:
        return f"{model.format} version {model.version} (there: {', '.join(sorted(versions))})"
    spoken = sorted({protocol for runtime in enabled for protocol in runtime.protocols})
    if model.protocol and model.protocol not in spoken:
        return f"{model.format} with protocol {model.protocol} (there: {', '.join(spoken) or 'v1'})"
    return f"format {model.format}"


def refusals_of(view: ModelView) -> list[Evidence]:
    """What KServe, Knative and Kubernetes say about objects of the model that they refuse to create."""
    found = [
        evidence_from("InferenceService", item.message)
        for item in view.model.conditions
        if item.reason in {"ReconcileFailed", "FailedCreate"}
    ]
    found += [
        evidence_from(f"revision {revision.name}", item.message)
        for revision in view.revisions
        for item in revision.conditions
        if item.status == "False" and item.reason == "FailedCreate"
    ]
    found += [evidence_from(f"Deployment {item.name}", item.failure) for item in view.deployments if item.failure]
    # A reconciliation that failed once because of a simultaneous change by somebody else is not a refusal.
    found += [
        evidence_from(f"{event.kind} {event.about}", event.message)
        for event in view.warnings
        if (event.reason == "FailedCreate" and not view.pods)
        or (event.reason == "InternalError" and event.kind == "InferenceService" and not view.revisions)
    ]
    return [item for item in found if item.text and "the object has been modified" not in item.text]
