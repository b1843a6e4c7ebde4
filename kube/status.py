"""Reads the status of an InferenceService or InferenceGraph from the cluster."""

import os
from pathlib import Path

from httpx2 import Timeout
from lightkube import ApiError, Client, ConfigError, KubeConfig
from lightkube.generic_resource import create_namespaced_resource

from endpoints.endpoint import Endpoint
from endpoints.failures import one_line
from kube.inference_service import ServiceMissing, ServiceReport, ServiceStatus, StatusUnreadable

SECONDS = 5.0  # a look must not hold up the check for long where the cluster is out of reach

InferenceService = create_namespaced_resource("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")
InferenceGraph = create_namespaced_resource("serving.kserve.io", "v1alpha1", "InferenceGraph", "inferencegraphs")


def read_status(endpoint: Endpoint, *, kubeconfig: Path | None, context: str | None) -> ServiceReport:
    """Ask the cluster of `context`, else of the endpoint's own context, else of the kubeconfig's current one.

    `kubeconfig` defaults to KUBECONFIG, then the pod's service account, then ~/.kube/config.
    """
    context = context or endpoint.context
    try:
        client = Client(load_kubeconfig(kubeconfig, context).get(context), timeout=Timeout(SECONDS))
    except Exception as problem:  # files, YAML, certificates: each is a finding, none a crash
        return _unreadable(problem, final=True)
    try:
        with client:
            kind = InferenceGraph if endpoint.is_a_graph else InferenceService
            found = client.get(kind, endpoint.name, namespace=endpoint.namespace)
        return ServiceStatus.model_validate(found.status or {})
    except ApiError as problem:
        if problem.response.status_code == 404:
            return ServiceMissing()
        return StatusUnreadable(one_line(str(problem)), final=problem.response.status_code in {401, 403})
    except Exception as problem:  # network, answers; exec plugins, which say ConfigError or OSError
        return _unreadable(problem, final=isinstance(problem, ConfigError | OSError))


def load_kubeconfig(file: Path | None, context: str | None) -> KubeConfig:
    """Load `file`, or of those in KUBECONFIG the first with `context` (else its current one), or the first there is."""
    files = [file] if file else [Path(name) for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    if not files:
        return KubeConfig.from_env()
    present = [path for path in files if path.expanduser().is_file()] or files[:1]  # which then says it is not found
    configs = map(KubeConfig.from_file, present)
    fitting = (config for config in configs if (context or config.current_context) in config.contexts)
    return next(fitting, None) or KubeConfig.from_file(present[0])


def _unreadable(problem: Exception, *, final: bool) -> StatusUnreadable:
    return StatusUnreadable(one_line(f"{type(problem).__name__}: {problem}"), final=final)
