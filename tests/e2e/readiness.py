"""Whether a server says that it is ready while its model is not loaded."""

from __future__ import annotations

import time

from lightkube.models.meta_v1 import ObjectMeta

from kube.views.kserve import MODE_ANNOTATION
from tests.e2e.cluster_objects import InferenceService, kubectl
from tests.e2e.machine import Deployment, run


def twin_without_a_model(deployment: Deployment, *, of: str, namespace: str) -> dict[str, bool]:
    """Whether the containers are ready of a model's twin whose server is up, and asked for a model it does not have."""
    client = deployment.client()
    original = client.get(InferenceService, of, namespace=namespace)
    predictor = original["spec"]["predictor"]
    predictor["model"]["readinessProbe"]["httpGet"]["path"] = "/v1/models/nobody"
    noted = (original.metadata.annotations or {}) if original.metadata else {}
    mode = {MODE_ANNOTATION: noted.get(MODE_ANNOTATION, "Knative")}
    meta = ObjectMeta(name="twin", namespace=namespace, annotations=mode)
    selector = ("-l", "serving.kserve.io/inferenceservice=twin")
    client.create(InferenceService(metadata=meta, spec={"predictor": predictor}))
    try:
        deadline = time.monotonic() + 120
        logs = ("kubectl", "-n", namespace, "logs", *selector, "-c", "kserve-container", "--tail=-1")
        while run(*logs, env=deployment.environment).stdout.count("nobody") < 3:
            assert time.monotonic() < deadline, "the server was not asked"
            time.sleep(2)
        (pod,) = kubectl(deployment, "-n", namespace, "get", "pods", *selector)["items"]
    finally:
        client.delete(InferenceService, "twin", namespace=namespace)
    return {status["name"]: status["ready"] for status in pod["status"]["containerStatuses"]}
