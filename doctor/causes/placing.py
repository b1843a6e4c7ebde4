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


def not_placed(view: ModelView) -> Iterator[Finding]:
    """Find why a pod is on no node: a claim is missing or not bound, a resource is short, or no node fits."""
    evidence = _unscheduled(view)
    text = " ".join(item.text for item in evidence)
    missing = _NO_CLAIM.search(text)
    if missing or (view.claim and _known_missing(view)):
        yield view.finding(Cause.CLAIM_MISSING, evidence[:1], claim=missing[1] if missing else view.claim)
        return
    claim = view.has_claim(view.claim) if view.claim else None
    if not view.model.ready and claim is not None and claim.phase == "Pending":
        found = evidence[:1] or [evidence_from(f"PersistentVolumeClaim {claim.name}", "Pending")]
        yield view.finding(Cause.CLAIM_PENDING, found, claim=claim.name)
        return
    if not evidence:
        return
    lacking = sorted(set(_INSUFFICIENT.findall(text)))
    if lacking:
        yield view.finding(Cause.NODES_TOO_SMALL, evidence[:1], lacking=", ".join(lacking))
    elif _UNBOUND.search(text):
        yield view.finding(Cause.CLAIM_PENDING, evidence[:1], claim=view.claim or "-")
    else:
        yield view.finding(Cause.NODES_NOT_FITTING, evidence[:1])


def _known_missing(view: ModelView) -> bool:
    unknown = view.facts.missed(PersistentVolumeClaim, namespace=view.namespace)
    return not view.model.ready and not unknown and view.has_claim(view.claim) is None


def _unscheduled(view: ModelView) -> list[Evidence]:
    found = []
    for pod in view.pods:
        scheduled = condition(pod.conditions, "PodScheduled")
        if scheduled and scheduled.status == "False" and scheduled.reason == "Unschedulable":
            found.append(evidence_from(f"pod {pod.name}", scheduled.message))
    for revision in view.revisions:
        available = condition(revision.conditions, "ResourcesAvailable")
        if available and available.status == "False" and available.reason == "Unschedulable":
            found.append(evidence_from(f"revision {revision.name}", available.message))
    if found or view.pods or view.model.ready:
        return found
    # Knative removes the pod after the revision's progress deadline; the warning stays for an hour.
    gone = [event for event in view.warnings if event.reason == "FailedScheduling"]
    return [evidence_from(f"pod {event.about}, which is gone", event.message) for event in gone[:1]]
