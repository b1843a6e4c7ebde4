"""The outcome of a check as texts of a language."""

import json
from dataclasses import asdict

from endpoints.endpoint import Endpoint
from endpoints.failures import Failure, one_line
from locales.language import Language, Message
from predict.inference_service import ServiceMissing, ServiceReport, ServiceStatus, StatusUnreadable
from predict.outcome import Outcome

SPELLING = {
    "xgboost": "XGBoost",
    "lightgbm": "LightGBM",
    "pytorch": "PyTorch",
    "tensorflow": "TensorFlow",
    "onnx": "ONNX",
}


def explain(failure: Failure, endpoint: Endpoint, *, language: Language) -> Message:
    """Title, meaning and advice of a failure."""
    kind = "inferencegraph" if endpoint.is_a_graph else "inferenceservice"
    pods = f"-n {endpoint.namespace} -l serving.kserve.io/{kind}={endpoint.service}"
    container = "user-container" if endpoint.is_a_graph else "kserve-container"
    values = {
        "name": endpoint.service,
        "namespace": endpoint.namespace,
        "host": endpoint.host,
        "gateway": gateway_of(endpoint, language=language),
        "protocol": endpoint.protocol,
        "kind": kind,
        "curl": _metadata_command(endpoint),
        "logs": f"kubectl logs {pods} -c {container}",
        "storage_logs": f"kubectl logs {pods} -c storage-initializer",
        "explainer_logs": f"kubectl logs {pods},component=explainer -c {container}",
    }
    # A quoted text may end in a full stop, which the sentence around it has already.
    own = {key: value.rstrip(".") if isinstance(value, str) else value for key, value in asdict(failure).items()}
    return language.failures[failure.verdict].filled(values | own)


def gateway_of(endpoint: Endpoint, *, language: Language) -> str:
    """How the gateway is reached: its address, or the Service that a port is forwarded to."""
    service = endpoint.forwarded
    return language.text("port-forward", service=service) if service else str(endpoint.gateway_address)


def verdict(outcome: Outcome, *, language: Language) -> str:
    """An outcome as a label for a table cell."""
    if outcome.failure is not None:
        return explain(outcome.failure, outcome.endpoint, language=language).title
    if outcome.endpoint.cluster_local:
        return language.text("not-asked-label")
    return language.text("right" if outcome.endpoint.check else "answered-only")


def explain_service(report: ServiceReport | None, endpoint: Endpoint, *, language: Language) -> str | None:
    """State of the InferenceService for a failure; None if it was not read, or is the failure itself."""
    kind = "InferenceGraph" if endpoint.is_a_graph else "InferenceService"
    service = f"{kind} {endpoint.namespace}/{endpoint.service}"
    model = "" if endpoint.is_a_graph else f"{endpoint.service} "  # the doctor knows a graph's models, not graphs
    doctor = f"python -m predict doctor {model}-n {endpoint.namespace}"
    match report:
        case ServiceStatus(load_failure=None, not_true=()):
            return language.text("service-ready", service=service)
        case ServiceStatus(load_failure=None, not_true=conditions):
            listed = "; ".join(one_line(str(item)) for item in conditions)
            return language.text("service-not-ready", service=service, conditions=listed, doctor=doctor)
        case ServiceMissing():
            return language.text("service-missing", service=service, doctor=doctor)
        case StatusUnreadable(problem=problem):
            return language.text("service-unreadable", service=service, problem=problem)
        case _:
            return None


def display_name(model: str) -> str:
    """A model's name for a sentence: without `-model`, frameworks as they spell themselves, other words capitalised."""
    words = model.removesuffix("-model").split("-")
    return " ".join(SPELLING.get(word, word.capitalize()) for word in words)


def _metadata_command(endpoint: Endpoint) -> str:
    """A command that asks for the model's metadata and shows the connection."""
    before, address = endpoint.way_by_hand
    if endpoint.protocol != "grpc-v2":
        return f"{before}curl -v -H 'Host: {endpoint.host}' {address}{endpoint.metadata_path}"
    place = address.partition("://")[2]
    name = json.dumps({"name": endpoint.served_name})
    return (
        f"{before}grpcurl -v -plaintext -proto open_inference_grpc.proto -authority {endpoint.host} -d '{name}' "
        f"{place} {endpoint.metadata_path.removeprefix('/')}"
    )
