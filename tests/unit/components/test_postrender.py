from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import components.postrender
from components.postrender import Document, adjust

DEPENDS_ON = "config.kubernetes.io/depends-on"
SCRIPT = Path(components.postrender.__file__)


def item(kind: str, name: str, *, api_version: str = "v1", **fields: Any) -> Document:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def deployment(**pod: Any) -> Document:
    pod = {"containers": [{"name": "c"}], **pod}
    return item("Deployment", "d", api_version="apps/v1", spec={"template": {"spec": pod}})


def webhooks(kind: str = "ValidatingWebhookConfiguration", count: int = 2) -> Document:
    return item(
        kind, "w", api_version="admissionregistration.k8s.io/v1", webhooks=[{"name": str(i)} for i in range(count)]
    )


def test_istios_validation_fails_closed_as_istiod_will_have_it() -> None:
    names = ["rev.validation.istio.io", "validation.istio.io", "rev.namespace.sidecar-injector.istio.io"]
    configuration = webhooks()
    configuration["webhooks"] = [{"name": name, "failurePolicy": "Ignore"} for name in names]
    (item,) = adjusted(configuration)
    assert [webhook["failurePolicy"] for webhook in item["webhooks"]] == ["Fail", "Fail", "Ignore"]


def adjusted(*documents: Document, drains: bool = False, end_awaited: bool = False) -> list[Document]:
    return adjust(documents, namespace="here", drains=drains, end_awaited=end_awaited)


def notes(document: Document) -> dict[str, str]:
    annotations: dict[str, str] = document["metadata"].get("annotations", {})
    return annotations


def test_pods_come_after_what_they_read() -> None:
    rbac = "rbac.authorization.k8s.io/v1"
    other = item("Secret", "elsewhere")
    other["metadata"]["namespace"] = "there"
    *_, pod = adjusted(
        item("ServiceAccount", "sa"),
        item("ConfigMap", "cm"),
        other,
        item("ClusterRole", "cr", api_version=rbac, rules=[]),
        item("RoleBinding", "rb", api_version=rbac),
        item("Service", "not-waited-for", spec={}),
        deployment(),
    )
    assert notes(pod)[DEPENDS_ON].split(",") == [
        "/namespaces/here/ServiceAccount/sa",
        "/namespaces/here/ConfigMap/cm",
        "/namespaces/there/Secret/elsewhere",
        "rbac.authorization.k8s.io/ClusterRole/cr",
        "rbac.authorization.k8s.io/namespaces/here/RoleBinding/rb",
    ]
    assert notes(pod)["pulumi.com/timeoutSeconds"] == "600"


@pytest.mark.parametrize("kind", ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"])
def test_webhooks_come_after_their_server_and_wait_for_their_ca(kind: str) -> None:
    hooks, _ = adjusted(webhooks(kind), deployment())
    assert notes(hooks)[DEPENDS_ON] == "apps/namespaces/here/Deployment/d"
    assert json.loads(notes(hooks)["pulumi.com/waitFor"]) == [
        "jsonpath={.webhooks[0].clientConfig.caBundle}",
        "jsonpath={.webhooks[1].clientConfig.caBundle}",
    ]
    assert notes(hooks)["pulumi.com/timeoutSeconds"] == "300"


def test_what_the_program_declares_itself_is_left_out() -> None:
    documents = [item("Certificate", "c", api_version="cert-manager.io/v1"), item("ConfigMap", "m"), deployment()]
    assert [d["kind"] for d in adjust(documents, namespace="here", without=["Certificate"])] == [
        "ConfigMap",
        "Deployment",
    ]


def test_only_a_load_balancer_is_waited_for() -> None:
    plain, balanced = adjusted(item("Service", "a", spec={}), item("Service", "b", spec={"type": "LoadBalancer"}))
    assert notes(plain) == {"pulumi.com/skipAwait": "true"}
    assert "annotations" not in balanced["metadata"]


def test_rules_of_aggregated_roles_are_left_to_kubernetes() -> None:
    aggregated, own = adjusted(
        item("ClusterRole", "a", aggregationRule={"clusterRoleSelectors": []}, rules=[]),
        item("ClusterRole", "b", rules=[{"verbs": ["get"]}]),
    )
    assert "rules" not in aggregated
    assert own["rules"]


def test_what_helm_would_keep_goes_with_the_rest() -> None:
    definition = item("CustomResourceDefinition", "crd")
    definition["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    (adjusted_definition,) = adjusted(definition)
    assert "annotations" not in adjusted_definition["metadata"]


def test_annotations_of_the_chart_stay() -> None:
    service = item("Service", "s", spec={})
    service["metadata"]["annotations"] = {"prometheus.io/scrape": "true"}
    (kept,) = adjusted(service)
    assert notes(kept) == {"prometheus.io/scrape": "true", "pulumi.com/skipAwait": "true"}


def test_readiness_is_asked_for_at_once() -> None:
    probes = {"readinessProbe": {"initialDelaySeconds": 30, "periodSeconds": 5}, "livenessProbe": {"periodSeconds": 20}}
    (pod,) = adjusted(deployment(containers=[{"name": "c", **probes}, {"name": "no-probe"}]))
    first = pod["spec"]["template"]["spec"]["containers"][0]
    assert first["readinessProbe"] == {"periodSeconds": 2}
    assert first["livenessProbe"] == {"periodSeconds": 20}


def test_a_probe_that_is_quick_stays_quick() -> None:
    (pod,) = adjusted(deployment(containers=[{"name": "c", "readinessProbe": {"periodSeconds": 1}}]))
    assert pod["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] == {"periodSeconds": 1}


@pytest.mark.parametrize(
    ("stated", "drains", "given"), [(300, False, 3), (2, False, 2), (None, False, 3), (300, True, 300)]
)
def test_controllers_end_at_once_and_gateways_drain(stated: int | None, drains: bool, given: int) -> None:
    (pod,) = adjusted(deployment(**({"terminationGracePeriodSeconds": stated} if stated else {})), drains=drains)
    assert pod["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == given


@pytest.mark.parametrize(("awaited", "policy"), [(False, "background"), (True, None)])
def test_the_end_of_pods_is_waited_for_where_it_matters(awaited: bool, policy: str | None) -> None:
    config_map, pod = adjusted(item("ConfigMap", "cm"), deployment(), end_awaited=awaited)
    assert notes(pod).get("pulumi.com/deletionPropagationPolicy") == policy
    assert notes(config_map) == {}


def test_as_the_command_helm_runs() -> None:
    manifest = yaml.safe_dump_all([item("ConfigMap", "cm", data={"a": "1"}), deployment()])
    done = subprocess.run(
        [sys.executable, SCRIPT, "--namespace", "here"],
        input=f"---\n# Source: chart\n{manifest}\n---\n",
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    config_map, pod = yaml.safe_load_all(done.stdout)
    assert config_map == item("ConfigMap", "cm", data={"a": "1"})
    assert notes(pod)[DEPENDS_ON] == "/namespaces/here/ConfigMap/cm"


def test_the_command_explains_itself() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True, check=True)
    assert "post-renderer" in done.stdout
    assert "--drains" in done.stdout
    assert "--end-awaited" in done.stdout


RELEASE_SCRIPT = SCRIPT.with_name("release_postrender.py")
CHART = """\
kind: CustomResourceDefinition
metadata:
  annotations:
    helm.sh/resource-policy: keep
    "helm.sh/resource-policy": "keep"
    other: kept
spec:
  properties:
    terminationGracePeriodSeconds:
      type: integer
---
kind: Deployment
spec:
  template:
    spec:
      terminationGracePeriodSeconds: 300
"""


def test_of_a_release_everything_goes_at_once() -> None:
    done = subprocess.run([RELEASE_SCRIPT], input=CHART, capture_output=True, text=True, check=True)
    definition, pod = yaml.safe_load_all(done.stdout)
    assert definition["metadata"] == {"annotations": {"other": "kept"}}
    assert definition["spec"]["properties"] == {"terminationGracePeriodSeconds": {"type": "integer"}}
    assert pod["spec"]["template"]["spec"] == {"terminationGracePeriodSeconds": 3}
