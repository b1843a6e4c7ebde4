"""The life of a model: start, deadlines, new versions, scaling to zero, deletion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from doctor.facts import Facts
from doctor.findings import Cause, Evidence, Finding
from doctor.model import ModelView, evidence_from
from kube.views.base import condition, is_true
from kube.views.kubernetes import Namespace, Pod

KSERVES = "inferenceservice.finalizers"
# KServe reacts within a second; what it has not handled after this time, it does not handle.
PROMPT_SECONDS = 15.0
DELETION_SECONDS = 60.0


def going(view: ModelView) -> Iterator[Finding]:
    """Find a model that is being deleted, and the finalizers that hold it if that takes long."""
    deleted = view.model.metadata.deleted
    if deleted is None:
        return
    finalizers = view.model.metadata.finalizers
    foreign = [name for name in finalizers if name != KSERVES]
    passed = _seconds(view.facts, deleted)
    stuck = passed > (PROMPT_SECONDS if foreign else DELETION_SECONDS)
    cause = Cause.DELETION_STUCK if stuck and finalizers else Cause.DELETION
    evidence = [
        evidence_from("InferenceService", f"deleted {passed:.0f} s ago, finalizers: {', '.join(finalizers) or '-'}")
    ]
    yield view.finding(cause, evidence, finalizers=", ".join(foreign or finalizers) or "-")


def in_a_closing_namespace(view: ModelView) -> Iterator[Finding]:
    """Find a namespace that is being deleted: nothing can be created in it."""
    namespace = view.facts.get(Namespace, view.namespace)
    if namespace is not None and namespace.phase == "Terminating":
        yield view.finding(Cause.NAMESPACE_TERMINATING, namespace_evidence(namespace))


def namespace_evidence(namespace: Namespace) -> list[Evidence]:
    """Give what keeps a namespace from being deleted."""
    held = [item for item in namespace.conditions if item.status == "True" and item.message]
    return [evidence_from(f"namespace {namespace.name}", item.message) for item in held][:3]


def overdue(view: ModelView) -> Iterator[Finding]:
    """Find a revision or Deployment that was not ready within its progress deadline."""
    for revision in view.revisions:
        for item in revision.conditions:
            if item.reason == "ProgressDeadlineExceeded" and item.status == "False":
                evidence = [evidence_from(f"revision {revision.name}", f"{item.reason}: {item.message}")]
                yield view.finding(Cause.DEADLINE_EXCEEDED, evidence, version=revision.name)
                return
    for deployment in view.deployments:
        progress = condition(deployment.conditions, "Progressing")
        if progress and progress.status == "False" and progress.reason == "ProgressDeadlineExceeded":
            evidence = [evidence_from(f"Deployment {deployment.name}", progress.message)]
            # The Deployment says so some time before Knative says it of the revision.
            yield view.finding(Cause.DEADLINE_EXCEEDED, evidence, version=deployment.revision or deployment.name)
            return


def new_version_waits(view: ModelView, *, cause_known: bool) -> Iterator[Finding]:
    """Find a new version that is not ready while the one before answers, if something is known to be wrong with it."""
    model = view.model
    new, old = model.created_revision, model.ready_revision
    if not (old and new and new != old and cause_known):
        return
    said = ", ".join(f"{target.revision} {target.percent} %" for target in model.traffic)
    share = str(model.canary_percent if model.canary_percent is not None else 100)
    yield view.finding(
        Cause.CANARY_STUCK, [evidence_from("InferenceService", f"traffic: {said}")], new=new, old=old, share=share
    )


def not_routed(view: ModelView) -> Iterator[Finding]:
    """Find a server that is ready, but has no route."""
    conditions = view.model.conditions
    if view.model.ready or not is_true(conditions, "PredictorReady") or is_true(conditions, "IngressReady"):
        return
    ingress = condition(conditions, "IngressReady")
    route = condition(conditions, "PredictorRouteReady")
    found = [
        evidence_from("InferenceService", str(item)) for item in (ingress, route) if item and item.status != "True"
    ]
    yield view.finding(Cause.ROUTE_NOT_READY, found)


def waiting(view: ModelView) -> Finding:
    """Describe a model that is not ready without a known fault: it is starting, or KServe does not handle it."""
    model = view.model
    created = model.metadata.created
    if not model.conditions:
        passed = _seconds(view.facts, created) if created else 0.0
        if passed > PROMPT_SECONDS and not model.transition:
            return view.finding(Cause.UNNOTICED, [evidence_from("InferenceService", f"no status after {passed:.0f} s")])
    doing = [
        f"pod {pod.name}: {status.name} {status.waiting.reason}"
        for pod, status in view.statuses
        if status.waiting and status.waiting.reason
    ] + [
        f"pod {pod.name}: {status.name} runs"
        for pod, status in view.statuses
        if status.running_since and not status.ready
    ]
    evidence = [evidence_from("pods", "; ".join(doing[:3]))] if doing else []
    return view.finding(Cause.STARTING, [*evidence, *view.unready()], age=_age(view))


def asleep(view: ModelView) -> Iterator[Finding]:
    """Find a model that is scaled to zero, or that was stopped."""
    model = view.model
    if model.stopped:
        yield view.finding(Cause.STOPPED)
    elif model.ready and not model.standard and model.min_replicas == 0 and not view.pods and not _unseen(view):
        yield view.finding(Cause.SCALED_TO_ZERO)


def _unseen(view: ModelView) -> bool:
    """Tell whether there may be pods that could not be read."""
    return bool(view.facts.missed(Pod, namespace=view.namespace))


def _seconds(facts: Facts, since: datetime) -> float:
    return (facts.now - since).total_seconds()


def _age(view: ModelView) -> str:
    created = view.model.metadata.created
    return f"{_seconds(view.facts, created):.0f}" if created else "?"
