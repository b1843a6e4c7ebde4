"""KServe: turns every InferenceService into a running model server with a route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from components.charts.deploy import merge_values
from components.objects import custom_resource, retry_on_webhook_error
from components.platform.cert_manager import CertManager
from components.platform.context import InstallContext
from components.platform.existing import installed
from components.platform.gateway_api import GatewayAPI
from components.platform.istio import Istio
from components.platform.knative import Knative
from components.platform.serving_runtimes import serving_runtime
from components.settings.gateway_names import KNATIVE_LOCAL_GATEWAY, GatewayNames
from components.settings.resource_profiles import resource_values
from releases.namespaces import ISTIO_NAMESPACE, KNATIVE_NAMESPACE, KSERVE_NAMESPACE
from releases.types import KServeRelease

# Chart of the definitions, which are of this API group.
DEFINITIONS, GROUP = "kserve-crd", "serving.kserve.io"
# Names in KServe's chart: the Service of its webhooks and their certificate.
WEBHOOK_SERVICE = "kserve-webhook-server-service"
CERTIFICATE = "serving-cert"
CERTIFICATE_SECRET = "kserve-webhook-server-cert"  # noqa: S105 - a name
ISSUER = "selfsigned-issuer"
LOOKS_FOR_ANNOTATION = "kserve-multi-model/looks-for"
# In seconds. A longer wait is pointless: after a failure, cert-manager tries again only an hour later.
CERTIFICATE_TIMEOUT = 90


@dataclass(frozen=True, kw_only=True)
class KServeArgs:
    """What KServe is installed with, its charts, and the components it depends on; None for one that is there already.

    Attributes:
        domain: the models' host names end with it.
        has_knative: whether models run on Knative, be it this stack's or not.
        knative: None where no model runs on Knative, too.

    """

    install: InstallContext
    release: KServeRelease
    domain: str
    has_knative: bool
    cert_manager: CertManager | None
    gateway_api: GatewayAPI | None
    istio: Istio | None
    knative: Knative | None


class KServe(pulumi.ComponentResource):
    """KServe with its serving runtimes, done when its webhooks have their CA.

    It needs neither Istio nor Knative to be ready, only their CustomResourceDefinitions.

    Attributes:
        namespace: the namespace it runs in.

    """

    namespace: pulumi.Output[str]

    def __init__(self, name: str, *, args: KServeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:KServe", name, {}, opts)
        self._args = args
        charts, inside = args.install.charts, pulumi.ResourceOptions(parent=self)
        retry = retry_on_webhook_error(f"{name}-webhooks")
        _, self.namespace = args.install.declare_namespace(KSERVE_NAMESPACE, opts=inside)
        definitions = charts.workloads(DEFINITIONS, args.release.crds, namespace=self.namespace, values={}, opts=inside)
        args.install.guards.definitions(definitions, DEFINITIONS, groups=(GROUP,))
        # Only when it starts, the controller looks which of these kinds the cluster has.
        others = (part.definitions for part in (args.istio, args.knative) if part)
        all_definitions = [definitions, *others, *installed(args.gateway_api)]
        controller = charts.workloads(
            "kserve",
            args.release.resources,
            namespace=self.namespace,
            values={"kserve": self._values()},
            without=("Certificate", "Issuer"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*all_definitions, self._certificate(retry)]),
            webhook_hooks=retry,
        )
        after_controller = pulumi.ResourceOptions(parent=self, depends_on=[controller])
        for runtime in args.release.runtimes:
            if runtime.values_key is None:
                serving_runtime(runtime, install=args.install, version=args.release.version, opts=after_controller)
        charts.workloads(
            "kserve-runtimes",
            args.release.runtime_configs,
            namespace=self.namespace,
            values={"kserve": self._runtime_values()},
            opts=after_controller,
            webhook_hooks=retry,
        )
        self.register_outputs({"namespace": self.namespace})

    def _certificate(self, retry: pulumi.ResourceHookBinding) -> pulumi.Resource:
        """Declare the webhooks' certificate outside the chart.

        In the chart, a preview could not resolve the kind Certificate on a cluster that has no cert-manager yet.
        """
        issuer = custom_resource(
            f"kserve-{ISSUER}",
            api_version="cert-manager.io/v1",
            kind="Issuer",
            name=ISSUER,
            namespace=self.namespace,
            spec={"selfSigned": {}},
            opts=pulumi.ResourceOptions(parent=self, depends_on=installed(self._args.cert_manager), hooks=retry),
        )
        host = f"{WEBHOOK_SERVICE}.{KSERVE_NAMESPACE}.svc"
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
            opts=pulumi.ResourceOptions(parent=self, depends_on=[issuer], hooks=retry),
        )

    def _values(self) -> dict[str, Any]:
        footprint = self._args.install.footprint
        names = GatewayNames()
        gateway = {
            "domain": self._args.domain,
            "domainTemplate": "{{ .Name }}.{{ .Namespace }}.{{ .IngressDomain }}",
            "disableIstioVirtualHost": False,
            "ingressGateway": {
                "gateway": names.knative,
                "enableGatewayApi": True,
                "kserveGateway": names.standard,
            },
            "localGateway": {
                "gateway": f"{KNATIVE_NAMESPACE}/{KNATIVE_LOCAL_GATEWAY}",
                "gatewayService": f"{KNATIVE_LOCAL_GATEWAY}.{ISTIO_NAMESPACE}.svc.cluster.local",
            },
        }
        return merge_values(
            {
                "version": self._args.release.version,
                "controller": {
                    "deploymentMode": "Knative" if self._args.has_knative else "Standard",
                    # The controller looks for these kinds only when it starts: a changed annotation restarts it.
                    "podAnnotations": {LOOKS_FOR_ANNOTATION: "routes, Knative" if self._args.has_knative else "routes"},
                    "imagePullPolicy": "IfNotPresent",
                    "gateway": gateway,
                    **resource_values(footprint.kserve_controller),
                    "rbacProxy": resource_values(footprint.kube_rbac_proxy),
                },
                "storage": resource_values(footprint.storage_initializer),
                "inferenceservice": resource_values(footprint.predictor),
            },
            self._images(),
            self._pull_secrets(),
        )

    def _pull_secrets(self) -> dict[str, Any]:
        """Pull secrets of the routers of graphs; those of the controller are added to its pod."""
        # The chart prints the list without quotes into JSON. One item with the quotes of all of them makes it valid.
        quoted = ", ".join(f'"{name}"' for name in self._args.install.pull_secrets.names)
        return {"router": {"imagePullSecrets": [quoted]}} if quoted else {}

    def _images(self) -> dict[str, Any]:
        images = self._args.install.images
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
        release, images = self._args.release, self._args.install.images
        mirrored = {r.values_key: {"image": images.image(r.image)} for r in release.runtimes if images and r.values_key}
        disabled = {key: {"disabled": True} for key in release.disabled_runtimes}
        return {"version": release.version, "servingruntime": {"enabled": True, **mirrored, **disabled}}
