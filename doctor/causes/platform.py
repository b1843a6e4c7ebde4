"""The cluster, and what every model needs: KServe, Knative, Istio, cert-manager and their webhooks."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.checks import CheckResult, Name, Section
from doctor.facts import PLATFORM, Facts
from doctor.findings import Cause, Evidence, Finding
from doctor.ingress import ingresses
from doctor.model import evidence_from
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
    findings: tuple[Finding, ...] = ()
    if not facts.version:
        cause = Cause.CLUSTER_REFUSES if facts.refused else Cause.CLUSTER_UNREACHABLE
        evidence = (Evidence(source="GET /version", text=facts.unreachable),)
        findings = (Finding(cause=cause, kind="Cluster", name="cluster", evidence=evidence),)
    return CheckResult(section=Section.CLUSTER, name=Name.API, facts={"version": facts.version}, findings=findings)


def nodes(facts: Facts) -> CheckResult:
    """Check that the nodes are ready."""
    found = []
    for node in facts.of(Node):
        ready = condition(node.conditions, "Ready")
        if ready is None or ready.status != "True":
            evidence = (evidence_from(f"node {node.name}", str(ready)),)
            found.append(
                Finding(
                    cause=Cause.NODE_NOT_READY,
                    kind="Node",
                    name=node.name,
                    facts={"node": node.name},
                    evidence=evidence,
                )
            )
    return CheckResult(
        section=Section.CLUSTER,
        name=Name.NODES,
        facts={"count": str(len(facts.of(Node)))},
        findings=tuple(found),
        unread=facts.missed(Node),
    )


def is_installed(facts: Facts) -> bool:
    """Tell whether the cluster knows InferenceServices."""
    return InferenceService not in facts.absent


def installed(facts: Facts) -> CheckResult:
    """Check that KServe's CRDs exist, and Knative's if a model needs them."""
    findings: list[Finding] = []
    if not is_installed(facts):
        findings.append(Finding(cause=Cause.KSERVE_NOT_INSTALLED, kind="CustomResourceDefinition", name="kserve"))
    needing = [model.name for model in facts.of(InferenceService) if model.mode and not model.standard]
    if Revision in facts.absent and needing:
        findings.append(
            Finding(
                cause=Cause.KNATIVE_NOT_INSTALLED,
                kind="CustomResourceDefinition",
                name="knative",
                facts={"models": ", ".join(needing)},
            )
        )
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
            findings.append(_no_controller())
        if group or findings or missed:
            told = {"parts": ", ".join(item.name for item in group)}
            yield CheckResult(section=section, name=name, facts=told, findings=tuple(findings), unread=missed)


def _cause_of(namespace: str) -> Cause:
    """Give the cause for a Deployment in this namespace that does not run."""
    return _KINDS.get(namespace, Cause.PLATFORM_PART_DOWN)


def _down(item: Deployment, cause: Cause, facts: Facts) -> Finding:
    evidence = [
        evidence_from(f"Deployment {item.namespace}/{item.name}", f"{item.ready} of {item.wanted} pods are ready")
    ]
    evidence += [evidence_from(f"Deployment {item.name}", item.failure)] if item.failure else []
    for pod in facts.of(Pod, item.namespace):
        if item.selector and item.selector.items() <= pod.metadata.labels.items():
            evidence += _pod_says(pod)
    return Finding(
        cause=cause,
        kind="Deployment",
        namespace=item.namespace,
        name=item.name,
        facts={"part": item.name, "namespace": item.namespace, "wanted": str(item.wanted)},
        evidence=tuple(evidence[:3]),
    )


def _no_controller() -> Finding:
    return Finding(
        cause=Cause.KSERVE_CONTROLLER_DOWN,
        kind="Deployment",
        namespace=KSERVE,
        name=CONTROLLER,
        facts={"part": CONTROLLER, "namespace": KSERVE, "wanted": "1"},
        evidence=(evidence_from(f"namespace {KSERVE}", "has no Deployment"),),
    )


def _pod_says(pod: Pod) -> list[Evidence]:
    """Give the reason why a pod of the platform does not run."""
    for status in (*pod.init, *pod.containers):
        if status.waiting and status.waiting.reason:
            return [
                evidence_from(f"pod {pod.name}", f"{status.name}: {status.waiting.reason}: {status.waiting.message}")
            ]
    scheduled = condition(pod.conditions, "PodScheduled")
    if scheduled and scheduled.status == "False":
        return [evidence_from(f"pod {pod.name}", scheduled.message)]
    return []


def webhooks(facts: Facts) -> CheckResult:
    """Check that a pod is behind every webhook that the API server must ask before it creates or changes objects."""
    asked: dict[tuple[str, str], list[Webhook]] = {}
    findings: list[Finding] = []
    for item in (*facts.of(MutatingWebhookConfiguration), *facts.of(ValidatingWebhookConfiguration)):
        for hook in item.webhooks:
            if hook.service and hook.policy == "Fail":
                asked.setdefault((hook.namespace, hook.service), []).append(hook)
    missed = facts.missed(MutatingWebhookConfiguration, ValidatingWebhookConfiguration, EndpointSlice)
    for (namespace, service), hooks in asked.items():
        backends = [
            backend
            for item in facts.of(EndpointSlice, namespace)
            if item.service == service
            for backend in item.endpoints
        ]
        told = {
            "webhook": hooks[0].name,
            "service": f"{namespace}/{service}",
            "namespace": namespace,
            "by": hooks[0].name,
        }
        about = {"kind": "Service", "namespace": namespace, "name": service}
        if not any(backend.ready for backend in backends) and not facts.missed(EndpointSlice, namespace=namespace):
            there = facts.get(Service, service, namespace) is not None or bool(facts.missed(Service))
            text = f"{len(backends)} addresses, none ready" if there else "there is no such Service"
            evidence = (evidence_from(f"Service {namespace}/{service}", text),)
            findings.append(Finding(cause=Cause.WEBHOOK_DOWN, facts=told, evidence=evidence, **about))
        elif any(not hook.authority for hook in hooks):
            evidence = (evidence_from(f"webhook {hooks[0].name}", "has no caBundle"),)
            findings.append(Finding(cause=Cause.WEBHOOK_UNTRUSTED, facts=told, evidence=evidence, **about))
    return CheckResult(
        section=Section.PLATFORM,
        name=Name.WEBHOOKS,
        facts={"count": str(sum(map(len, asked.values())))},
        findings=tuple(findings),
        unread=missed,
    )


def runtimes(facts: Facts) -> CheckResult:
    """Count the serving runtimes; that a model finds none is a finding of the model."""
    enabled = [
        runtime
        for kind in (ClusterServingRuntime, ServingRuntime)
        for runtime in facts.of(kind)
        if not runtime.disabled
    ]
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
