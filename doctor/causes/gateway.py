"""The gateway: its pods and address, its routes by host, and DNS."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from doctor.checks import CheckResult, Name, Section
from doctor.facts import Asked, Facts
from doctor.findings import Cause, Evidence, Finding
from doctor.ingress import FROM_OUTSIDE, Ingress, ingresses
from doctor.model import deployment_evidence, evidence_from
from endpoints import failures as f
from kube.views.base import is_true
from kube.views.gateways import Gateway, HTTPRoute, IstioGateway, VirtualService
from kube.views.kserve import InferenceService
from kube.views.kubernetes import Deployment, EndpointSlice, Node, Service

_UNREACHABLE = (f.ConnectionRefused, f.ConnectTimeout, f.UnknownName, f.Disconnected)
_NO_UPSTREAM = ("no healthy upstream", "connection failure", "connection timeout")


def way_in(facts: Facts) -> Iterator[CheckResult]:
    """Check that a gateway runs and has an address."""
    found = ingresses(facts)
    missed = facts.missed(Service, IstioGateway, Gateway, EndpointSlice)
    if not found and (facts.of(InferenceService) or missed):
        none = Finding(cause=Cause.GATEWAY_MISSING, kind="Service", name="gateway")
        yield CheckResult(section=Section.GATEWAY, name=Name.WAY_IN, findings=() if missed else (none,), unread=missed)
    for ingress in found:
        yield CheckResult(
            section=Section.GATEWAY,
            name=Name.WAY_IN,
            facts={"gateway": ingress.name, "address": ingress.address or "-", "count": str(ingress.backends)},
            findings=tuple(_way_in(ingress, facts)),
            unread=facts.missed(EndpointSlice, Deployment, namespace=ingress.service.namespace),
        )
    if gateways := facts.of(Gateway):
        names = ", ".join(gateway.name for gateway in gateways)
        findings = tuple(_not_programmed(item) for item in gateways if not is_true(item.conditions, "Programmed"))
        yield CheckResult(section=Section.GATEWAY, name=Name.GATEWAYS, facts={"names": names}, findings=findings)


def _way_in(ingress: Ingress, facts: Facts) -> Iterator[Finding]:
    service = ingress.service
    about = {"kind": "Service", "namespace": service.namespace, "name": service.name}
    names = {"gateway": ingress.name, "namespace": service.namespace, "service": service.name}
    names["part"] = ingress.deployments[0].name if ingress.deployments else service.name
    if not ingress.backends and not facts.missed(EndpointSlice, namespace=service.namespace):
        evidence = tuple(map(deployment_evidence, ingress.deployments))
        evidence = evidence or (evidence_from(f"Service {ingress.name}", "no pod has its labels"),)
        yield Finding(cause=Cause.GATEWAY_DOWN, facts=names, evidence=evidence, **about)
    if not ingress.address and service.type in FROM_OUTSIDE and not facts.missed(Node):
        evidence = (evidence_from(f"Service {ingress.name}", f"type {service.type}, no address given to it"),)
        yield Finding(cause=Cause.GATEWAY_NO_ADDRESS, facts=names, evidence=evidence, **about)


def _not_programmed(gateway: Gateway) -> Finding:
    not_met = [str(item) for item in gateway.conditions if item.status != "True"]
    texts = not_met[:2] or ["no controller has looked at it"]
    return Finding(
        cause=Cause.GATEWAY_NOT_PROGRAMMED,
        kind="Gateway",
        namespace=gateway.namespace,
        name=gateway.name,
        facts={"gateway": gateway.name, "namespace": gateway.namespace},
        evidence=tuple(evidence_from(f"Gateway {gateway.name}", text) for text in texts),
    )


def answers(facts: Facts) -> Iterator[CheckResult]:
    """Check that something behind the gateway answers for the models' hosts."""
    findings: list[Finding] = []
    unreachable: dict[str, Asked] = {}
    for (namespace, name), asked in sorted(facts.answers.items()):
        failure = asked.failure
        if isinstance(failure, _UNREACHABLE):
            unreachable.setdefault(asked.address, asked)
        elif isinstance(failure, f.NoRoute):
            findings.append(_about(Cause.NO_ROUTE, namespace, name, asked, _routes(facts, namespace, asked.host)))
        elif isinstance(failure, f.HttpError) and failure.status in {502, 503, 504} and _no_upstream(failure):
            evidence = [evidence_from(f"gateway {asked.address}", f"HTTP {failure.status}: {failure.detail}")]
            findings.append(_about(Cause.NO_UPSTREAM, namespace, name, asked, evidence))
    findings = [_unreachable(asked) for asked in unreachable.values()] + findings
    if facts.answers:
        count = str(len(facts.answers))
        yield CheckResult(section=Section.GATEWAY, name=Name.ANSWERS, facts={"count": count}, findings=tuple(findings))


def _no_upstream(failure: f.HttpError) -> bool:
    return not failure.by_model_server and any(text in failure.detail for text in _NO_UPSTREAM)


def _unreachable(asked: Asked) -> Finding:
    kind = type(asked.failure).__name__
    problem = asked.failure.problem if isinstance(asked.failure, f.Disconnected) else ""
    return Finding(
        cause=Cause.GATEWAY_UNREACHABLE,
        kind="Gateway",
        name=asked.address,
        facts={"address": asked.address, "host": asked.host},
        evidence=(evidence_from(f"gateway {asked.address}", ": ".join(filter(None, (kind, problem)))),),
    )


def _about(cause: Cause, namespace: str, name: str, asked: Asked, evidence: list[Evidence]) -> Finding:
    return Finding(
        cause=cause,
        kind="InferenceService",
        namespace=namespace,
        name=name,
        facts={"model": name, "namespace": namespace, "host": asked.host, "address": asked.address},
        evidence=tuple(evidence),
    )


def _routes(facts: Facts, namespace: str, host: str) -> list[Evidence]:
    """What the gateway and the namespace's routes say about the host."""
    found = [evidence_from(f"gateway, Host {host}", "its own 404, without a body")]
    named = [f"VirtualService {item.name}" for item in facts.of(VirtualService, namespace) if host in item.hosts]
    named += [f"HTTPRoute {item.name}" for item in facts.of(HTTPRoute, namespace) if host in item.hostnames]
    if not facts.missed(VirtualService, HTTPRoute, namespace=namespace):
        found.append(evidence_from(f"namespace {namespace}", f"routes of this host: {', '.join(named) or 'none'}"))
    for route in facts.of(HTTPRoute, namespace):
        if host in route.hostnames:
            refused = [item for parent in route.parents for item in parent.conditions if item.status != "True"]
            found += [evidence_from(f"HTTPRoute {route.name}", str(item)) for item in refused]
    return found


def names(facts: Facts) -> Iterator[CheckResult]:
    """Check whether DNS leads to the gateway; it need not, since a client may send the Host header."""
    addresses = {asked.address for asked in facts.answers.values() if not asked.forwarded}
    addresses |= {ingress.address for ingress in ingresses(facts)} - {""}
    ours = {urlsplit(address).hostname for address in addresses}
    unresolved = [host for host, found in sorted(facts.resolved.items()) if not found]
    known = ", ".join(sorted(addresses)) or "-"
    for host, found in sorted(facts.resolved.items()):
        values = {"host": host, "domain": host.partition(".")[2], "found": ", ".join(found), "address": known}
        cause = None
        if not found:
            cause = Cause.HOST_UNRESOLVED
        elif addresses and not ours & set(found):
            cause = Cause.HOST_ELSEWHERE
        # One example is enough: as a rule all hosts are in one domain.
        if cause is not Cause.HOST_UNRESOLVED or host == unresolved[0]:
            findings = (Finding(cause=cause, kind="Host", name=host, facts=values),) if cause else ()
            yield CheckResult(section=Section.GATEWAY, name=Name.DNS, facts=values, findings=findings)
