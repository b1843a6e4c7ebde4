"""metrics-server's objects, from files like upstream's."""

from __future__ import annotations

from pathlib import Path

import yaml
from lightkube.resources.apiregistration_v1 import APIService
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import Service

from cluster.node.metrics import LABELS, metrics_server_objects

UPSTREAM = {
    "apiservice": {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 1, "versionPriority": 1},
    },
    "deployment": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "metrics-server", "namespace": "kube-system"},
        "spec": {
            "template": {"spec": {"containers": [{"name": "m", "image": "upstream", "args": ["--secure-port=1"]}]}}
        },
    },
    "kustomization": {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"},
    "service": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "metrics-server", "namespace": "kube-system"},
        "spec": {"ports": [{"port": 443}]},
    },
}


def test_upstreams_objects_fit_the_node(tmp_path: Path) -> None:
    for name, document in UPSTREAM.items():
        (tmp_path / f"{name}.yaml").write_text(f"---\n{yaml.safe_dump(document)}")
    registration, deployment, service = metrics_server_objects(tmp_path, image="localhost:5000/metrics-server:v1")
    assert isinstance(registration, APIService)
    assert isinstance(deployment, Deployment)
    assert isinstance(service, Service)
    assert deployment.spec
    assert deployment.spec.template.spec
    assert deployment.spec.template.metadata
    (container,) = deployment.spec.template.spec.containers
    assert container.image == "localhost:5000/metrics-server:v1"
    assert container.args == ["--secure-port=1", "--kubelet-insecure-tls"]
    assert service.spec
    assert service.spec.selector == deployment.spec.template.metadata.labels == LABELS
    assert deployment.spec.selector.matchLabels == LABELS
