"""Every model: what is wrong with it, the cause before what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from doctor.causes import declaration, images, life, placing, refused, server, storage
from doctor.checks import CheckResult, Name, Section
from doctor.facts import Facts
from doctor.findings import Cause, Finding
from doctor.model import ModelView, evidence_from
from endpoints.endpoint import Endpoint
from kube.views.knative import Revision
from kube.views.kserve import InferenceService
from kube.views.kubernetes import Deployment, Event, Pod

Family = Callable[[ModelView], Iterator[Finding]]

# In the order in which a model starts: what fails first is the cause.
# These keep a new version from starting, also while the model is ready because the old version answers.
OF_NEW_VERSION: tuple[Family, ...] = (
    refused.pods_refused,
    placing.not_scheduled,
    images.not_pulled,
    storage.not_fetched,
    server.out_of_memory,
    server.crashed,
    server.probe_failing,
)
FAMILIES: tuple[Family, ...] = (
    life.in_terminating_namespace,
    *OF_NEW_VERSION,
    life.not_routed,
    life.deadline_exceeded,
)


def all_of(facts: Facts) -> tuple[InferenceService, ...]:
    """The models, by namespace and name."""
    return tuple(sorted(facts.of(InferenceService), key=lambda model: (model.namespace, model.name)))


def declared(facts: Facts) -> Iterator[CheckResult]:
    """Check that every model exists that the stack or the command line names."""
    there = {(model.namespace, model.name): model for model in facts.of(InferenceService)}
    findings = [finding for endpoint in facts.endpoints for finding in _of_stack(facts, endpoint, there)]
    known = {model.name for model in facts.of(InferenceService)} | {endpoint.service for endpoint in facts.endpoints}
    where = facts.namespace or ""
    if where and not facts.there(where):
        findings = [_missing(Cause.NAMESPACE_MISSING, where, "-")]
    elif not facts.missed(InferenceService):
        findings += [_missing(Cause.MODEL_MISSING, where, name) for name in facts.names if name not in known]
    missed = facts.missed(InferenceService)
    if findings or facts.endpoints or missed or not there:
        count = str(len(there))
        yield CheckResult(
            section=Section.MODELS, name=Name.DECLARED, facts={"count": count}, findings=tuple(findings), unread=missed
        )


def _of_stack(facts: Facts, endpoint: Endpoint, there: Mapping[tuple[str, str], InferenceService]) -> Iterator[Finding]:
    model = there.get((endpoint.namespace, endpoint.service))
    if model is None and not facts.missed(InferenceService, namespace=endpoint.namespace):
        cause = Cause.MODEL_MISSING if facts.there(endpoint.namespace) else Cause.NAMESPACE_MISSING
        yield _missing(cause, endpoint.namespace, endpoint.service)
    elif model is not None and model.host and model.host != endpoint.host and not endpoint.cluster_local:
        view = ModelView(facts=facts, model=model)
        evidence = [evidence_from("InferenceService", f"url {model.url}")]
        yield view.finding(Cause.HOST_DIFFERS, evidence, host=endpoint.host, found=model.host)


def _missing(cause: Cause, namespace: str, name: str) -> Finding:
    facts = {"model": name, "namespace": namespace or "*"}
    return Finding(cause=cause, kind="InferenceService", namespace=namespace, name=name, facts=facts)


def check(facts: Facts, model: InferenceService, *, broken: tuple[Finding, ...]) -> CheckResult:
    """Check that the model is ready; `broken` parts of the platform explain one that is not and has no fault itself."""
    view = ModelView(facts=facts, model=model)
    findings = tuple(_findings(view, broken=broken))
    wrong = any(not finding.cause.note for finding in findings)
    missed = facts.missed(Pod, Revision, Deployment, Event, namespace=model.namespace)
    return CheckResult(
        section=Section.MODELS,
        name=Name.MODEL,
        facts={
            "model": f"{model.namespace}/{model.name}",
            "version": model.ready_revision or "-",
            "replicas": "?"
            if facts.missed(Pod, namespace=model.namespace)
            else str(sum(pod.ready for pod in view.pods)),
            "url": model.url or "-",
        },
        findings=findings,
        unread=missed if wrong else (),
    )


def _findings(view: ModelView, *, broken: tuple[Finding, ...]) -> Iterator[Finding]:
    model = view.model
    if deletion := list(life.being_deleted(view)):
        yield from deletion
        return
    if model.stopped or model.ready:
        yield from life.without_pods(view)
        families = OF_NEW_VERSION if model.created_revision != model.ready_revision else ()
        found = [finding for family in families for finding in family(view)]
    else:
        # KServe creates nothing of a wrong declaration: its refusal would only repeat that.
        found = list(declaration.wrong_declaration(view))
        found = found or [finding for family in FAMILIES for finding in family(view)]
    yield from found
    yield from life.new_version_not_ready(view, cause_known=bool(found))
    if found or model.stopped or model.ready:
        return
    if broken:
        names = ", ".join(dict.fromkeys(finding.subject for finding in broken))
        yield view.finding(Cause.WAITS_FOR_PLATFORM, view.unready_conditions, broken=names)
    else:
        yield life.without_known_fault(view)
