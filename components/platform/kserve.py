"""KServe: makes a running, routed model server of every InferenceService."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.charts.deploy import merged
from components.objects.custom_resource import custom_resource
from components.objects.webhooks import patient
from components.platform.cert_manager import CertManager
from components.platform.context import Supply
from components.platform.gateway_api import GatewayAPI
from components.platform.istio import NAMESPACE as ISTIO_NAMESPACE
from components.platform.istio import Istio
from components.platform.knative import INGRESS_GATEWAY, LOCAL_GATEWAY, Knative
from components.platform.knative import NAMESPACE as KNATIVE_NAMESPACE
from components.platform.model_gateway import GATEWAY as MODEL_GATEWAY
from components.platform.serving_runtimes import serving_runtime
from components.settings.resource_profiles import PodResources
from releases.types import KServeRelease

NAMESPACE = "kserve"
# Names that KServe's chart gives to its webhooks' server and certificate.
WEBHOOK_SERVICE = "kserve-webhook-server-service"
CERTIFICATE = "serving-cert"
CERTIFICATE_SECRET = "kserve-webhook-server-cert"  # noqa: S105 - a name
ISSUER = "selfsigned-issuer"
LOOKS_FOR = "kserve-multi-model/looks-for"
# Issued soon or not at all: cert-manager pauses for an hour after a failure.
CERTIFICATE_TIMEOUT = 90


@dataclass(frozen=True, kw_only=True)
class KServeArgs:
    """The version and where it comes from, the domain of the models, and what KServe looks for at its start.

    Attributes:
        knative: None where no model runs behind it.

    """

    supply: Supply
    release: KServeRelease
    domain: str
    cert_manager: CertManager
    gateway_api: GatewayAPI
    istio: Istio
    knative: Knative | None


class KServe(pulumi.ComponentResource):
    """KServe with its serving runtimes, done when its webhooks answer.

    It needs neither Istio nor Knative to be ready, only their CustomResourceDefinitions.

    Attributes:
        namespace: where it runs.

    """

    namespace: pulumi.Output[str]

    def __init__(self, name: str, *, args: KServeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:KServe", name, {}, opts)
        self._args = args
        charts, inside = args.supply.charts, pulumi.ResourceOptions(parent=self)
        patience = patient(f"{name}-webhooks")
        namespace = k8s.core.v1.Namespace(NAMESPACE, metadata=k8s.meta.v1.ObjectMetaArgs(name=NAMESPACE), opts=inside)
        self.namespace = namespace.metadata.name
        definitions = charts.workloads(
            "kserve-crd", args.release.crds, namespace=self.namespace, values={}, opts=inside
        )
        # The controller looks once, when it starts, which kinds the cluster has.
        looked_for = [definitions, args.istio.definitions, args.gateway_api]
        if args.knative:
            looked_for.append(args.knative.definitions)
        controller = charts.workloads(
            "kserve",
            args.release.resources,
            namespace=self.namespace,
            values={"kserve": self._values()},
            without=("Certificate", "Issuer"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*looked_for, self._certificate(patience)]),
            webhook_hooks=patience,
        )
        after_controller = pulumi.ResourceOptions(parent=self, depends_on=[controller])
        for runtime in args.release.runtimes:
            if runtime.values_key is None:
                serving_runtime(runtime, supply=args.supply, version=args.release.version, opts=after_controller)
        charts.workloads(
            "kserve-runtimes",
            args.release.runtime_configs,
            namespace=self.namespace,
            values={"kserve": self._runtime_values()},
            opts=after_controller,
            webhook_hooks=patience,
        )
        self.register_outputs({"namespace": self.namespace})

    def _certificate(self, patience: pulumi.ResourceHookBinding) -> pulumi.Resource:
        """The webhooks' certificate, declared here and not by the chart.

        In a chart, a preview could not tell what a Certificate is on a cluster that has no cert-manager yet.
        """
        issuer = custom_resource(
            f"kserve-{ISSUER}",
            api_version="cert-manager.io/v1",
            kind="Issuer",
            name=ISSUER,
            namespace=self.namespace,
            spec={"selfSigned": {}},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._args.cert_manager], hooks=patience),
        )
        host = f"{WEBHOOK_SERVICE}.{NAMESPACE}.svc"
        return custom_resource(
            f"kserve-{CERTIFICATE}",
            api_version="cert-manager.io/v1",
            kind="Certificate",
            name=CERTIFICATE,
            namespace=self.namespace,
            spec={
                "commonName": host,
                "dnsNames": [host],
                "issuerRef": {"kind": "Issuer", "name": ISSUER},
                "secretName": CERTIFICATE_SECRET,
            },
            ready="Ready",
            timeout=CERTIFICATE_TIMEOUT,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[issuer], hooks=patience),
        )

    def _values(self) -> dict[str, Any]:
        footprint = self._args.supply.footprint
        gateway = {
            "domain": self._args.domain,
            "domainTemplate": "{{ .Name }}.{{ .Namespace }}.{{ .IngressDomain }}",
            "disableIstioVirtualHost": False,
            "ingressGateway": {
                "gateway": f"{KNATIVE_NAMESPACE}/{INGRESS_GATEWAY}",
                "enableGatewayApi": True,
                "kserveGateway": MODEL_GATEWAY,
            },
            "localGateway": {
                "gateway": f"{KNATIVE_NAMESPACE}/{LOCAL_GATEWAY}",
                "gatewayService": f"{LOCAL_GATEWAY}.{ISTIO_NAMESPACE}.svc.cluster.local",
            },
        }
        return merged(
            {
                "version": self._args.release.version,
                "controller": {
                    "deploymentMode": "Knative" if self._args.knative else "Standard",
                    # What it looks for at its start: with more or less to find, it has to start again.
                    "podAnnotations": {LOOKS_FOR: "routes, Knative" if self._args.knative else "routes"},
                    "imagePullPolicy": "IfNotPresent",
                    "gateway": gateway,
                    **_resources(footprint.kserve_controller),
                    "rbacProxy": _resources(footprint.kube_rbac_proxy),
                },
                "storage": _resources(footprint.storage_initializer),
                "inferenceservice": _resources(footprint.predictor),
            },
            self._images(),
        )

    def _images(self) -> dict[str, Any]:
        images = self._args.supply.images
        if not images:
            return {}
        return {
            "agent": {"image": images.image("kserve/agent")},
            "router": {"image": images.image("kserve/router")},
            "storage": {"image": images.image("kserve/storage-initializer")},
            "controller": {
                "image": images.image("kserve/kserve-controller"),
                "rbacProxyImage": f"{images.image('brancz/kube-rbac-proxy')}:{self._args.release.rbac_proxy}",
            },
        }

    def _runtime_values(self) -> dict[str, Any]:
        release, images = self._args.release, self._args.supply.images
        offered = {r.values_key: {"image": images.image(r.image)} for r in release.runtimes if images and r.values_key}
        left_out = {key: {"disabled": True} for key in release.disabled_runtimes}
        return {"version": release.version, "servingruntime": {"enabled": True, **offered, **left_out}}


def _resources(resources: PodResources | None) -> dict[str, Any]:
    return {"resources": resources.values()} if resources else {}
