"""The cluster, and what every model needs: KServe, Knative, Istio, cert-manager and their webhooks."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.checks import CheckResult, Name, Section
from doctor.facts import PLATFORM, Facts
from doctor.findings import Cause, Evidence, Finding
from doctor.ingress import ingresses
from doctor.model import deployment_evidence, evidence_from
from kube.views.base import condition, is_true
from kube.views.knative import Revision
from kube.views.kserve import ClusterServingRuntime, InferenceService, ServingRuntime
from kube.views.kubernetes import (
    Deployment,
    EndpointSlice,
    MutatingWebhookConfiguration,
    Node,
    Pod,
    Service,
    ValidatingWebhookConfiguration,
    Webhook,
)

KSERVE, KNATIVE = "kserve", "knative-serving"
CONTROLLER = "kserve-controller-manager"
_KINDS = {
    KSERVE: Cause.KSERVE_CONTROLLER_DOWN,
    KNATIVE: Cause.KNATIVE_PART_DOWN,
    "knative-operator": Cause.KNATIVE_PART_DOWN,
}
_SECTIONS = {
    Cause.KSERVE_CONTROLLER_DOWN: (Section.KSERVE, Name.CONTROLLER),
    Cause.KNATIVE_PART_DOWN: (Section.KNATIVE, Name.PARTS),
    Cause.PLATFORM_PART_DOWN: (Section.PLATFORM, Name.PARTS),
}


def api(facts: Facts) -> CheckResult:
    """Check that the cluster answers."""
    if facts.version:
        return CheckResult(section=Section.CLUSTER, name=Name.API, facts={"version": facts.version})
    cause = Cause.CLUSTER_REFUSES if facts.refused else Cause.CLUSTER_UNREACHABLE
    evidence = (Evidence(source="GET /version", text=facts.unreachable),)
    finding = Finding(cause=cause, kind="Cluster", name="cluster", evidence=evidence)
    return CheckResult(section=Section.CLUSTER, name=Name.API, findings=(finding,))


def nodes(facts: Facts) -> CheckResult:
    """Check that the nodes are ready."""
    findings = tuple(
        Finding(
            cause=Cause.NODE_NOT_READY,
            kind="Node",
            name=node.name,
            facts={"node": node.name},
            evidence=(evidence_from(f"node {node.name}", str(condition(node.conditions, "Ready"))),),
        )
        for node in facts.of(Node)
        if not is_true(node.conditions, "Ready")
    )
    count = {"count": str(len(facts.of(Node)))}
    unread = facts.missed(Node)
    return CheckResult(section=Section.CLUSTER, name=Name.NODES, facts=count, findings=findings, unread=unread)


def is_installed(facts: Facts) -> bool:
    """Whether the cluster knows InferenceServices."""
    return InferenceService not in facts.absent


def installed(facts: Facts) -> CheckResult:
    """Check that KServe's CRDs exist, and Knative's if a model needs them."""
    findings: list[Finding] = []
    if not is_installed(facts):
        findings.append(Finding(cause=Cause.KSERVE_NOT_INSTALLED, kind="CustomResourceDefinition", name="kserve"))
    needing = ", ".join(model.name for model in facts.of(InferenceService) if model.mode and not model.standard)
    if Revision in facts.absent and needing:
        kind, cause = "CustomResourceDefinition", Cause.KNATIVE_NOT_INSTALLED
        findings.append(Finding(cause=cause, kind=kind, name="knative", facts={"models": needing}))
    return CheckResult(
        section=Section.KSERVE, name=Name.INSTALLED, findings=tuple(findings), unread=facts.missed(InferenceService)
    )


def parts(facts: Facts) -> Iterator[CheckResult]:
    """Check that the platform's Deployments run, except the gateway's, which are checked with the gateway."""
    gateways = {(item.namespace, item.name) for ingress in ingresses(facts) for item in ingress.deployments}
    own = [item for item in facts.of(Deployment) if item.namespace in PLATFORM and not item.model]
    own = [item for item in own if (item.namespace, item.name) not in gateways]
    for cause, (section, name) in _SECTIONS.items():
        group = [item for item in own if _cause_of(item.namespace) is cause]
        findings = [_down(item, cause, facts) for item in group if item.ready == 0]
        missed = tuple(item for item in facts.missed(Deployment) if not item.where or _cause_of(item.where) is cause)
        if cause is Cause.KSERVE_CONTROLLER_DOWN and not missed and not group:
            evidence = [evidence_from(f"namespace {KSERVE}", "has no Deployment")]
            findings.append(_part_down(cause, KSERVE, CONTROLLER, evidence=evidence))
        if group or findings or missed:
            names = ", ".join(item.name for item in group)
            yield CheckResult(
                section=section, name=name, facts={"parts": names}, findings=tuple(findings), unread=missed
            )


def _cause_of(namespace: str) -> Cause:
    """The cause for a Deployment in this namespace that does not run."""
    return _KINDS.get(namespace, Cause.PLATFORM_PART_DOWN)


def _down(item: Deployment, cause: Cause, facts: Facts) -> Finding:
    evidence = [deployment_evidence(item)]
    evidence += [evidence_from(f"Deployment {item.name}", item.failure)] if item.failure else []
    for pod in facts.of(Pod, item.namespace):
        if item.selector and item.selector.items() <= pod.metadata.labels.items():
            evidence += _pod_evidence(pod)
    return _part_down(cause, item.namespace, item.name, wanted=item.wanted, evidence=evidence[:3])


def _part_down(cause: Cause, namespace: str, name: str, *, wanted: int = 1, evidence: list[Evidence]) -> Finding:
    return Finding(
        cause=cause,
        kind="Deployment",
        namespace=namespace,
        name=name,
        facts={"part": name, "namespace": namespace, "wanted": str(wanted)},
        evidence=tuple(evidence),
    )


def _pod_evidence(pod: Pod) -> list[Evidence]:
    """The reason why a pod of the platform does not run."""
    for status in (*pod.init, *pod.containers):
        if status.waiting and status.waiting.reason:
            text = f"{status.name}: {status.waiting.reason}: {status.waiting.message}"
            return [evidence_from(f"pod {pod.name}", text)]
    scheduled = condition(pod.conditions, "PodScheduled")
    if scheduled and scheduled.status == "False":
        return [evidence_from(f"pod {pod.name}", scheduled.message)]
    return []


def webhooks(facts: Facts) -> CheckResult:
    """Check that a pod is behind every webhook that the API server must ask before it creates or changes objects."""
    required: dict[tuple[str, str], list[Webhook]] = {}
    findings: list[Finding] = []
    for item in (*facts.of(MutatingWebhookConfiguration), *facts.of(ValidatingWebhookConfiguration)):
        for hook in item.webhooks:
            if hook.service and hook.policy == "Fail":
                required.setdefault((hook.namespace, hook.service), []).append(hook)
    missed = facts.missed(MutatingWebhookConfiguration, ValidatingWebhookConfiguration, EndpointSlice)
    for (namespace, service), hooks in required.items():
        backends = [
            backend
            for item in facts.of(EndpointSlice, namespace)
            if item.service == service
            for backend in item.endpoints
        ]
        names = {"webhook": hooks[0].name, "service": f"{namespace}/{service}", "namespace": namespace}
        names["by"] = hooks[0].name
        about = {"kind": "Service", "namespace": namespace, "name": service}
        if not any(backend.ready for backend in backends) and not facts.missed(EndpointSlice, namespace=namespace):
            there = facts.get(Service, service, namespace) is not None or bool(facts.missed(Service))
            text = f"{len(backends)} addresses, none ready" if there else "there is no such Service"
            evidence = (evidence_from(f"Service {namespace}/{service}", text),)
            findings.append(Finding(cause=Cause.WEBHOOK_DOWN, facts=names, evidence=evidence, **about))
        elif any(not hook.authority for hook in hooks):
            evidence = (evidence_from(f"webhook {hooks[0].name}", "has no caBundle"),)
            findings.append(Finding(cause=Cause.WEBHOOK_UNTRUSTED, facts=names, evidence=evidence, **about))
    return CheckResult(
        section=Section.PLATFORM,
        name=Name.WEBHOOKS,
        facts={"count": str(sum(map(len, required.values())))},
        findings=tuple(findings),
        unread=missed,
    )


def runtimes(facts: Facts) -> CheckResult:
    """Count the serving runtimes; that a model finds none is a finding of the model."""
    known = (*facts.of(ClusterServingRuntime), *facts.of(ServingRuntime))
    enabled = [runtime for runtime in known if not runtime.disabled]
    formats = sorted({form.name for runtime in enabled for form in runtime.formats})
    return CheckResult(
        section=Section.KSERVE,
        name=Name.RUNTIMES,
        facts={"count": str(len(enabled)), "formats": ", ".join(formats) or "-"},
        unread=facts.missed(ClusterServingRuntime),
    )


def stops_models(facts: Facts) -> tuple[Finding, ...]:
    """Find the faults of the platform that may keep a model from starting."""
    found = [finding for check in parts(facts) for finding in check.findings]
    found += webhooks(facts).findings
    if not any(is_true(node.conditions, "Ready") for node in facts.of(Node)):
        found += nodes(facts).findings
    return tuple(found)
