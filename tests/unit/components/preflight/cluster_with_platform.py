"""A Kubernetes API on the loopback that has a platform which others installed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from components.objects import STACK_ANNOTATION
from components.preflight.platform_facts import BUNDLE_ANNOTATION, CONTROLLERS, KINDS, VERSION_LABEL
from components.preflight.webhook_trial import TRIALS
from components.settings.platform_parts import Part
from tests.unit.predict.server import Reply, Server

VERSIONS: Mapping[Part, str] = {
    "cert_manager": "v1.17.0",
    "gateway_api": "v1.5.1",
    "istio": "1.27.1",
    "knative": "1.21.1",
    "kserve": "v0.20.0",
}
NAMESPACES: Mapping[Part, str] = {
    "cert_manager": "cert-manager",
    "istio": "istio-system",
    "knative": "knative-serving",
    "kserve": "kserve",
}
HELM = {"meta.helm.sh/release-name": "platform", "meta.helm.sh/release-namespace": "platform"}
INGRESS = {
    "ingressGateway": "knative-serving/knative-ingress-gateway",
    "enableGatewayApi": True,
    "kserveIngressGateway": "istio-system/kserve-gateway",
    "ingressDomain": "example.com",
    "domainTemplate": "{{ .Name }}.{{ .Namespace }}.{{ .IngressDomain }}",
    "urlScheme": "http",
}


class PlatformServer:
    """Has parts of a platform; `answer` changes what it has."""

    def __init__(self, server: Server, *parts: Part) -> None:
        self.server = server
        self.answer("/version", {"major": "1", "minor": "34"})
        for name in ("default", *NAMESPACES.values()):
            self.answer(f"/api/v1/namespaces/{name}", {"metadata": {"name": name}})
        self.answer("/api/v1/namespaces/kube-system", {"metadata": {"name": "kube-system", "uid": "u"}})
        for part in parts:
            self.has(part, VERSIONS[part])
        self.configure_kserve()
        self.config_map("knative-serving", "config-domain", {"example.com": "", "_example": "x"})
        self.answer(
            "/apis/networking.istio.io/v1/namespaces/knative-serving/gateways/knative-ingress-gateway",
            {"metadata": {"name": "knative-ingress-gateway"}, "spec": {"selector": {"istio": "ingressgateway"}}},
        )
        api = "/apis/gateway.networking.k8s.io/v1"
        self.answer(
            f"{api}/namespaces/istio-system/gateways/kserve-gateway",
            {"metadata": {"name": "kserve-gateway"}, "spec": {"gatewayClassName": "istio"}},
        )
        self.answer(f"{api}/gatewayclasses/istio", {"metadata": {"name": "istio"}})
        names = ("kserve-sklearnserver", "kserve-xgbserver")
        items = [{"metadata": {"name": name}, "spec": {}} for name in names]
        self.answer("/apis/serving.kserve.io/v1alpha1/clusterservingruntimes", {"items": items})
        self.gateway(status={"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}})

    def answer(self, path: str, body: object, *, status: int = 200, method: str = "GET") -> None:
        host = self.server.address.removeprefix("http://")
        self.server.on(host, f"{method} {path}", Reply(body, status=status))

    def has(self, part: Part, version: str, *, stack: str | None = None, available: int = 1) -> None:
        """Have a part, installed by Helm or by a stack."""
        annotations = {STACK_ANNOTATION: stack} if stack else HELM
        bundle = {BUNDLE_ANNOTATION: version} if part == "gateway_api" else {}
        definition = {"metadata": {"name": KINDS[part], "annotations": {**annotations, **bundle}}}
        self.answer(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{KINDS[part]}", definition)
        if part in CONTROLLERS:
            metadata = {"name": part, "namespace": NAMESPACES[part], "labels": {VERSION_LABEL: version}}
            controller = {
                "metadata": metadata | {"annotations": annotations},
                "status": {"availableReplicas": available},
            }
            self.controllers(part, controller)
            self.trial(part, {}, status=201)

    def controllers(self, part: Part, *controllers: Mapping[str, Any], status: int = 200) -> None:
        query = urlencode({"labelSelector": CONTROLLERS[part]})
        self.answer(f"/apis/apps/v1/deployments?{query}", {"items": controllers}, status=status)

    def trial(self, part: Part, body: object, *, status: int) -> None:
        """Answer to the creation of an object in a dry run."""
        api, plural, _, _ = TRIALS[part]
        self.answer(f"/apis/{api}/namespaces/default/{plural}?dryRun=All", body, status=status, method="POST")

    def config_map(self, namespace: str, name: str, data: Mapping[str, str]) -> None:
        self.answer(
            f"/api/v1/namespaces/{namespace}/configmaps/{name}", {"metadata": {"name": name}, "data": dict(data)}
        )

    def configure_kserve(self, *, mode: str = "Knative", **ingress: object) -> None:
        data = {
            "ingress": json.dumps(INGRESS | ingress),
            "deploy": json.dumps({"defaultDeploymentMode": mode}),
        }
        self.config_map("kserve", "inferenceservice-config", data)

    def gateway(self, *, name: str = "istio-ingressgateway", status: object = None, **spec: object) -> None:
        """Have the Service of a gateway, and no other one."""
        whole = {
            "type": "LoadBalancer",
            "selector": {"istio": "ingressgateway", "app": "istio-ingressgateway"},
            "ports": [{"name": "http2", "port": 80, "nodePort": 31080}],
            **spec,
        }
        inside = {"type": "ClusterIP", "selector": {"istio": "ingressgateway"}, "ports": [{"port": 80}]}
        services = [
            {"metadata": {"name": "knative-local-gateway", "namespace": "istio-system"}, "spec": inside},
            {"metadata": {"name": name, "namespace": "istio-system"}, "spec": whole, "status": status or {}},
        ]
        self.services("istio-system", *services)

    def services(self, namespace: str, *services: Mapping[str, Any]) -> None:
        """Have these Services in a namespace, and no others."""
        items = [{**one, "metadata": {**one["metadata"], "namespace": namespace}} for one in services]
        self.answer(f"/api/v1/namespaces/{namespace}/services", {"items": items})
