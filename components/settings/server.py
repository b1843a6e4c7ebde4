"""Settings of the containers that serve a model: its own server, its transformer and its explainer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from components.settings.environment import Variable, without_placeholder
from components.settings.errors import refuse
from components.settings.fields import (
    HOST_PORT,
    Key,
    LabelValue,
    Matching,
    Quantity,
    ResourceName,
    Section,
    VariableName,
    parse_quantity,
    without_keys,
)
from components.settings.modes import Replicas
from components.settings.pods import Affinity, DisruptionBudget, PriorityClass, TopologySpreads, Volumes
from components.settings.resource_profiles import PodResources

# Environment variables that a stack cannot set, and who sets them. Knative refuses its own and KServe refuses
# PYTHONPATH; KServe or one of its serving runtimes overwrites or duplicates the others.
RESERVED_VARIABLES: Mapping[str, str] = {
    **dict.fromkeys(("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"), "Knative"),
    **dict.fromkeys(("INFERENCE_SERVICE_NAME", "PROTOCOL_VERSION", "PYTHONPATH", "TS_SERVICE_ENVELOPE"), "KServe"),
    **dict.fromkeys(("MLSERVER_MODEL_NAME", "MLSERVER_MODEL_URI", "MLSERVER_MODEL_IMPLEMENTATION"), "KServe"),
    **dict.fromkeys(("MLSERVER_HTTP_PORT", "MLSERVER_GRPC_PORT", "STORAGE_URI", "PROTOCOL"), "KServe"),
}
# Label and annotation keys of pods that a stack cannot set, and why. One that ends with / is a prefix.
RESERVED_KEYS: Mapping[str, str] = {
    "kserve-multi-model/": "this program",
    "internal.serving.kserve.io/": "KServe",
    "serving.kserve.io/inferenceservice": "KServe",
    "serving.kserve.io/stop": "KServe, and would remove the model's servers",
    "serving.kserve.io/deploymentMode": "KServe; use `mode`",
    "serving.kserve.io/autoscalerClass": "KServe; use `replicas` and `scale`",
    "component": "KServe",
    "modelFormat": "KServe",
    "autoscaling.knative.dev/": "Knative; use `replicas` and `scale`",
    "serving.knative.dev/": "Knative; use `timeout`, `request_timeout` and `canary`",
    "networking.knative.dev/": "Knative, and could hide the model from the gateway",
    "kubectl.kubernetes.io/default-container": "Knative",
}
# Arguments of a format's server that a stack cannot set, and who sets them.
RESERVED_ARGUMENTS: Mapping[str, str] = {
    "--model_name": "`model_name`; use that",
    "--served-model-name": "`model_name`; use that",
    "--model_dir": "KServe, which puts the model's files there; leave it out",
    "--http_port": "KServe, which sends requests to it; leave it out",
}
# Knative's own ports in a model's pod.
RESERVED_PORTS = (8008, 8012, 8013, 8022, 9090, 9091)
# Port of KServe's SDK and of every serving runtime.
PORT = 8080
# Knative's default, in seconds.
REQUEST_TIMEOUT = 300

# The components of an InferenceService that KServe has besides the predictor.
ComponentType = Literal["transformer", "explainer"]
COMPONENT_TYPES: tuple[ComponentType, ...] = get_args(ComponentType)


def _unreserved_variable(name: str) -> str:
    if name in RESERVED_VARIABLES:
        raise ValueError(f"{name} is set by {RESERVED_VARIABLES[name]}; leave it out")
    return name


def _unreserved_argument(argument: str) -> str:
    for reserved, reason in RESERVED_ARGUMENTS.items():
        if argument == reserved or argument.startswith(f"{reserved}="):
            raise ValueError(f"{reserved} is set by {reason}")
    return without_placeholder(argument)


def _unreserved_key(key: str) -> str:
    for reserved, reason in RESERVED_KEYS.items():
        if key == reserved or (reserved.endswith("/") and key.startswith(reserved)):
            raise ValueError(f"{key} is reserved for {reason}")
    return key


def _unreserved_port(port: int) -> int:
    if port in RESERVED_PORTS:
        raise ValueError(f"{port} is a port that Knative uses itself; let the server listen at another")
    return port


ServerArguments = tuple[Annotated[str, AfterValidator(_unreserved_argument)], ...]
Environment = dict[Annotated[VariableName, AfterValidator(_unreserved_variable)], Variable]
PodLabels = dict[Annotated[Key, AfterValidator(_unreserved_key)], LabelValue]
PodAnnotations = dict[Annotated[Key, AfterValidator(_unreserved_key)], str]


class Resources(Section):
    """Resources of a container, by resource name."""

    requests: dict[ResourceName, Quantity] = Field(default_factory=dict, description="what the node reserves for it")
    limits: dict[ResourceName, Quantity] = Field(default_factory=dict, description="what it cannot exceed")

    @model_validator(mode="after")
    def _requests_within_limits(self) -> Self:
        both = {name: (amount, self.limits[name]) for name, amount in self.requests.items() if name in self.limits}
        over = [
            f"{name} {request} is more than its limit, {limit}"
            for name, (request, limit) in both.items()
            if parse_quantity(request) > parse_quantity(limit)
        ]
        under = [
            f"{name} {request} differs from its limit, {limit}: a device cannot be shared"
            for name, (request, limit) in both.items()
            if _is_a_device(name) and parse_quantity(request) < parse_quantity(limit)
        ]
        refuse(
            {
                "requests": "; ".join([*over, *under, *_fractions_of_devices(self.requests)]),
                "limits": "; ".join(_fractions_of_devices(self.limits)),
            }
        )
        return self

    def within(self, base: PodResources) -> PodResources:
        """Complete these so that, when KServe merges them into `base`, no request exceeds its limit."""
        requests, limits = dict(self.requests), dict(self.limits)
        for name in (*self.requests, *self.limits):
            if _is_a_device(name):
                requests[name] = limits[name] = self.limits.get(name) or self.requests[name]
            elif name in base.limits:
                least = min(base.requests[name], limits.get(name, base.requests[name]), key=parse_quantity)
                request = requests.setdefault(name, least)
                limits.setdefault(name, max(base.limits[name], request, key=parse_quantity))
        return PodResources(requests=requests, limits=limits)


def _is_a_device(name: str) -> bool:
    """Whether Kubernetes gives whole units of the resource to one container each, as it does with GPUs."""
    return "/" in name


def _fractions_of_devices(amounts: Mapping[str, str]) -> list[str]:
    return [
        f"{name} {amount} is not a whole number"
        for name, amount in amounts.items()
        if _is_a_device(name) and parse_quantity(amount) % 1
    ]


class Toleration(Section):
    """A node taint that the model's pods tolerate."""

    key: Key | None = Field(default=None, description="the taint's key; every taint when left out")
    operator: Literal["Equal", "Exists"] = Field(
        default="Equal", description="whether the taint's value must be equal, or can be any"
    )
    value: LabelValue | None = Field(default=None, description="the taint's value")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="the taint's effect; any when left out"
    )
    seconds: int | None = Field(
        default=None,
        ge=0,
        description="how long a running pod stays on a node that gets the taint; forever if left out",
    )

    @model_validator(mode="after")
    def _kubernetes_accepts_it(self) -> Self:
        exists = self.operator == "Exists"
        refuse(
            {
                "key": "is missing; to tolerate every taint, use operator Exists" if not (self.key or exists) else None,
                "value": "has no effect with operator Exists; drop it, or use Equal" if exists and self.value else None,
                "seconds": (
                    "needs effect NoExecute: no other effect ends a running pod"
                    if self.seconds is not None and self.effect != "NoExecute"
                    else None
                ),
            }
        )
        return self


class ContainerSettings(Section):
    """A model server of your own, instead of a serving runtime; it speaks the model's protocol."""

    image: Annotated[
        str,
        Matching(
            pattern=r"[A-Za-z0-9][A-Za-z0-9._:/@-]*",
            what="image: write it like registry.example.com/team/server:v1",
            longest=512,
        ),
    ] = Field(description="its image, with a tag or digest")
    command: tuple[str, ...] = Field(default=(), description="replaces the image's entrypoint")
    args: tuple[str, ...] = Field(default=(), description="replaces the image's arguments")
    port: Annotated[int, AfterValidator(_unreserved_port)] | None = Field(
        default=None, ge=1, le=65535, description="where it serves the protocol; 8080 when left out, 8081 for grpc-v2"
    )
    ready_path: Annotated[str, Matching(pattern=r"/\S*", what="path: begin it with /")] | None = Field(
        default=None,
        description="path that returns an error until the model is loaded; the one of v1 or v2 when left out. With "
        "grpc-v2 it is requested at port 8080; without it, the server is ready when its port is open",
    )


class Component(Section):
    """A container of your own that runs in pods beside the model's server and sends requests to it."""

    image: Annotated[
        str, Matching(pattern=r"\S+", what="image: write it like registry.example/team/name:tag", longest=512)
    ] = Field(description="its image; its program gets KServe's arguments, --model_name and --predictor_host")
    command: list[str] = Field(default_factory=list, description="replaces the image's entrypoint")
    args: list[str] = Field(default_factory=list, description="arguments before KServe's own")
    replicas: Replicas = Replicas()
    concurrency: int | None = Field(
        default=None, ge=1, le=1000, description="most requests that one pod gets at a time; no limit when left out"
    )
    request_timeout: int | None = Field(
        default=None,
        ge=1,
        le=600,
        description=f"seconds for a request, the model's share included; {REQUEST_TIMEOUT} when left out",
    )
    resources: Resources | None = None
    environment: Environment = Field(
        default_factory=dict,
        description="environment variables of its container: name to text, which is not kept secret, or to "
        "`{secret: NAME, key: KEY}` for a key of an existing Secret",
    )
    volumes: Volumes = ()
    node_selector: dict[Key, LabelValue] = Field(default_factory=dict, description="labels that its nodes must have")
    tolerations: tuple[Toleration, ...] = ()
    affinity: Affinity | None = None
    topology_spread: TopologySpreads = ()
    priority_class: PriorityClass | None = Field(default=None, description="an existing PriorityClass for its pods")
    disruption_budget: DisruptionBudget | None = None

    @model_validator(mode="after")
    def _can_be_evicted(self) -> Self:
        budget = self.disruption_budget
        refuse({"disruption_budget": budget.never_allows(self.replicas) if budget else None})
        return self


class Transformer(Component):
    """A container in front of the model that converts requests for the model, and the model's responses."""

    port: int = Field(default=PORT, ge=1, le=65535, description="where it listens; passed to it as --http_port")


class Explainer(Component):
    """A container that explains predictions; for each explanation it sends the model as many requests as it likes.

    It listens at port 8080, as KServe tells every explainer.
    """


def longest_model_name(component: ComponentType) -> int:
    """Most characters in the name of a model that has this component.

    Knative puts the name into the name of the component's Deployment, and Kubernetes allows 63 characters there.
    """
    return 63 - len(f"-{component}-00001-deployment")


class Batcher(Section):
    """Combines the rows of several requests into one prediction; a request waits until either limit is reached."""

    max_batch_size: int = Field(ge=1, description="rows in a full batch")
    max_latency: int = Field(ge=1, description="milliseconds after which a smaller batch is sent")


class Logger(Section):
    """Posts a copy of each request and response to a URL, as CloudEvents."""

    url: str = Field(description="where they are posted, as http://host:port/path")
    mode: Literal["all", "request", "response"] = Field(default="all", description="what is posted")

    @field_validator("url")
    @classmethod
    def _is_an_http_url(cls, url: str) -> str:
        if not re.fullmatch(rf"https?://{HOST_PORT}(/\S*)?", url):
            raise ValueError(f"{without_keys(url)!r} is not an HTTP URL; write http://host:port/path")
        return url


class BanditSettings(Section):
    """A service beside the model that collects rewards and sends most requests to the version with higher rewards."""

    epsilon: float = Field(
        default=0.1, ge=0, le=1, description="share of the requests that goes to a random version, whatever its rewards"
    )
    image: str | None = Field(
        default=None, min_length=1, description="its image; the mirror's when left out, required without a mirror"
    )


class Canary(Section):
    """A new version on trial: it gets some of the requests, and the previous version gets the others."""

    traffic: int = Field(
        ge=0, le=100, description="per cent of the requests for the new version; 0 rolls back, 100 promotes it"
    )
    bandit: BanditSettings | None = None
