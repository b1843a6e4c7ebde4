"""One model, and everything that was read about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from doctor.facts import Facts
from doctor.findings import Cause, Evidence, Finding
from endpoints.failures import one_line
from kube.views.knative import Revision
from kube.views.kserve import InferenceService
from kube.views.kubernetes import ContainerStatus, Deployment, Event, PersistentVolumeClaim, Pod, ServiceAccount

SERVER = "kserve-container"
OOM_KILLED = "OOMKilled"
EVIDENCE_WIDTH = 400


@dataclass(frozen=True, kw_only=True)
class ModelView:
    """A model with the pods, revisions, Deployments and warnings of its current versions."""

    facts: Facts
    model: InferenceService

    @property
    def namespace(self) -> str:
        """The model's namespace."""
        return self.model.namespace

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """The revisions that get requests or are to get them; none without Knative."""
        own = [item for item in self.facts.of(Revision, self.namespace) if item.model == self.model.name]
        wanted = {self.model.created_revision, *(target.revision for target in self.model.traffic)} - {""}
        newest = sorted(own, key=lambda item: item.name)[-1:]
        return tuple(item for item in own if item.name in wanted) or tuple(newest)

    @property
    def pods(self) -> tuple[Pod, ...]:
        """The pods of these revisions; without Knative, all pods of the model."""
        current = {revision.name for revision in self.revisions}
        return tuple(
            pod
            for pod in self.facts.of(Pod, self.namespace)
            if pod.model == self.model.name
            and pod.metadata.deleted is None
            and (not pod.revision or not current or pod.revision in current or pod.component != "predictor")
        )

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """The Deployments that create these pods."""
        current = {revision.name for revision in self.revisions}
        return tuple(
            item
            for item in self.facts.of(Deployment, self.namespace)
            if item.model == self.model.name and (not current or item.revision in {"", *current})
        )

    @property
    def warnings(self) -> tuple[Event, ...]:
        """Warnings about the model, its ReplicaSets and its pods, even deleted ones; the latest first."""
        revisions = tuple(f"{revision.name}-" for revision in self.revisions)
        parts = tuple(f"{self.model.name}-{part}-" for part in ("predictor", "transformer", "explainer"))
        found = [
            event
            for event in self.facts.of(Event, self.namespace)
            if (event.kind == "InferenceService" and event.about == self.model.name)
            or (event.kind in {"Pod", "ReplicaSet"} and event.about.startswith(revisions or parts))
        ]
        return tuple(sorted(found, key=lambda event: event.last.timestamp() if event.last else 0.0, reverse=True))

    @property
    def statuses(self) -> Iterator[tuple[Pod, ContainerStatus]]:
        """Every container of every pod, in the order in which the containers start."""
        for pod in self.pods:
            for status in (*pod.init, *pod.containers):
                yield pod, status

    @property
    def account(self) -> ServiceAccount | None:
        """The service account of its pods, if it was read."""
        return self.facts.get(ServiceAccount, self.model.service_account, self.namespace)

    @property
    def claim(self) -> str:
        """Name of the PersistentVolumeClaim with its files; empty for other kinds of storage."""
        scheme, _, rest = self.model.location.partition("://")
        return rest.partition("/")[0] if scheme == "pvc" else ""

    @property
    def found_claim(self) -> PersistentVolumeClaim | None:
        """The PersistentVolumeClaim of this name, if it exists and was read."""
        return self.facts.get(PersistentVolumeClaim, self.claim, self.namespace)

    def log(self, pod: Pod, container: str) -> str:
        """Last lines of a container's log; empty if none were read."""
        return self.facts.logs.get((pod.namespace, pod.name, container), "")

    def failure_text(self, pod: Pod, status: ContainerStatus) -> str:
        """Last line of a failed container's termination message or, without one, of its log."""
        message = status.failed.message if status.failed else ""
        return last_line(message) or last_line(self.log(pod, status.name))

    def finding(self, cause: Cause, evidence: Iterable[Evidence] = (), **facts: str) -> Finding:
        """Create a finding about this model; `facts` add to what is known of every model."""
        model = self.model
        known = {
            "model": model.name,
            "namespace": model.namespace,
            "uri": model.location or "-",
            "account": model.service_account,
            "format": " ".join(filter(None, (model.format, model.version))) or "-",
        }
        return Finding(
            cause=cause,
            kind="InferenceService",
            name=model.name,
            namespace=model.namespace,
            facts=known | facts,
            evidence=tuple(evidence),
        )

    @property
    def unready_conditions(self) -> list[Evidence]:
        """The conditions that say why the model is not ready, two at most."""
        not_met = [item for item in self.model.conditions if item.status != "True" and item.type != "Stopped"]
        explaining = [item for item in not_met if item.message] or [item for item in not_met if item.type == "Ready"]
        texts = dict.fromkeys(str(item) for item in explaining)
        return [Evidence(source="InferenceService", text=text) for text in texts][:2]


def evidence_from(source: str, text: str) -> Evidence:
    """Evidence from this source, with the text on one line."""
    return Evidence(source=source, text=one_line(text, limit=EVIDENCE_WIDTH))


def deployment_evidence(item: Deployment) -> Evidence:
    """How many pods of a Deployment are ready."""
    return evidence_from(f"Deployment {item.namespace}/{item.name}", f"{item.ready} of {item.wanted} pods are ready")


def last_line(text: str) -> str:
    """Last line that is not empty: a server's error is at the end of its log."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def container_source(pod: Pod, container: str) -> str:
    """A pod's container as the source of evidence."""
    return f"pod {pod.name}, {container}"
