"""Namespaces that the parts of the platform are installed in, in every release."""

CERT_MANAGER_NAMESPACE = "cert-manager"
ISTIO_NAMESPACE = "istio-system"
OPERATOR_NAMESPACE = "knative-operator"
KNATIVE_NAMESPACE = "knative-serving"
KSERVE_NAMESPACE = "kserve"
MONITORING_NAMESPACE = "monitoring"
# Those of what models need. The monitoring is optional.
PLATFORM_NAMESPACES = (
    CERT_MANAGER_NAMESPACE,
    ISTIO_NAMESPACE,
    OPERATOR_NAMESPACE,
    KNATIVE_NAMESPACE,
    KSERVE_NAMESPACE,
)
