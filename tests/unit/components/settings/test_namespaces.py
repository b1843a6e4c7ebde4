"""Namespaces that models cannot be in, and the domain that is the cluster's own."""

from __future__ import annotations

import pytest

from components.platform.context import InstallContext
from components.platform.platform import Platform, PlatformArgs
from components.settings.ingress import Ingress
from components.settings.monitoring import MonitoringSettings
from releases.local import LOCAL
from releases.namespaces import MONITORING_NAMESPACE, PLATFORM_NAMESPACES
from tests.unit.components.recording import record
from tests.unit.components.settings.stack_settings import problems, settings, sklearn, the_problem

PLATFORM = ("cert-manager", "istio-system", "knative-operator", "knative-serving", "kserve")


@pytest.mark.parametrize("namespace", PLATFORM)
def test_no_model_is_in_a_namespace_of_the_platform(namespace: str) -> None:
    problem = f"{namespace} is a namespace of the platform; give the models one of their own"
    assert the_problem(settings(sklearn("a", namespace=namespace))) == f"models[0].namespace: {problem}"
    assert the_problem(settings(sklearn("a"), cluster={"namespace": namespace})) == f"cluster.namespace: {problem}"


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease"])
def test_no_model_is_in_a_namespace_of_kubernetes(namespace: str) -> None:
    problem = f"{namespace} is a namespace of Kubernetes itself; give the models one of their own"
    assert the_problem(settings(sklearn("a", namespace=namespace))) == f"models[0].namespace: {problem}"
    assert the_problem(settings(cluster={"namespace": namespace})) == f"cluster.namespace: {problem}"


def test_the_namespace_of_the_monitoring_is_free_without_one() -> None:
    document = settings(sklearn("a", namespace="monitoring"), cluster={"namespace": "monitoring"})
    assert not problems(document)
    assert not problems({**document, "monitoring": False})
    found = problems({**document, "monitoring": True})
    assert [problem.partition(":")[0] for problem in found] == ["cluster.namespace", "models[0].namespace"]


def test_the_platforms_namespaces_are_all_that_it_declares(install: InstallContext) -> None:
    args = PlatformArgs(
        install=install,
        release=LOCAL,
        ingress=Ingress(service_type="ClusterIP"),
        has_knative=True,
        monitoring=MonitoringSettings(),
        foreign_namespaces=frozenset(),
    )
    recording = record(lambda: Platform("platform", args=args))
    declared = {r.plain["metadata"]["name"] for r in recording.resources.values() if r.type.endswith(":Namespace")}
    assert declared == {*PLATFORM_NAMESPACES, MONITORING_NAMESPACE}
    assert {*PLATFORM_NAMESPACES} == {*PLATFORM}


# With the last two, a host is one that Knative gives to the same model inside the cluster.
@pytest.mark.parametrize(
    "domain", ["svc.cluster.local", "models.svc.cluster.local", "a.b.svc.cluster.local", "svc", "cluster.local"]
)
def test_the_clusters_own_domain_is_refused(domain: str) -> None:
    assert the_problem(settings(sklearn("a"), ingress={"domain": domain})) == (
        f"ingress.domain: {domain!r} is the cluster's own domain, whose hosts the gateway does not serve; "
        "choose another, like models.example.com"
    )


@pytest.mark.parametrize("domain", ["my-svc.cluster.local", "svc.example.com", "models.svc", "my-cluster.local"])
def test_a_domain_that_only_resembles_the_clusters_own_is_accepted(domain: str) -> None:
    assert not problems(settings(sklearn("a"), ingress={"domain": domain}))


@pytest.mark.parametrize("domain", ["svc.cluster.local", "cluster.local", "svc"])
def test_a_namespace_named_svc_makes_no_host_of_the_clusters_own(domain: str) -> None:
    """A host like a.svc.cluster.local is as one of Services."""
    own = {"namespace": "svc"}
    assert not problems(settings(sklearn("a"), cluster=own))
    refused = the_problem(settings(sklearn("a"), cluster=own, ingress={"domain": domain}))
    assert "is the cluster's own domain" in refused
