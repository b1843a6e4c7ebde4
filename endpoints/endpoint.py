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


class GatewayService(BaseModel):
    """The Service of a gateway, for clients that no address leads to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    namespace: Text
    name: Text
    port: int = Field(default=80, ge=1, le=65535, description="the Service's port for HTTP")

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def port_forward(self, *, context: str | None = None, local_port: int = 8080) -> str:
        """Command that forwards a port of this machine to it."""
        where = f"{f'--context {context} ' if context else ''}-n {self.namespace}"
        return f"kubectl {where} port-forward service/{self.name} {local_port}:{self.port}"


class Endpoint(BaseModel):
    """Where one model or graph answers, and what it must answer.

    Attributes:
        gateway_address: where requests go, as `http://host:port`. None where nothing leads to the gateway from outside
            the cluster: then requests go through a port-forward to `gateway_service`.
        gateway_service: the gateway's Service; None if it is not known.
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
    gateway_address: Annotated[str, StringConstraints(pattern=r"^https?://[^/]+$")] | None = None
    gateway_service: GatewayService | None = None
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

    @property
    def forwarded(self) -> GatewayService | None:
        """The Service that requests reach through a port-forward; None where there is an address."""
        return None if self.gateway_address else self.gateway_service

    @property
    def way_by_hand(self) -> tuple[str, str]:
        """What a shell has to do before a request, and the address that it then sends the request to."""
        if self.forwarded is None:
            return "", str(self.gateway_address)
        return f"{self.forwarded.port_forward(context=self.context)} & sleep 3; ", "http://127.0.0.1:8080"

    @model_validator(mode="after")
    def _leads_to_a_gateway(self) -> Self:
        if self.gateway_address is None and self.gateway_service is None:
            raise ValueError("needs a gateway_address, or a gateway_service to forward a port to")
        return self

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
