from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import components.charts.postrender
from components.charts.postrender import Document, adjust

DEPENDS_ON = "config.kubernetes.io/depends-on"
SCRIPT = Path(components.charts.postrender.__file__)


def item(kind: str, name: str, *, api_version: str = "v1", **fields: Any) -> Document:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def deployment(**pod: Any) -> Document:
    pod = {"containers": [{"name": "c"}], **pod}
    return item("Deployment", "d", api_version="apps/v1", spec={"template": {"spec": pod}})


def webhooks(kind: str = "ValidatingWebhookConfiguration", count: int = 2) -> Document:
    return item(
        kind, "w", api_version="admissionregistration.k8s.io/v1", webhooks=[{"name": str(i)} for i in range(count)]
    )


def test_istios_validation_webhooks_get_the_failure_policy_that_istiod_sets() -> None:
    names = ["rev.validation.istio.io", "validation.istio.io", "rev.namespace.sidecar-injector.istio.io"]
    configuration = webhooks()
    configuration["webhooks"] = [{"name": name, "failurePolicy": "Ignore"} for name in names]
    (item,) = adjusted(configuration)
    assert [webhook["failurePolicy"] for webhook in item["webhooks"]] == ["Fail", "Fail", "Ignore"]


def adjusted(*documents: Document, graceful_shutdown: bool = False, await_deletion: bool = False) -> list[Document]:
    return adjust(documents, namespace="here", graceful_shutdown=graceful_shutdown, await_deletion=await_deletion)


def annotations_of(document: Document) -> dict[str, str]:
    annotations: dict[str, str] = document["metadata"].get("annotations", {})
    return annotations


def test_workloads_are_created_after_the_objects_their_pods_read() -> None:
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
    assert annotations_of(pod)[DEPENDS_ON].split(",") == [
        "/namespaces/here/ServiceAccount/sa",
        "/namespaces/here/ConfigMap/cm",
        "/namespaces/there/Secret/elsewhere",
        "rbac.authorization.k8s.io/ClusterRole/cr",
        "rbac.authorization.k8s.io/namespaces/here/RoleBinding/rb",
    ]
    assert annotations_of(pod)["pulumi.com/timeoutSeconds"] == "600"


@pytest.mark.parametrize("kind", ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"])
def test_webhooks_are_created_after_their_server_and_wait_for_their_ca(kind: str) -> None:
    hooks, _ = adjusted(webhooks(kind), deployment())
    assert annotations_of(hooks)[DEPENDS_ON] == "apps/namespaces/here/Deployment/d"
    assert json.loads(annotations_of(hooks)["pulumi.com/waitFor"]) == [
        "jsonpath={.webhooks[0].clientConfig.caBundle}",
        "jsonpath={.webhooks[1].clientConfig.caBundle}",
    ]
    assert annotations_of(hooks)["pulumi.com/timeoutSeconds"] == "300"


def test_kinds_can_be_left_out() -> None:
    documents = [item("Certificate", "c", api_version="cert-manager.io/v1"), item("ConfigMap", "m"), deployment()]
    assert [d["kind"] for d in adjust(documents, namespace="here", without=["Certificate"])] == [
        "ConfigMap",
        "Deployment",
    ]


def test_only_load_balancer_services_are_waited_for() -> None:
    plain, balanced = adjusted(item("Service", "a", spec={}), item("Service", "b", spec={"type": "LoadBalancer"}))
    assert annotations_of(plain) == {"pulumi.com/skipAwait": "true"}
    assert "annotations" not in balanced["metadata"]


def test_aggregated_roles_have_no_rules() -> None:
    aggregated, own = adjusted(
        item("ClusterRole", "a", aggregationRule={"clusterRoleSelectors": []}, rules=[]),
        item("ClusterRole", "b", rules=[{"verbs": ["get"]}]),
    )
    assert "rules" not in aggregated
    assert own["rules"]


def test_no_object_is_kept_on_uninstall() -> None:
    definition = item("CustomResourceDefinition", "crd")
    definition["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    (adjusted_definition,) = adjusted(definition)
    assert "annotations" not in adjusted_definition["metadata"]


def test_the_charts_own_annotations_are_kept() -> None:
    service = item("Service", "s", spec={})
    service["metadata"]["annotations"] = {"prometheus.io/scrape": "true"}
    (kept,) = adjusted(service)
    assert annotations_of(kept) == {"prometheus.io/scrape": "true", "pulumi.com/skipAwait": "true"}


def test_readiness_probes_start_at_once() -> None:
    probes = {"readinessProbe": {"initialDelaySeconds": 30, "periodSeconds": 5}, "livenessProbe": {"periodSeconds": 20}}
    (pod,) = adjusted(deployment(containers=[{"name": "c", **probes}, {"name": "no-probe"}]))
    first = pod["spec"]["template"]["spec"]["containers"][0]
    assert first["readinessProbe"] == {"periodSeconds": 2}
    assert first["livenessProbe"] == {"periodSeconds": 20}


def test_a_short_probe_period_is_kept() -> None:
    (pod,) = adjusted(deployment(containers=[{"name": "c", "readinessProbe": {"periodSeconds": 1}}]))
    assert pod["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] == {"periodSeconds": 1}


@pytest.mark.parametrize(
    ("chart", "graceful_shutdown", "seconds"), [(300, False, 3), (2, False, 2), (None, False, 3), (300, True, 300)]
)
def test_pods_stop_quickly_unless_their_shutdown_is_graceful(
    chart: int | None, graceful_shutdown: bool, seconds: int
) -> None:
    pod = {"terminationGracePeriodSeconds": chart} if chart else {}
    (workload,) = adjusted(deployment(**pod), graceful_shutdown=graceful_shutdown)
    assert workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == seconds


@pytest.mark.parametrize(("await_deletion", "policy"), [(False, "background"), (True, None)])
def test_workloads_are_deleted_in_the_background_unless_deletion_is_awaited(
    await_deletion: bool, policy: str | None
) -> None:
    config_map, pod = adjusted(item("ConfigMap", "cm"), deployment(), await_deletion=await_deletion)
    assert annotations_of(pod).get("pulumi.com/deletionPropagationPolicy") == policy
    assert annotations_of(config_map) == {}


def test_the_script_as_helm_runs_it() -> None:
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
    assert annotations_of(pod)[DEPENDS_ON] == "/namespaces/here/ConfigMap/cm"


def test_the_scripts_help() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True, check=True)
    assert "post-renderer" in done.stdout
    assert "--graceful-shutdown" in done.stdout
    assert "--await-deletion" in done.stdout


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


def test_a_release_is_uninstalled_completely_and_quickly() -> None:
    done = subprocess.run([RELEASE_SCRIPT], input=CHART, capture_output=True, text=True, check=True)
    definition, pod = yaml.safe_load_all(done.stdout)
    assert definition["metadata"] == {"annotations": {"other": "kept"}}
    assert definition["spec"]["properties"] == {"terminationGracePeriodSeconds": {"type": "integer"}}
    assert pod["spec"]["template"]["spec"] == {"terminationGracePeriodSeconds": 3}


def test_pull_secrets_are_added_to_those_of_the_chart() -> None:
    pod = deployment(imagePullSecrets=[{"name": "of-the-chart"}])
    (item,) = adjust([pod], namespace="here", image_pull_secret=["a", "b"])
    found = item["spec"]["template"]["spec"]["imagePullSecrets"]
    assert found == [{"name": "of-the-chart"}, {"name": "a"}, {"name": "b"}]
    assert "imagePullSecrets" not in adjusted(deployment())[0]["spec"]["template"]["spec"]


def test_a_release_reads_the_pull_secrets_of_an_annotation() -> None:
    """The annotation is where the chart of Knative's operator puts it: the last lines before the pod's spec."""
    chart = (
        "kind: Deployment\nspec:\n  template:\n    metadata:\n      labels:\n        name: operator\n"
        "      annotations:\n        kserve-multi-model/image-pull-secrets: dev-registries,regcred\n"
        "    spec:\n      serviceAccountName: operator\n"
    )
    run = subprocess.run([sys.executable, str(RELEASE_SCRIPT)], input=chart, capture_output=True, text=True, check=True)
    pod = yaml.safe_load(run.stdout)["spec"]["template"]["spec"]
    assert pod == {
        "serviceAccountName": "operator",
        "imagePullSecrets": [{"name": "dev-registries"}, {"name": "regcred"}],
    }
