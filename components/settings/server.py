"""What a stack says of a model's server: how many, how large and where, and which requests it gets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from components.settings.errors import refuse
from components.settings.fields import (
    HOST_PORT,
    Key,
    LabelValue,
    Quantity,
    ResourceName,
    Section,
    VariableName,
    without_keys,
)
from components.settings.quantities import parse_quantity
from components.settings.resource_profiles import PodResources

# Variables of a server that are not the stack's to set, and whose they are: Knative refuses its own, KServe
# PYTHONPATH; the others KServe or a serving runtime of it writes, over what stands there or beside it.
TAKEN_VARIABLES: Mapping[str, str] = {
    **dict.fromkeys(("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"), "Knative"),
    **dict.fromkeys(("INFERENCE_SERVICE_NAME", "PROTOCOL_VERSION", "PYTHONPATH", "TS_SERVICE_ENVELOPE"), "KServe"),
    **dict.fromkeys(("MLSERVER_MODEL_NAME", "MLSERVER_MODEL_URI", "MLSERVER_MODEL_IMPLEMENTATION"), "KServe"),
    **dict.fromkeys(("MLSERVER_HTTP_PORT", "MLSERVER_GRPC_PORT", "STORAGE_URI", "PROTOCOL"), "KServe"),
}
# Keys of pods that are not the stack's to set, and why; one that ends with / stands for all that begin so.
TAKEN_KEYS: Mapping[str, str] = {
    "kserve-multi-model/": "this program's own",
    "internal.serving.kserve.io/": "KServe's own",
    "serving.kserve.io/inferenceservice": "KServe's own",
    "serving.kserve.io/stop": "KServe's own, and would remove the model's servers",
    "serving.kserve.io/deploymentMode": "KServe's own; use `mode`",
    "serving.kserve.io/autoscalerClass": "KServe's own; use `replicas` and `scale`",
    "component": "KServe's own",
    "modelFormat": "KServe's own",
    "autoscaling.knative.dev/": "Knative's own; use `replicas` and `scale`",
    "serving.knative.dev/": "Knative's own; use `timeout`, `request_timeout` and `canary`",
    "networking.knative.dev/": "Knative's own, and could hide the model from the gateway",
    "kubectl.kubernetes.io/default-container": "Knative's own",
}
# What Knative gives a request that says nothing itself, in seconds.
REQUEST_TIMEOUT = 300


def _free_variable(name: str) -> str:
    if name in TAKEN_VARIABLES:
        raise ValueError(f"{name} is {TAKEN_VARIABLES[name]}'s to set; leave it out")
    return name


def _no_placeholder(text: str) -> str:
    if "{{" in text:
        raise ValueError("has '{{' in it, which KServe takes for a placeholder of its own; write it in another way")
    return text


def _free_key(key: str) -> str:
    for taken, why in TAKEN_KEYS.items():
        if key == taken or (taken.endswith("/") and key.startswith(taken)):
            raise ValueError(f"{key} is {why}")
    return key


Environment = dict[
    Annotated[VariableName, AfterValidator(_free_variable)], Annotated[str, AfterValidator(_no_placeholder)]
]
PodLabels = dict[Annotated[Key, AfterValidator(_free_key)], LabelValue]
PodAnnotations = dict[Annotated[Key, AfterValidator(_free_key)], str]


class Replicas(Section):
    """How many servers of a model there are, at least and at most; 0 lets it sleep while nobody asks."""

    min: int = Field(default=1, ge=0, description="servers that always run; 0 lets the model sleep")
    max: int = Field(default=1, ge=1, description="servers at the most")

    @model_validator(mode="after")
    def _min_up_to_max(self) -> Self:
        refuse({"min": f"{self.min} is more than max, {self.max}" if self.min > self.max else None})
        return self


class Scale(Section):
    """How a model is scaled between `replicas.min` and `replicas.max`."""

    metric: Literal["concurrency", "rps", "cpu", "memory"] | None = Field(
        default=None,
        description="what is counted: requests at a time (mode Knative's own) or a second; in mode Standard the use of "
        "cpu (its own) or memory",
    )
    target: int | None = Field(
        default=None,
        ge=1,
        description="how much of it a server should have; 100 at a time, 200 a second, 80 per cent of the cpu it "
        "requests if left out",
    )
    window: int | None = Field(
        default=None, ge=6, le=3600, description="seconds over which requests are averaged; 60 when left out"
    )


class Resources(Section):
    """What a model's server asks of a node, by resource name."""

    requests: dict[ResourceName, Quantity] = Field(default_factory=dict, description="what is kept free for it")
    limits: dict[ResourceName, Quantity] = Field(default_factory=dict, description="what it may not exceed")

    @model_validator(mode="after")
    def _requests_within_limits(self) -> Self:
        both = {name: (amount, self.limits[name]) for name, amount in self.requests.items() if name in self.limits}
        over = [
            f"{name} {request} is more than its limit, {limit}"
            for name, (request, limit) in both.items()
            if parse_quantity(request) > parse_quantity(limit)
        ]
        under = [
            f"{name} {request} is not its limit, {limit}: a device is not shared"
            for name, (request, limit) in both.items()
            if _is_a_device(name) and parse_quantity(request) < parse_quantity(limit)
        ]
        refuse(
            {
                "requests": "; ".join([*over, *under, *_parts_of_devices(self.requests)]),
                "limits": "; ".join(_parts_of_devices(self.limits)),
            }
        )
        return self

    def within(self, base: PodResources) -> PodResources:
        """These, completed so that no request is more than its limit once they are laid over `base`."""
        requests, limits = dict(self.requests), dict(self.limits)
        for name in (*self.requests, *self.limits):
            if _is_a_device(name):
                requests[name] = limits[name] = self.limits.get(name) or self.requests[name]
            elif name in base.limits:
                least = min(base.requests[name], limits.get(name, base.requests[name]), key=parse_quantity)
                asked = requests.setdefault(name, least)
                limits.setdefault(name, max(base.limits[name], asked, key=parse_quantity))
        return PodResources(requests=requests, limits=limits)


def _is_a_device(name: str) -> bool:
    """Whether Kubernetes gives it out in whole pieces to one container each, as it does GPUs."""
    return "/" in name


def _parts_of_devices(amounts: Mapping[str, str]) -> list[str]:
    return [
        f"{name} {amount} is no whole number"
        for name, amount in amounts.items()
        if _is_a_device(name) and parse_quantity(amount) % 1
    ]


class Toleration(Section):
    """A taint that keeps other pods off some nodes, but not this model's."""

    key: Key | None = Field(default=None, description="the taint's key; every taint's when left out")
    operator: Literal["Equal", "Exists"] = Field(
        default="Equal", description="whether the value must be the taint's, or may be any"
    )
    value: LabelValue | None = Field(default=None, description="the taint's value")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="the taint's effect; any when left out"
    )
    seconds: int | None = Field(
        default=None, ge=0, description="how long a running server stays on a node that gets it; for ever if left out"
    )

    @model_validator(mode="after")
    def _is_one_of_kubernetes(self) -> Self:
        exists = self.operator == "Exists"
        refuse(
            {
                "key": "is missing; to mean every taint, use operator Exists" if not (self.key or exists) else None,
                "value": "has no effect with operator Exists; drop it, or use Equal" if exists and self.value else None,
                "seconds": (
                    "needs effect NoExecute: only that one ends a running server"
                    if self.seconds is not None and self.effect != "NoExecute"
                    else None
                ),
            }
        )
        return self


class Batcher(Section):
    """Collects the rows of several requests for one prediction; a request waits until either is reached."""

    max_batch_size: int = Field(ge=1, description="rows that make a batch")
    max_latency: int = Field(ge=1, description="milliseconds after which a smaller one is sent")


class Logger(Section):
    """Sends a copy of requests and responses elsewhere, as CloudEvents."""

    url: str = Field(description="where they are posted, as http://host:port/path")
    mode: Literal["all", "request", "response"] = Field(default="all", description="which of the two")

    @field_validator("url")
    @classmethod
    def _is_posted_to(cls, url: str) -> str:
        if not re.fullmatch(rf"https?://{HOST_PORT}(/\S*)?", url):
            raise ValueError(f"{without_keys(url)!r} is no URL to post to; write http://host:port/path")
        return url


class Bandit(Section):
    """A service beside the model that takes rewards, and gives the version with the better ones most requests."""

    epsilon: float = Field(
        default=0.1, ge=0, le=1, description="share of the requests that goes to any version, however it is rewarded"
    )
    image: str | None = Field(
        default=None, min_length=1, description="its image; the mirror's when left out, and needed without a mirror"
    )


class Canary(Section):
    """A new version on trial: it gets a part of the requests, the last one that had them all gets the others."""

    traffic: int = Field(
        ge=0, le=100, description="per cent of the requests for the new version; 0 rolls back, 100 promotes it"
    )
    bandit: Bandit | None = None
