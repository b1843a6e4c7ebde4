"""Objects that have no owner and that nobody put there: Kubernetes, clouds and controllers make them by themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kube.views.base import Metadata
from releases.namespaces import CERT_MANAGER_NAMESPACE, ISTIO_NAMESPACE, KNATIVE_NAMESPACE

# Made in every namespace: by Kubernetes, istiod, OpenShift, its AI and its Pipelines, Rancher's isolation of projects,
# GKE and Huawei's CCE; by KServe in those with models.
IN_EVERY_NAMESPACE = {
    *(f"serviceaccounts/{name}" for name in ("default", "builder", "deployer", "pipeline")),
    *(
        f"configmaps/{name}"
        for name in (
            "kube-root-ca.crt",
            "istio-ca-root-cert",
            "istio-ca-crl",
            "openshift-service-ca.crt",
            "odh-trusted-ca-bundle",
            "global-ca-bundle",
            "config-service-cabundle",
            "config-trusted-cabundle",
        )
    ),
    *(
        f"rolebindings.{group}/{name}"
        for group in ("rbac.authorization.k8s.io", "authorization.openshift.io")
        for name in (
            "system:deployers",
            "system:image-builders",
            "system:image-pullers",
            "openshift-pipelines-edit",
            "pipelines-scc-rolebinding",
        )
    ),
    *(f"networkpolicies.networking.k8s.io/{name}" for name in ("np-default", "np-default-allow-all", "hn-nodes")),
    "resourcequotas/gke-resource-quotas",
    "secrets/paas.elb",
}
# Made by istiod, in no namespace.
OF_ISTIO = {
    f"gatewayclasses.gateway.networking.k8s.io/{name}"
    for name in ("istio", "istio-remote", "istio-waypoint", "istio-east-west", "istio-agentgateway")
}
# Alibaba's ACK puts a Secret for its registry, which it renews, into the namespaces that its add-on looks after.
OF_REGISTRIES = re.compile(r"secrets/acr-credential-[0-9a-f]{32}")
# Made in the platform's namespaces by its controllers: istiod's own authority, the one of cert-manager's webhook, and
# the Services by which the replicas of Knative's autoscaler reach each other.
IN_NAMESPACES_OF_THE_PLATFORM: Mapping[str, re.Pattern[str]] = {
    ISTIO_NAMESPACE: re.compile(r"secrets/istio-ca-secret"),
    CERT_MANAGER_NAMESPACE: re.compile(r"secrets/cert-manager-webhook-ca"),
    KNATIVE_NAMESPACE: re.compile(r"services/autoscaler-bucket-\d+-of-\d+"),
}
# Labels and annotations of copies that are put into namespaces by themselves, and again where they are deleted: by the
# Operator Lifecycle Manager, Kyverno, the controller of hierarchical namespaces, Rancher for members of a project, two
# that copy Secrets, and those of DigitalOcean and of Huawei's CCE that put a registry's login everywhere.
COPIED = {
    "olm.copiedFrom",
    "generate.kyverno.io/policy-name",
    "hnc.x-k8s.io/inherited-from",
    "authz.cluster.cattle.io/rtb-owner",
    "authz.cluster.cattle.io/rtb-owner-updated",
    "reflector.v1.k8s.emberstack.com/reflects",
    "replicator.v1.mittwald.de/replicated-from-version",
    "digitalocean.com/copy-identifier",
    "secret-generated-by",
}
# Of the token of a ServiceAccount, which Kubernetes deletes with the account.
ACCOUNT = "kubernetes.io/service-account.name"
# Of a Secret that cert-manager makes for a Certificate, which is looked at itself.
CERTIFICATE = "cert-manager.io/certificate-name"
# Of a ConfigMap by which the replicas of a controller choose the one that works; now most have Leases.
LEADER = "control-plane.alpha.kubernetes.io/leader"
# Knative's operator writes this annotation, and no owner, on what it makes outside the namespace of its KnativeServing.
OF_AN_OPERATOR = "manifestival"
NAME_LABEL = "app.kubernetes.io/name"
KNATIVE_NAMES = {"knative-serving", "knative-operator"}


def makes_itself(kind: str, found: Metadata) -> bool:
    """Whether an object of a kind, as `configmaps` or `deployments.apps`, is there without anybody's doing.

    What has an owner, or is being deleted, is not asked for here.
    """
    name = f"{kind}/{found.name}"
    in_platform = IN_NAMESPACES_OF_THE_PLATFORM.get(found.namespace)
    return (
        name in IN_EVERY_NAMESPACE | OF_ISTIO
        or OF_REGISTRIES.fullmatch(name) is not None
        or (in_platform is not None and in_platform.fullmatch(name) is not None)
        or bool(COPIED & (found.labels.keys() | found.annotations.keys()))
        or bool({ACCOUNT, CERTIFICATE, LEADER} & found.annotations.keys())
        or (OF_AN_OPERATOR in found.annotations and found.labels.get(NAME_LABEL) in KNATIVE_NAMES)
    )
