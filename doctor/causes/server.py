"""A model server that ends, or that runs but is not ready."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from doctor.findings import Cause, Finding
from doctor.model import OOM_KILLED, SERVER, ModelView, container_source, evidence_from
from kube.views.base import condition
from kube.views.fetching import INITIALIZER, MODELCAR_INIT
from kube.views.kubernetes import Pod

_QUEUE = "queue-proxy"
# HTTP status of a readiness probe, which Knative's sidecar sends, or the kubelet without Knative.
_STATUS = re.compile(r"(?:got status code|probe failed with statuscode): (\d{3})")
_EXIT = re.compile(r"ExitCode(\d+)")
KILLED = "137"  # by SIGKILL
# For how long a server may answer its probe with an error, because it is loading. A 4xx does not go away by waiting.
CLIENT_ERROR_SECONDS = 20.0
SERVER_ERROR_SECONDS = 120.0


def out_of_memory(view: ModelView) -> Iterator[Finding]:
    """Find a container that was killed at its memory limit."""
    for pod, status in view.statuses:
        if not pod.ready and status.failed and status.failed.reason == OOM_KILLED:
            declared = pod.container(status.name)
            limit = (declared.memory if declared else "") or "-"
            text = f"{OOM_KILLED}, exit {status.failed.exit_code}, {status.restarts} restarts"
            evidence = [evidence_from(container_source(pod, status.name), text)]
            yield view.finding(Cause.MEMORY_EXCEEDED, evidence, container=status.name, limit=limit)
            return
    for source, code, _ in _ends(view):
        if code == KILLED:
            evidence = [evidence_from(source, f"exit {code}: killed, as at the memory limit")]
            yield view.finding(Cause.MEMORY_EXCEEDED, evidence, container=SERVER, limit="-")


def crashed(view: ModelView) -> Iterator[Finding]:
    """Find a server that ended with an error, as it does when it cannot read its model."""
    for pod, status in view.statuses:
        end = status.failed
        if pod.ready or status.ready or end is None or end.reason == OOM_KILLED:
            continue
        if status.name in {INITIALIZER, MODELCAR_INIT}:
            continue
        text = view.failure_text(pod, status) or end.reason
        evidence = [evidence_from(container_source(pod, status.name), f"exit {end.exit_code}: {text}")]
        yield view.finding(Cause.SERVER_CRASHED, evidence, container=status.name, exit=str(end.exit_code))
        return
    for source, code, text in _ends(view):
        if code != KILLED:
            yield view.finding(Cause.SERVER_CRASHED, [evidence_from(source, text)], container=SERVER, exit=code)


def _ends(view: ModelView) -> Iterator[tuple[str, str, str]]:
    """How servers ended whose pods are gone, from Knative's revisions: source, exit code, message."""
    if view.pods:
        return
    for revision in view.revisions:
        healthy = condition(revision.conditions, "ContainerHealthy")
        ended = _EXIT.match(healthy.reason) if healthy and healthy.status == "False" else None
        if healthy and ended:
            yield f"revision {revision.name}", ended[1], healthy.message


def probe_failing(view: ModelView) -> Iterator[Finding]:
    """Find a server that runs, but answers its readiness probe with an error."""
    for pod in view.pods:
        since = _running_since(pod)
        if pod.ready or since is None or any(status.failed for status in pod.containers):
            continue
        status = _probe_status(view, pod)
        allowed = CLIENT_ERROR_SECONDS if status.startswith("4") else SERVER_ERROR_SECONDS
        if status and (view.facts.now - since).total_seconds() >= allowed:
            declared = pod.container(SERVER)
            path = view.model.probe_path or (declared.probe_path if declared else "") or "-"
            errors = [line for line in view.log(pod, SERVER).splitlines() if "Error" in line or "error" in line]
            evidence = [
                evidence_from(f"pod {pod.name}", f"readiness probe GET {path}: HTTP {status}"),
                *(evidence_from(container_source(pod, SERVER), line) for line in errors[-1:]),
            ]
            yield view.finding(Cause.PROBE_FAILING, evidence, path=path, status=status, container=SERVER)
            return


def _running_since(pod: Pod) -> datetime | None:
    """When the server was started; None while it does not run."""
    return next((status.running_since for status in pod.containers if status.name != _QUEUE), None)


def _probe_status(view: ModelView, pod: Pod) -> str:
    """HTTP status of the latest answer to the probe; empty if there was none."""
    statuses = _STATUS.findall(view.log(pod, _QUEUE))
    if statuses:
        return str(statuses[-1])
    if any(status.name == _QUEUE for status in pod.containers):
        return ""
    events = [event.message for event in view.warnings if event.about == pod.name and event.reason == "Unhealthy"]
    match = _STATUS.search(events[0]) if events else None
    return match[1] if match else ""
