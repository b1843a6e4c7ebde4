"""Pods that wait for a node or a volume."""

from __future__ import annotations

import re
from collections.abc import Iterator

from doctor.findings import Cause, Evidence, Finding
from doctor.model import ModelView, evidence_from
from kube.views.base import condition
from kube.views.kubernetes import PersistentVolumeClaim

_INSUFFICIENT = re.compile(r"Insufficient ([\w./-]*\w)")
_NO_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
_UNBOUND = re.compile(r"unbound immediate PersistentVolumeClaims|waiting for (?:a )?volume")


def not_scheduled(view: ModelView) -> Iterator[Finding]:
    """Find why a pod is on no node: a claim is missing or not bound, a resource is short, or no node fits."""
    unscheduled = _unscheduled(view)
    text = " ".join(item.text for item in unscheduled)
    evidence = unscheduled[:1]
    missing = _NO_CLAIM.search(text)
    claim = view.found_claim
    if missing or _is_missing(view):
        yield view.finding(Cause.CLAIM_MISSING, evidence, claim=missing[1] if missing else view.claim)
    elif not view.model.ready and claim is not None and claim.phase == "Pending":
        evidence = evidence or [evidence_from(f"PersistentVolumeClaim {claim.name}", "Pending")]
        yield view.finding(Cause.CLAIM_PENDING, evidence, claim=claim.name)
    elif lacking := sorted(set(_INSUFFICIENT.findall(text))):
        yield view.finding(Cause.NODES_TOO_SMALL, evidence, lacking=", ".join(lacking))
    elif _UNBOUND.search(text):
        yield view.finding(Cause.CLAIM_PENDING, evidence, claim=view.claim or "-")
    elif evidence:
        yield view.finding(Cause.NODES_NOT_FITTING, evidence)


def _is_missing(view: ModelView) -> bool:
    """Whether it is known that the claim with the model's files does not exist."""
    unknown = view.facts.missed(PersistentVolumeClaim, namespace=view.namespace)
    return bool(view.claim) and not view.model.ready and not unknown and view.found_claim is None


def _unscheduled(view: ModelView) -> list[Evidence]:
    """Why the scheduler found no node, of each pod and revision."""
    conditions = [(f"pod {pod.name}", condition(pod.conditions, "PodScheduled")) for pod in view.pods]
    conditions += [
        (f"revision {revision.name}", condition(revision.conditions, "ResourcesAvailable"))
        for revision in view.revisions
    ]
    found = [
        evidence_from(source, item.message)
        for source, item in conditions
        if item and item.status == "False" and item.reason == "Unschedulable"
    ]
    if found or view.pods or view.model.ready:
        return found
    # Knative removes the pod after the revision's progress deadline; the warning stays for an hour.
    events = [event for event in view.warnings if event.reason == "FailedScheduling"]
    return [evidence_from(f"deleted pod {event.about}", event.message) for event in events]
