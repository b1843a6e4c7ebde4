"""Helm post-renderer: annotates a chart's objects so that Pulumi creates them in order and waits until they work.

    helm template … | python postrender.py --namespace istio-system | kubectl apply -f -

Helm creates objects kind by kind. Pulumi's Chart creates them all at once, except those with the annotation
`config.kubernetes.io/depends-on`, and regards an object as ready once it is created, unless it has the annotation
`pulumi.com/waitFor`. Pulumi's Kubernetes provider runs this file as a command, so it imports nothing of the program.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterable
from typing import Any

import yaml

# One Kubernetes object, as parsed from YAML.
Document = dict[str, Any]

READ_BY_PODS = {"ServiceAccount", "ConfigMap", "Secret", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding"}
WORKLOADS = {"Deployment", "DaemonSet", "StatefulSet"}
WEBHOOKS = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
# In seconds. A workload may have to pull its images first.
WORKLOAD_TIMEOUT = 600
OBJECT_TIMEOUT = 300
PROBE_PERIOD = 2
# In seconds. Controllers have no requests to finish, and a slow pod delays the deletion of its namespace by minutes.
LONGEST_GRACE_PERIOD = 3


def adjust(
    documents: Iterable[Document],
    *,
    namespace: str,
    graceful_shutdown: bool = False,
    await_deletion: bool = False,
    without: Collection[str] = (),
    image_pull_secret: Collection[str] = (),
) -> list[Document]:
    """Return a chart's objects with annotations that give their order and what Pulumi waits for.

    Args:
        documents: the objects as the chart renders them; they are changed in place.
        namespace: the namespace the chart is released into.
        graceful_shutdown: let pods finish the requests they are serving before they stop.
        await_deletion: let the deletion of a workload wait until its pods are gone.
        without: kinds to leave out.
        image_pull_secret: names of Secrets that the pods of workloads pull images with, beside those of the chart.

    """
    objects = [document for document in documents if document["kind"] not in without]
    read_by_pods = [_reference(o, namespace) for o in objects if o["kind"] in READ_BY_PODS]
    workloads = [_reference(o, namespace) for o in objects if o["kind"] in WORKLOADS]
    for item in objects:
        kind = item["kind"]
        _annotations(item).pop("helm.sh/resource-policy", None)  # `pulumi destroy` deletes everything
        if kind in WORKLOADS:
            _depend_on(item, read_by_pods)
            _annotations(item)["pulumi.com/timeoutSeconds"] = str(WORKLOAD_TIMEOUT)
            _probe_readiness_early(item)
            _add_pull_secrets(item, image_pull_secret)
            if not graceful_shutdown:
                _stop_quickly(item)
            if not await_deletion:
                _annotations(item)["pulumi.com/deletionPropagationPolicy"] = "background"
        elif kind in WEBHOOKS:
            # A webhook without a running server refuses every object. Its server must not wait for the webhook's CA.
            _depend_on(item, workloads)
            _set_failure_policy(item)
            ca_bundles = [f"jsonpath={{.webhooks[{i}].clientConfig.caBundle}}" for i in range(len(item["webhooks"]))]
            _annotations(item)["pulumi.com/waitFor"] = json.dumps(ca_bundles)
            _annotations(item)["pulumi.com/timeoutSeconds"] = str(OBJECT_TIMEOUT)
        elif kind == "Service" and item["spec"].get("type") != "LoadBalancer":
            _annotations(item)["pulumi.com/skipAwait"] = "true"  # Pulumi waits for its workload instead
        elif kind == "ClusterRole" and item.get("aggregationRule"):
            item.pop("rules", None)  # Kubernetes' aggregation controller sets them
        if not item["metadata"]["annotations"]:
            del item["metadata"]["annotations"]  # an empty map would show as a difference in every preview
    return objects


def _annotations(item: Document) -> dict[str, str]:
    metadata = item["metadata"]
    metadata["annotations"] = metadata.get("annotations") or {}
    annotations: dict[str, str] = metadata["annotations"]
    return annotations


def _reference(item: Document, namespace: str) -> str:
    """Name the object as the annotation `config.kubernetes.io/depends-on` does."""
    group = item["apiVersion"].rpartition("/")[0]
    name = f"{item['kind']}/{item['metadata']['name']}"
    if item["kind"] in CLUSTER_SCOPED:
        return f"{group}/{name}"
    return f"{group}/namespaces/{item['metadata'].get('namespace') or namespace}/{name}"


def _depend_on(item: Document, references: list[str]) -> None:
    if references:
        _annotations(item)["config.kubernetes.io/depends-on"] = ",".join(references)


def _probe_readiness_early(workload: Document) -> None:
    """Probe readiness from the start: KServe's controller is ready in seconds, but its first probe is after 30."""
    for container in workload["spec"]["template"]["spec"]["containers"]:
        if probe := container.get("readinessProbe"):
            probe.pop("initialDelaySeconds", None)
            probe["periodSeconds"] = min(probe.get("periodSeconds", 10), PROBE_PERIOD)


def _add_pull_secrets(workload: Document, names: Collection[str]) -> None:
    """Add pull secrets to the pods: not every chart has a value for them, and those that have one differ."""
    pod = workload["spec"]["template"]["spec"]
    if names:
        pod["imagePullSecrets"] = [*pod.get("imagePullSecrets", ()), *({"name": name} for name in names)]


def _set_failure_policy(configuration: Document) -> None:
    """Declare the failure policy that istiod sets on its validation webhooks once it runs.

    Otherwise the next preview shows a difference, and the update after it has a conflict over the field.
    """
    for webhook in configuration["webhooks"]:
        if webhook["name"].endswith("validation.istio.io"):
            webhook["failurePolicy"] = "Fail"


def _stop_quickly(workload: Document) -> None:
    pod = workload["spec"]["template"]["spec"]
    pod["terminationGracePeriodSeconds"] = min(pod.get("terminationGracePeriodSeconds", 30), LONGEST_GRACE_PERIOD)


def main() -> None:
    """Read a chart's manifest from stdin, write the adjusted one to stdout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--namespace", required=True, help="the namespace the chart is released into")
    parser.add_argument("--without", action="append", default=[], metavar="KIND", help="leave out objects of this kind")
    parser.add_argument(
        "--graceful-shutdown",
        action="store_true",
        help="let pods finish the requests they are serving before they stop",
    )
    parser.add_argument(
        "--await-deletion", action="store_true", help="let the deletion of a workload wait until its pods are gone"
    )
    parser.add_argument(
        "--image-pull-secret", action="append", default=[], metavar="NAME", help="a Secret that pods pull images with"
    )
    documents = (document for document in yaml.load_all(sys.stdin, Loader=yaml.CSafeLoader) if document)
    yaml.dump_all(adjust(documents, **vars(parser.parse_args())), sys.stdout, Dumper=yaml.CSafeDumper)


if __name__ == "__main__":
    main()
