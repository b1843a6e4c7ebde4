"""Check that parts of the platform which are there already can serve this stack's models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import httpx2 as httpx
import pulumi
from pydantic import ValidationError

from components.preflight.platform_config import (
    KSERVE_CONFIG,
    ClassedGateway,
    KServeIngress,
    read_class,
    read_config,
    read_named,
)
from components.preflight.platform_facts import FoundPart, ask
from components.preflight.webhook_trial import TRIALS, try_webhook
from components.settings.platform_parts import Part
from components.settings.stack import Settings
from kube.views.base import View
from kube.views.gateways import IstioGateway
from kube.views.kserve import ClusterServingRuntime

DOMAIN_TEMPLATE = "{{.Name}}.{{.Namespace}}.{{.IngressDomain}}"
KNATIVE_TEMPLATE = "{{.Name}}.{{.Namespace}}.{{.Domain}}"
KNATIVE_DOMAIN = "svc.cluster.local"
# Names of KServe's mode Knative; the second one is of earlier versions.
KNATIVE_MODES = ("Knative", "Serverless")


class _Runtimes(View):
    items: tuple[ClusterServingRuntime, ...] = ()


def check_parts(
    client: httpx.Client,
    settings: Settings,
    *,
    used: frozenset[Part],
    found: Mapping[Part, FoundPart],
    namespace: str,
) -> list[str]:
    """Problems of the existing parts that the stack is to use; empty if they fit.

    Raises:
        UntoldError: the cluster does not tell.
    """
    relied_on = used - (set() if settings.needs_knative else {"knative"})
    if "kserve" in used:
        relied_on -= {"cert_manager"}  # which KServe needs, and no model
    tried = {
        part: try_webhook(client, part, namespace=namespace, installed_in=found[part].namespace)
        for part in sorted(relied_on & TRIALS.keys())
    }
    for verdict in tried.values():
        if verdict.warning:
            pulumi.log.warn(verdict.warning)
    problems = [verdict.problem for verdict in tried.values() if verdict.problem]
    if "knative" in relied_on:
        problems += _knative(client, settings, namespace=found["knative"].namespace)
    if "kserve" in used:
        problems += _kserve(client, settings, namespace=found["kserve"].namespace)
        problems += _runtimes(client, settings)
    return sorted(problems)


def kserve_ingress(client: httpx.Client, *, namespace: str) -> KServeIngress:
    """How the KServe of this namespace makes routes, once `check_parts` has found that its configuration can be read.

    Raises:
        UntoldError: the cluster does not tell.
    """
    entries = read_config(client, KSERVE_CONFIG, namespace=namespace, what="KServe")
    return KServeIngress.model_validate_json(entries["ingress"])


def _knative(client: httpx.Client, settings: Settings, *, namespace: str) -> Iterator[str]:
    domain = settings.ingress.domain
    entries = read_config(client, "config-domain", namespace=namespace, what="Knative")
    # A domain with labels is for some Services only.
    general = [name for name, text in entries.items() if name != "_example" and not text.strip()] or [KNATIVE_DOMAIN]
    if domain not in general:
        yield f"ingress.domain: is {domain}, but hosts of the Knative that is there end with {' or '.join(general)}"
    template = read_config(client, "config-network", namespace=namespace, what="Knative").get("domain-template", "")
    if template and _squeezed(template) != KNATIVE_TEMPLATE:
        yield f"Knative: its hosts are {template}; this program's models have {KNATIVE_TEMPLATE} (config-network)"


def _kserve(client: httpx.Client, settings: Settings, *, namespace: str) -> Iterator[str]:
    entries = read_config(client, KSERVE_CONFIG, namespace=namespace, what="KServe")
    try:
        ingress = KServeIngress.model_validate_json(entries["ingress"])
        mode = str(json.loads(entries.get("deploy", "{}")).get("defaultDeploymentMode", "Knative"))
    except (ValidationError, ValueError, AttributeError, KeyError):
        name = f"{namespace}/{KSERVE_CONFIG}"
        yield f"KServe: its ConfigMap {name} cannot be read; correct its entries ingress and deploy"
        return
    modes = {served.mode for served in settings.served}
    if "Knative" in modes:
        yield from _for_knative(client, ingress, mode=mode)
    if "Standard" in modes:
        yield from _for_standard(client, ingress, domain=settings.ingress.domain)


def _for_knative(client: httpx.Client, ingress: KServeIngress, *, mode: str) -> Iterator[str]:
    if mode not in KNATIVE_MODES:
        yield f"mode: KServe there runs models in mode {mode} (defaultDeploymentMode); set mode: Standard"
    if ingress.without_virtual_services:
        yield "KServe: it makes no routes for models in mode Knative (disableIstioVirtualHost)"
    elif not read_named(client, IstioGateway, ingress.gateway):
        yield f"KServe: the ingressGateway of its configuration, {ingress.gateway!r}, is not there"


def _for_standard(client: httpx.Client, ingress: KServeIngress, *, domain: str) -> Iterator[str]:
    if ingress.without_routes or not ingress.gateway_api:
        yield "KServe: models in mode Standard need routes by Gateway API (enableGatewayApi in its configuration)"
        return
    gateway = read_named(client, ClassedGateway, ingress.model_gateway)
    if gateway is None:
        yield f"KServe: the kserveIngressGateway of its configuration, {ingress.model_gateway!r}, is not there"
    elif not read_class(client, gateway.class_name):
        yield f"KServe: the class {gateway.class_name!r} of its gateway {ingress.model_gateway} is not there"
    if ingress.domain != domain:
        yield f"ingress.domain: is {domain}, but hosts of the KServe that is there end with {ingress.domain}"
    if _squeezed(ingress.template) != DOMAIN_TEMPLATE:
        yield (
            f"KServe: hosts of models in mode Standard are {ingress.template} there (domainTemplate); this program's "
            f"are {DOMAIN_TEMPLATE}. Use mode Knative, or have it changed there"
        )
    if ingress.scheme != "http":
        yield f"KServe: its URLs begin with {ingress.scheme} (urlScheme); models in mode Standard need http"


def _runtimes(client: httpx.Client, settings: Settings) -> Iterator[str]:
    """Models for which KServe has no serving runtime."""
    listed = ask(client, ClusterServingRuntime.path(), _Runtimes.model_validate, what="KServe's serving runtimes")
    there = {runtime.name for runtime in (listed.items if listed else ()) if not runtime.disabled}
    for model in settings.models:
        names = [runtime.name for runtime in model.matching_runtimes(settings.release.kserve.runtimes)]
        if names and not there.intersection(names):
            place = settings.place_of(model)
            yield f"{place}.format: KServe there has no serving runtime for it; it would be {' or '.join(names)}"


def _squeezed(template: str) -> str:
    """A Go template without the optional spaces inside its braces."""
    return template.replace("{{ ", "{{").replace(" }}", "}}")
