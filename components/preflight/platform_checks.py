"""Check that parts of the platform which are there already can serve this stack's models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import httpx2 as httpx
import pulumi
from pydantic import Field, ValidationError

from components.platform.existing import HTTP_PORT, ExistingGateway
from components.platform.gateway_service import ISTIO_GATEWAY
from components.preflight.platform_facts import FoundPart, ask
from components.settings.platform_parts import TITLES, Part
from components.settings.stack import Settings
from kube.connection import refusal_of
from kube.views.base import Object, Strings, View, in_spec
from kube.views.gateways import Gateway, IstioGateway
from kube.views.kserve import ClusterServingRuntime
from kube.views.kubernetes import Service
from releases.namespaces import ISTIO_NAMESPACE

CONFIG = "inferenceservice-config"
# Name of the objects that are created in a dry run: the API server checks them and stores nothing.
TRIAL = "kserve-multi-model-trial"
# What Knative's Gateways, and those of models in mode Standard, select where this stack installs them.
GATEWAY_LABELS = {"istio": "ingressgateway"}
DOMAIN_TEMPLATE = "{{.Name}}.{{.Namespace}}.{{.IngressDomain}}"
KNATIVE_TEMPLATE = "{{.Name}}.{{.Namespace}}.{{.Domain}}"
KNATIVE_DOMAIN = "svc.cluster.local"
# Names of KServe's mode Knative; the second one is of earlier versions.
KNATIVE_MODES = ("Knative", "Serverless")
Kind = TypeVar("Kind", bound=Object)
# An object of each part that its webhook checks: API, plural, kind, spec.
TRIALS: Mapping[Part, tuple[str, str, str, Mapping[str, Any]]] = {
    "cert_manager": (
        "cert-manager.io/v1",
        "certificates",
        "Certificate",
        {"dnsNames": ["trial.example.com"], "issuerRef": {"name": TRIAL}, "secretName": TRIAL},
    ),
    "istio": (
        "networking.istio.io/v1",
        "virtualservices",
        "VirtualService",
        {"hosts": ["trial.example.com"], "http": [{"route": [{"destination": {"host": TRIAL}}]}]},
    ),
    "knative": (
        "serving.knative.dev/v1",
        "services",
        "Service",
        {"template": {"spec": {"containers": [{"image": "registry.example.com/trial:1"}]}}},
    ),
    "kserve": (
        "serving.kserve.io/v1beta1",
        "inferenceservices",
        "InferenceService",
        {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://trial/model"}}},
    ),
}


class _ConfigMap(Object):
    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "configmaps"

    data: Strings = Field({})


class _GatewayClass(Object):
    api: ClassVar[str] = "apis/gateway.networking.k8s.io/v1"
    plural: ClassVar[str] = "gatewayclasses"


class _ClassedGateway(Gateway):
    class_name: str = Field("", validation_alias=in_spec("gatewayClassName"))


class _Runtimes(View):
    items: tuple[ClusterServingRuntime, ...] = ()


class _Services(View):
    items: tuple[Service, ...] = ()


class KServeIngress(View):
    """How KServe makes routes: the entry `ingress` of its configuration."""

    gateway: str = Field("", validation_alias="ingressGateway")
    gateway_api: bool = Field(False, validation_alias="enableGatewayApi")
    model_gateway: str = Field("", validation_alias="kserveIngressGateway")
    domain: str = Field("example.com", validation_alias="ingressDomain")
    template: str = Field("{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}", validation_alias="domainTemplate")
    scheme: str = Field("http", validation_alias="urlScheme")
    without_routes: bool = Field(False, validation_alias="disableIngressCreation")
    without_virtual_services: bool = Field(False, validation_alias="disableIstioVirtualHost")


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
    problems = [wrong for part in relied_on & TRIALS.keys() if (wrong := _webhook(client, part, namespace=namespace))]
    if "knative" in relied_on:
        problems += _knative(client, settings, namespace=found["knative"].namespace)
    if "kserve" in used:
        problems += _kserve(client, settings, namespace=found["kserve"].namespace)
        problems += _runtimes(client, settings)
    elif {"istio", "gateway_api"} <= used and not _exists(client, _GatewayClass.path(name="istio"), what="Istio"):
        problems.append("Gateway API: there is no GatewayClass istio. Restart istiod, which makes it")
    return sorted(problems)


def _webhook(client: httpx.Client, part: Part, *, namespace: str) -> str | None:
    """Create an object in a dry run, which the part's webhook has to accept."""
    api, plural, kind, spec = TRIALS[part]
    trial = {"apiVersion": api, "kind": kind, "metadata": {"name": TRIAL, "namespace": namespace}, "spec": spec}
    answer = client.post(f"/apis/{api}/namespaces/{namespace}/{plural}", params={"dryRun": "All"}, json=trial)
    if answer.is_success:
        return None
    return (
        f"{TITLES[part]}: it accepts no {kind} in namespace {namespace}, tried in a dry run: "
        f"{refusal_of(answer)} (status {answer.status_code})"
    )


def _knative(client: httpx.Client, settings: Settings, *, namespace: str) -> Iterator[str]:
    domain = settings.ingress.domain
    entries = _config(client, "config-domain", namespace=namespace, what="Knative")
    # A domain with labels is for some Services only.
    general = [name for name, text in entries.items() if name != "_example" and not text.strip()] or [KNATIVE_DOMAIN]
    if domain not in general:
        yield f"ingress.domain: is {domain}, but hosts of the Knative that is there end with {' or '.join(general)}"
    template = _config(client, "config-network", namespace=namespace, what="Knative").get("domain-template", "")
    if template and _squeezed(template) != KNATIVE_TEMPLATE:
        yield f"Knative: its hosts are {template}; this program's models have {KNATIVE_TEMPLATE} (config-network)"


def _kserve(client: httpx.Client, settings: Settings, *, namespace: str) -> Iterator[str]:
    entries = _config(client, CONFIG, namespace=namespace, what="KServe")
    try:
        ingress = KServeIngress.model_validate_json(entries["ingress"])
        mode = str(json.loads(entries.get("deploy", "{}")).get("defaultDeploymentMode", "Knative"))
    except (ValidationError, ValueError, AttributeError, KeyError):
        yield f"KServe: its ConfigMap {namespace}/{CONFIG} cannot be read; correct its entries ingress and deploy"
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
    elif not _named_gateway(client, IstioGateway, ingress.gateway):
        yield f"KServe: the ingressGateway of its configuration, {ingress.gateway!r}, is not there"


def _for_standard(client: httpx.Client, ingress: KServeIngress, *, domain: str) -> Iterator[str]:
    if ingress.without_routes or not ingress.gateway_api:
        yield "KServe: models in mode Standard need routes by Gateway API (enableGatewayApi in its configuration)"
        return
    gateway = _named_gateway(client, _ClassedGateway, ingress.model_gateway)
    if gateway is None:
        yield f"KServe: the kserveIngressGateway of its configuration, {ingress.model_gateway!r}, is not there"
    elif not _exists(client, _GatewayClass.path(name=gateway.class_name), what="Gateway API"):
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


def check_gateway(
    client: httpx.Client, settings: Settings, *, kserve: FoundPart | None
) -> tuple[ExistingGateway | None, list[str]]:
    """The existing gateway, and what is wrong with it. Warns if it has no address for clients.

    `kserve` is the KServe that is there, whose configuration names the gateway; None where this stack installs it.

    Raises:
        UntoldError: the cluster does not tell.
    """
    wanted = GATEWAY_LABELS
    if kserve:
        entries = _config(client, CONFIG, namespace=kserve.namespace, what="KServe")
        named = _named_gateway(client, IstioGateway, KServeIngress.model_validate_json(entries["ingress"]).gateway)
        wanted = named.selector if named else wanted
    gateway = find_gateway(client, selector=wanted)
    if gateway is None:
        labels = ",".join(f"{key}={value}" for key, value in wanted.items())
        default = f"{ISTIO_NAMESPACE}/{ISTIO_GATEWAY}"
        return None, [
            f"Istio: there is no Service of its gateway with port {HTTP_PORT}: neither {default} nor another one in "
            f"{ISTIO_NAMESPACE} selects pods with the labels {labels}"
        ]
    if kserve is None and gateway.name != ISTIO_GATEWAY:
        return None, [f"Istio: the Service of its gateway is {gateway}; this stack needs {ISTIO_GATEWAY} there"]
    if gateway.url(settings.ingress) is None:
        pulumi.log.warn(
            f"the Service of the gateway that is there, {gateway}, is of type {gateway.type} and has no address of a "
            "load balancer: `python -m predict` asks the models through a port-forward. For other clients, give the "
            "host or IP address that they use as ingress.address"
        )
    return gateway, []


def find_gateway(client: httpx.Client, *, selector: Mapping[str, str]) -> ExistingGateway | None:
    """The Service of the gateway's pods, which have these labels; the one with Istio's usual name before others."""
    listed = ask(client, Service.path(namespace=ISTIO_NAMESPACE), _Services.model_validate, what="Istio's gateway")
    services = [
        (service, port)
        for service in (listed.items if listed else ())
        for port in service.ports
        if port.number == HTTP_PORT and selector.items() <= service.selector.items()
    ]
    # A ClusterIP Service, as Knative's for requests inside the cluster, comes last: clients outside cannot reach it.
    services.sort(key=lambda found: (found[0].name != ISTIO_GATEWAY, found[0].type == "ClusterIP", found[0].name))
    if not services:
        return None
    service, port = services[0]
    balanced = (str(entry.get("hostname") or entry.get("ip") or "") for entry in service.balanced)
    return ExistingGateway(
        namespace=ISTIO_NAMESPACE,
        name=service.name,
        selector=service.selector,
        type=service.type,
        port=port.number,
        node_port=port.node,
        addresses=(*filter(None, balanced), *service.external),
    )


def _config(client: httpx.Client, name: str, *, namespace: str, what: str) -> Mapping[str, str]:
    found = ask(client, _ConfigMap.path(namespace=namespace, name=name), _ConfigMap.model_validate, what=what)
    return found.data if found else {}


def _named_gateway(client: httpx.Client, kind: type[Kind], name: str) -> Kind | None:
    """The gateway of this kind that is called `namespace/name`."""
    namespace, _, own = name.partition("/")
    return ask(client, kind.path(namespace=namespace, name=own), kind.model_validate, what=f"gateway {name!r}")


def _exists(client: httpx.Client, path: str, *, what: str) -> bool:
    return ask(client, path, View.model_validate, what=what) is not None


def _squeezed(template: str) -> str:
    """A Go template without the optional spaces inside its braces."""
    return template.replace("{{ ", "{{").replace(" }}", "}}")
