"""What a language is: every text the check may say, and how a failure becomes words."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

from endpoints import failures as f
from endpoints.endpoint import Endpoint
from kube.inference_service import ServiceMissing, ServiceReport, ServiceStatus, StatusUnreadable
from predict.outcome import Outcome


class Words(NamedTuple):
    """A failure in words: `label` for a table cell, then the `cause`, then the `advice`."""

    label: str
    cause: str
    advice: str


@dataclass(frozen=True, kw_only=True)
class Language:
    """All texts of one language; names in braces are filled in by `str.format`."""

    answered: str
    not_compared: str
    failed: str
    summary: str
    right: str
    answered_only: str
    columns: tuple[str, str, str, str, str, str, str]
    asking: str
    waiting: str
    reading_stack: str
    interrupted: str
    no_pulumi: str
    unusable_pulumi: str
    pulumi_failed: str
    unreadable_file: str
    unwritable_file: str
    not_json: str
    bad_fields: str
    unknown_model: str
    two_sources: str
    no_models: str
    service_ready: str
    service_not_ready: str
    service_missing: str
    service_unreadable: str
    failures: Mapping[type[f.Failure], Words]

    def words(self, failure: f.Failure, endpoint: Endpoint) -> Words:
        """Put a failure of an endpoint into words."""
        kind = "inferencegraph" if endpoint.is_a_graph else "inferenceservice"
        pods = f"-n {endpoint.namespace} -l serving.kserve.io/{kind}={endpoint.name}"
        container = "user-container" if endpoint.is_a_graph else "kserve-container"
        facts = {
            "name": endpoint.name,
            "namespace": endpoint.namespace,
            "host": endpoint.host,
            "gateway": endpoint.gateway_address,
            "protocol": endpoint.protocol,
            "kind": kind,
            "curl": _command(endpoint),
            "logs": f"kubectl logs {pods} -c {container}",
            "storage_logs": f"kubectl logs {pods} -c storage-initializer",
            "explainer_logs": f"kubectl logs {pods},component=explainer -c {container}",
            # Sentences end here, not in the quoted text.
            **{key: value.rstrip(".") if isinstance(value, str) else value for key, value in asdict(failure).items()},
        }
        return Words(*(text.format(**facts) for text in self.failures[type(failure)]))

    def verdict(self, outcome: Outcome) -> str:
        """Give an outcome as a label."""
        if outcome.failure is not None:
            return self.words(outcome.failure, outcome.endpoint).label
        return self.right if outcome.endpoint.check else self.answered_only

    def service(self, report: ServiceReport | None, endpoint: Endpoint) -> str | None:
        """Say what KServe's own object adds to a failure; None if it was not asked, or is the failure itself."""
        kind = "InferenceGraph" if endpoint.is_a_graph else "InferenceService"
        service = f"{kind} {endpoint.namespace}/{endpoint.name}"
        asked = "" if endpoint.is_a_graph else f"{endpoint.name} "  # a graph is as well as its models are
        doctor = f"python -m predict doctor {asked}-n {endpoint.namespace}"
        match report:
            case ServiceStatus(load_failure=None, not_true=()):
                return self.service_ready.format(service=service)
            case ServiceStatus(load_failure=None, not_true=conditions):
                stated = "; ".join(map(str, conditions))
                return self.service_not_ready.format(service=service, conditions=stated, doctor=doctor)
            case ServiceMissing():
                return self.service_missing.format(service=service, doctor=doctor)
            case StatusUnreadable(problem=problem):
                return self.service_unreadable.format(service=service, problem=problem)
            case _:
                return None


def _command(endpoint: Endpoint) -> str:
    """A command that asks for the model's metadata, and shows what is between."""
    if endpoint.protocol != "grpc-v2":
        return f"curl -v -H 'Host: {endpoint.host}' {endpoint.gateway_address}{endpoint.metadata_path}"
    place = endpoint.gateway_address.partition("://")[2]
    name = json.dumps({"name": endpoint.name})
    return (
        f"grpcurl -v -plaintext -proto open_inference_grpc.proto -authority {endpoint.host} -d '{name}' {place} "
        f"{endpoint.metadata_path.removeprefix('/')}"
    )


def display_name(model: str) -> str:
    """Name a model in a sentence: without `-model`, frameworks as they spell themselves, other words capitalised."""
    spelling = {
        "xgboost": "XGBoost",
        "lightgbm": "LightGBM",
        "pytorch": "PyTorch",
        "tensorflow": "TensorFlow",
        "onnx": "ONNX",
    }
    words = model.removesuffix("-model").split("-")
    return " ".join(spelling.get(word, word.capitalize()) for word in words)
