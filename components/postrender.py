"""Helm post-renderer: makes Pulumi order a chart's objects, and wait for them, as a running platform needs it.

    helm template … | python postrender.py --namespace istio-system | kubectl apply -f -

Helm creates objects kind by kind; Pulumi's Chart creates them all at once unless they carry
`config.kubernetes.io/depends-on`, and takes "created" for "ready" unless they carry `pulumi.com/waitFor`.
This runs on its own, in the provider's process tree: it imports nothing of the program.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterable
from typing import Any

import yaml

# One Kubernetes object.
Document = dict[str, Any]

READ_BY_PODS = {"ServiceAccount", "ConfigMap", "Secret", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding"}
WORKLOADS = {"Deployment", "DaemonSet", "StatefulSet"}
WEBHOOKS = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
# Longest waits, in seconds: a workload may have to pull its images first.
WORKLOAD_TIMEOUT = 600
OBJECT_TIMEOUT = 300
PROBE_PERIOD = 2
# Controllers have nothing to finish, but a pod that is slow to end holds up the end of its namespace for minutes.
LONGEST_GRACE = 3


def adjust(
    documents: Iterable[Document],
    *,
    namespace: str,
    drains: bool = False,
    end_awaited: bool = False,
    without: Collection[str] = (),
) -> list[Document]:
    """The objects of a chart, released into `namespace`, with their order and waits.

    `drains`: its pods serve requests, which they may finish when they end. `end_awaited`: its deletion waits for
    their end. `without`: kinds that are left out.
    """
    objects = [document for document in documents if document["kind"] not in without]
    first = [_reference(o, namespace) for o in objects if o["kind"] in READ_BY_PODS]
    workloads = [_reference(o, namespace) for o in objects if o["kind"] in WORKLOADS]
    for item in objects:
        kind = item["kind"]
        _annotations(item).pop("helm.sh/resource-policy", None)  # a destroy takes what the deployment made
        if kind in WORKLOADS:
            _after(item, first)
            _annotations(item)["pulumi.com/timeoutSeconds"] = str(WORKLOAD_TIMEOUT)
            _probe_at_once(item)
            if not drains:
                _end_at_once(item)
            if not end_awaited:
                _annotations(item)["pulumi.com/deletionPropagationPolicy"] = "background"
        elif kind in WEBHOOKS:
            # A webhook nobody serves yet refuses everything; and waiting for its CA must not keep its server waiting.
            _after(item, workloads)
            _fail_at_once(item)
            injected = [f"jsonpath={{.webhooks[{i}].clientConfig.caBundle}}" for i in range(len(item["webhooks"]))]
            _wait(item, json.dumps(injected), timeout=OBJECT_TIMEOUT)
        elif kind == "Service" and item["spec"].get("type") != "LoadBalancer":
            _annotations(item)["pulumi.com/skipAwait"] = "true"  # its workload is what is waited for
        elif kind == "ClusterRole" and item.get("aggregationRule"):
            item.pop("rules", None)  # Kubernetes' aggregation controller owns them
        if not item["metadata"]["annotations"]:
            del item["metadata"]["annotations"]  # an empty map would be a difference for ever
    return objects


def _annotations(item: Document) -> dict[str, str]:
    metadata = item["metadata"]
    metadata["annotations"] = metadata.get("annotations") or {}
    annotations: dict[str, str] = metadata["annotations"]
    return annotations


def _reference(item: Document, namespace: str) -> str:
    """The object as `config.kubernetes.io/depends-on` names it."""
    group = item["apiVersion"].rpartition("/")[0]
    name = f"{item['kind']}/{item['metadata']['name']}"
    if item["kind"] in CLUSTER_SCOPED:
        return f"{group}/{name}"
    return f"{group}/namespaces/{item['metadata'].get('namespace') or namespace}/{name}"


def _after(item: Document, references: list[str]) -> None:
    if references:
        _annotations(item)["config.kubernetes.io/depends-on"] = ",".join(references)


def _wait(item: Document, condition: str, *, timeout: int) -> None:
    _annotations(item)["pulumi.com/waitFor"] = condition
    _annotations(item)["pulumi.com/timeoutSeconds"] = str(timeout)


def _probe_at_once(workload: Document) -> None:
    """Ask for readiness from the start: KServe's controller is ready in seconds but is first asked after 30."""
    for container in workload["spec"]["template"]["spec"]["containers"]:
        if probe := container.get("readinessProbe"):
            probe.pop("initialDelaySeconds", None)
            probe["periodSeconds"] = min(probe.get("periodSeconds", 10), PROBE_PERIOD)


def _fail_at_once(configuration: Document) -> None:
    """Say what istiod itself sets of its validation once it answers: else that is a difference, and then a conflict."""
    for webhook in configuration["webhooks"]:
        if webhook["name"].endswith("validation.istio.io"):
            webhook["failurePolicy"] = "Fail"


def _end_at_once(workload: Document) -> None:
    pod = workload["spec"]["template"]["spec"]
    pod["terminationGracePeriodSeconds"] = min(pod.get("terminationGracePeriodSeconds", 30), LONGEST_GRACE)


def main() -> None:
    """Read a chart's manifest from stdin, write the adjusted one to stdout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namespace", required=True, help="the namespace the chart is released into")
    parser.add_argument("--without", action="append", default=[], metavar="KIND", help="leave objects of a kind out")
    parser.add_argument("--drains", action="store_true", help="let its pods finish requests under way when they end")
    parser.add_argument("--end-awaited", action="store_true", help="have a destroy wait for the end of its pods")
    asked = parser.parse_args()
    documents = (document for document in yaml.load_all(sys.stdin, Loader=yaml.CSafeLoader) if document)
    adjusted = adjust(
        documents,
        namespace=asked.namespace,
        drains=asked.drains,
        end_awaited=asked.end_awaited,
        without=asked.without,
    )
    yaml.dump_all(adjusted, sys.stdout, Dumper=yaml.CSafeDumper)


if __name__ == "__main__":
    main()
