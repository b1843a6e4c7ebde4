"""The stack output `endpoints`: where each model answers and what it must answer."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    WrapValidator,
    model_validator,
)

from endpoints.tensors import is_numeric_tensor

Path = Annotated[str, StringConstraints(pattern="^/")]
Text = Annotated[str, StringConstraints(min_length=1)]


class Check(BaseModel):
    """A prediction with a known result: `instances` (rows to send), `predictions` (one a row), absolute `tolerance`.

    With `explanations`, the model's explainer is asked about the same rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instances: list[JsonValue] = Field(min_length=1, description="rows to send")
    predictions: list[JsonValue] = Field(min_length=1, description="the expected result of each row")
    explanations: list[JsonValue] | None = Field(
        default=None, min_length=1, description="what the model's explainer must return for the same rows"
    )
    tolerance: float = Field(
        default=1e-6, ge=0, allow_inf_nan=False, description="largest difference allowed between two numbers"
    )

    @property
    def sent(self) -> JsonValue:
        """The content of the request."""
        return list(self.instances)

    @property
    def expected(self) -> JsonValue:
        """The predictions that must come back."""
        return list(self.predictions)


class GraphCheck(BaseModel):
    """A request with a known answer: `response` lists what of an object must come back; absolute `tolerance`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: JsonValue = Field(description="what to send: any JSON")
    response: JsonValue = Field(description="what must come back; an object may come back with more fields than these")
    tolerance: float = Field(
        default=1e-6, ge=0, allow_inf_nan=False, description="largest difference allowed between two numbers"
    )

    @property
    def sent(self) -> JsonValue:
        """The content of the request."""
        return self.request

    @property
    def expected(self) -> JsonValue:
        """The predictions that must come back."""
        return self.response


def _check_of_its_kind(exported: object, _: object, info: ValidationInfo) -> Check | GraphCheck | None:
    kind = GraphCheck if info.data.get("protocol") == "graph" else Check
    return None if exported is None else kind.model_validate(exported)


class Endpoint(BaseModel):
    """Where one model or graph answers, and what it must answer.

    Attributes:
        gateway_address: where requests go, as `http://host:port`.
        host: the `Host` header, by which the gateway selects the model.
        explain_path: path of the explainer, for a model that has one.
        context: kube-context of the cluster; None for the current one.
        versions: of a model with a canary, the headers that select a version, by the version's name.
        bandit: of a model with a bandit, the host of the service that takes rewards.
        service_name: the InferenceService's name, where it differs from `name`, the stack's name for the model.
        model_name: the model's name in requests, where it differs from that.
        cluster_local: whether it is reached from inside the cluster only; `url` and `host` are those of the inside.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Text
    namespace: Text
    url: Text
    host: Text
    protocol: Literal["v1", "v2", "grpc-v2", "openai", "graph"]
    predict_path: Path
    metadata_path: Path
    explain_path: Path | None = None
    gateway_address: Annotated[str, StringConstraints(pattern=r"^https?://[^/]+$")]
    context: str | None = None
    check: Annotated[Check | GraphCheck | None, WrapValidator(_check_of_its_kind)] = None
    versions: dict[Text, dict[Text, Text]] = Field(default_factory=dict)
    bandit: Text | None = None
    service_name: Text | None = None
    model_name: Text | None = None
    cluster_local: bool = False

    @property
    def served_name(self) -> str:
        """The model's name in requests."""
        return self.model_name or self.service

    @property
    def service(self) -> str:
        """Name of the InferenceService or InferenceGraph."""
        return self.service_name or self.name

    @property
    def is_a_graph(self) -> bool:
        """Whether it is an InferenceGraph, and not an InferenceService."""
        return self.protocol == "graph"

    @model_validator(mode="after")
    def _explains_by_v1(self) -> Self:
        asked = isinstance(self.check, Check) and self.check.explanations is not None
        if asked and (self.explain_path is None or self.protocol != "v1"):
            raise ValueError("check.explanations needs an explain_path, and protocol v1")
        return self

    @model_validator(mode="after")
    def _v2_sends_one_tensor(self) -> Self:
        check = self.check if isinstance(self.check, Check) and self.protocol in {"v2", "grpc-v2"} else None
        if check and not is_numeric_tensor(check.instances):
            raise ValueError(
                f"protocol {self.protocol} sends check.instances as one FP64 tensor: rows of one width, numbers only"
            )
        return self


def parse_endpoints(document: JsonValue) -> Mapping[str, Endpoint]:
    """Read a map of endpoints by name, or a stack's outputs that have it under `endpoints`; it may be empty.

    Raises:
        pydantic.ValidationError: it names the path of every bad field.

    """
    inner = document.get("endpoints") if isinstance(document, dict) else None
    # A model may be called "endpoints": then the object under that name is an endpoint, not a map of them.
    if isinstance(inner, dict) and "predict_path" not in inner:
        document = inner
    return _ENDPOINTS.validate_python(document)


def _named_by_key(endpoints: dict[str, Endpoint]) -> dict[str, Endpoint]:
    for key, endpoint in endpoints.items():
        if key != endpoint.name:
            raise ValueError(f"the endpoint under {key!r} has the name {endpoint.name!r}")
    return endpoints


_ENDPOINTS = TypeAdapter(Annotated[dict[str, Endpoint], AfterValidator(_named_by_key)])
