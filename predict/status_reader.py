"""Reads an InferenceService's status from the cluster."""

import os
from pathlib import Path

from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource

from predict.endpoints import Endpoint
from predict.failures import one_line
from predict.inference_service import ServiceMissing, ServiceReport, ServiceStatus, StatusUnreadable

InferenceService = create_namespaced_resource("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")


def read_status(endpoint: Endpoint, *, kubeconfig: Path | None, context: str | None) -> ServiceReport:
    """Ask the cluster of `context`, else of the endpoint's own context, else of the kubeconfig's current one.

    `kubeconfig` defaults to KUBECONFIG, then the pod's service account, then ~/.kube/config.
    """
    try:
        file = kubeconfig or os.environ.get("KUBECONFIG")
        config = KubeConfig.from_file(file) if file else KubeConfig.from_env()
        with Client(config.get(context or endpoint.context)) as client:
            found = client.get(InferenceService, endpoint.name, namespace=endpoint.namespace)
        return ServiceStatus.model_validate(found.status or {})
    except ApiError as problem:
        if problem.response.status_code == 404:
            return ServiceMissing()
        return StatusUnreadable(one_line(str(problem)))
    except Exception as problem:  # files, YAML, certificates, exec plugins, network: each is a finding, none a crash
        return StatusUnreadable(one_line(f"{type(problem).__name__}: {problem}"))
