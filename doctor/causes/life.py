"""The life of a model: start, deadlines, new versions, scaling to zero, deletion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from doctor.facts import Facts
from doctor.findings import Cause, Finding
from doctor.model import ModelView, evidence_from
from kube.views.base import condition, is_true
from kube.views.kubernetes import Namespace, Pod

KSERVE_FINALIZER = "inferenceservice.finalizers"
# KServe reacts within a second. What it has not handled after this time, it will not handle.
PROMPT_SECONDS = 15.0
DELETION_SECONDS = 60.0


def being_deleted(view: ModelView) -> Iterator[Finding]:
    """Find a model that is being deleted, and the finalizers that hold it if that takes long."""
    deleted = view.model.metadata.deleted
    if deleted is None:
        return
    finalizers = view.model.metadata.finalizers
    foreign = [name for name in finalizers if name != KSERVE_FINALIZER]
    passed = _seconds(view.facts, deleted)
    stuck = passed > (PROMPT_SECONDS if foreign else DELETION_SECONDS)
    cause = Cause.DELETION_STUCK if stuck and finalizers else Cause.DELETION
    evidence = [
        evidence_from("InferenceService", f"deleted {passed:.0f} s ago, finalizers: {', '.join(finalizers) or '-'}")
    ]
    yield view.finding(cause, evidence, finalizers=", ".join(foreign or finalizers) or "-")


def in_terminating_namespace(view: ModelView) -> Iterator[Finding]:
    """Find a namespace that is being deleted: nothing can be created in it."""
    namespace = view.facts.get(Namespace, view.namespace)
    if namespace is not None and namespace.phase == "Terminating":
        # These conditions say what keeps the namespace from being deleted.
        held = [item.message for item in namespace.conditions if item.status == "True" and item.message]
        evidence = [evidence_from(f"namespace {namespace.name}", text) for text in held[:3]]
        yield view.finding(Cause.NAMESPACE_TERMINATING, evidence)


def deadline_exceeded(view: ModelView) -> Iterator[Finding]:
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


def new_version_not_ready(view: ModelView, *, cause_known: bool) -> Iterator[Finding]:
    """Find a new version that is not ready while the one before answers, if something is known to be wrong with it."""
    model = view.model
    new, old = model.created_revision, model.ready_revision
    if not (old and new and new != old and cause_known):
        return
    traffic = ", ".join(f"{target.revision} {target.percent} %" for target in model.traffic)
    evidence = [evidence_from("InferenceService", f"traffic: {traffic}")]
    share = 100 if model.canary_percent is None else model.canary_percent
    yield view.finding(Cause.CANARY_STUCK, evidence, new=new, old=old, share=str(share))


def not_routed(view: ModelView) -> Iterator[Finding]:
    """Find a server that is ready, but has no route."""
    conditions = view.model.conditions
    if view.model.ready or not is_true(conditions, "PredictorReady") or is_true(conditions, "IngressReady"):
        return
    routing = (condition(conditions, kind) for kind in ("IngressReady", "PredictorRouteReady"))
    evidence = [evidence_from("InferenceService", str(item)) for item in routing if item and item.status != "True"]
    yield view.finding(Cause.ROUTE_NOT_READY, evidence)


def without_known_fault(view: ModelView) -> Finding:
    """Describe a model that is not ready without a known fault: it is starting, or KServe does not handle it."""
    model = view.model
    created = model.metadata.created
    age = _seconds(view.facts, created) if created else 0.0
    if not model.conditions and not model.transition and age > PROMPT_SECONDS:
        return view.finding(Cause.UNNOTICED, [evidence_from("InferenceService", f"no status after {age:.0f} s")])
    waiting = [(pod, status, status.waiting.reason) for pod, status in view.statuses if status.waiting]
    running = [(pod, status, "runs") for pod, status in view.statuses if status.running_since and not status.ready]
    states = [f"pod {pod.name}: {status.name} {state}" for pod, status, state in (*waiting, *running) if state]
    evidence = [evidence_from("pods", "; ".join(states[:3]))] if states else []
    return view.finding(Cause.STARTING, [*evidence, *view.unready_conditions], age=f"{age:.0f}" if created else "?")


def without_pods(view: ModelView) -> Iterator[Finding]:
    """Find a model that has no pods because it was stopped or is scaled to zero."""
    model = view.model
    if model.stopped:
        yield view.finding(Cause.STOPPED)
        return
    no_pods = not view.pods and not view.facts.missed(Pod, namespace=view.namespace)
    if no_pods and model.ready and not model.standard and model.min_replicas == 0:
        yield view.finding(Cause.SCALED_TO_ZERO)


def _seconds(facts: Facts, since: datetime) -> float:
    return (facts.now - since).total_seconds()
