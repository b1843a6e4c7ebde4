"""What a stack says of one model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, ValidationInfo, field_validator, model_validator

from components.field_types import Quantity, ResourceName, Section, matching, without_keys
from components.footprint import PodResources
from components.problems import refuse
from components.quantities import parse_quantity
from components.releases import Release, ServingRuntime

# Knative names a model's Deployment after it, and Kubernetes allows 63 characters.
LONGEST_NAME = 63 - len("-predictor-00001-deployment")
LONGEST_HOST = 253
SCHEMES = ("s3", "gs", "hf", "http", "https", "hdfs", "webhdfs", "oci", "pvc")
SCHEMES_OF_KIND = {"s3": ("s3",)}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a model refers to elsewhere in the settings; None where that part cannot be read.

    Attributes:
        storage: name → kind.
        suffix: what follows a model's name in its host name, as `.default.example.com`.

    """

    release: Release | None
    storage: Mapping[str, str] | None
    mode: str
    suffix: str = ""


class Replicas(Section):
    """How many servers of a model there are, at least and at most; 0 lets it sleep while nobody asks."""

    min: int = Field(default=1, ge=0, description="servers that always run; 0 lets the model sleep")
    max: int = Field(default=1, ge=1, description="servers at the most")

    @model_validator(mode="after")
    def _min_up_to_max(self) -> Self:
        refuse({"min": f"{self.min} is more than max, {self.max}" if self.min > self.max else None})
        return self


class Scale(Section):
    """How Knative scales a model."""

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


class Check(Section):
    """A prediction with a known result, asked after a deployment."""

    instances: list[JsonValue] = Field(min_length=1, description="rows to send")
    predictions: list[JsonValue] = Field(min_length=1, description="what must come back, one a row")
    tolerance: float = Field(default=1e-6, ge=0, allow_inf_nan=False, description="how far a number may be off")

    @model_validator(mode="after")
    def _one_prediction_a_row(self) -> Self:
        rows, answers = len(self.instances), len(self.predictions)
        refuse({"predictions": f"are {answers} for {rows} instances; give one a row" if rows != answers else None})
        return self

    @property
    def is_a_matrix(self) -> bool:
        """Whether the instances are numbers alone, nested to the same lengths everywhere."""
        return _shape(self.instances) is not None


def _shape(value: JsonValue) -> tuple[int, ...] | None:
    """The lengths of nested lists of numbers, outermost first; None where they differ or something is no number."""
    if not isinstance(value, list):
        return () if isinstance(value, int | float) and not isinstance(value, bool) else None
    inner = {_shape(item) for item in value}
    shape = inner.pop() if len(inner) == 1 else None
    return None if shape is None else (len(value), *shape)


class Model(Section):
    """A model to serve."""

    name: Annotated[
        str,
        matching(
            r"[a-z]([-a-z0-9]*[a-z0-9])?",
            what=f"model name: start with a letter, use up to {LONGEST_NAME} of a-z, 0-9 and -, not - at the end",
            longest=LONGEST_NAME,
        ),
    ]
    format: str = Field(min_length=1, description="a model format of the release, as sklearn")
    version: str | None = Field(default=None, min_length=1, description="the format's version")
    storage_uri: str = Field(description="where its files are, as s3://bucket/folder")
    storage: str | None = Field(default=None, description="a name under `storage`, whose keys open storage_uri")
    protocol: Literal["v1", "v2"] = Field(default="v1", description="KServe's v1 or the open inference protocol, v2")
    runtime: str | None = Field(default=None, description="a serving runtime; KServe chooses one when left out")
    replicas: Replicas = Replicas()
    scale: Scale = Scale()
    resources: Resources | None = None
    timeout: int = Field(default=600, ge=30, le=3600, description="seconds it may take to become ready")
    check: Check | None = None

    @field_validator("storage_uri")
    @classmethod
    def _is_a_storage_uri(cls, uri: str) -> str:
        scheme, separator, rest = uri.partition("://")
        if not separator or scheme not in SCHEMES:
            known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
            raise ValueError(f"{without_keys(uri)!r} has no known scheme; use one of {known}")
        if not re.fullmatch(r"[^/\s]+(/\S*)?", rest):
            raise ValueError(f"{without_keys(uri)!r} names no place; write {scheme}://<bucket or host>/<path>")
        return uri

    @model_validator(mode="after")
    def _fits_its_surroundings(self, info: ValidationInfo) -> Self:
        around = info.context
        if not isinstance(around, Surroundings):
            raise TypeError("a model is checked against its surroundings: pass them as the validation's context")
        runtime_field = "runtime" if self.runtime else "format"
        refuse(
            {
                "storage": self._storage_problem(around),
                runtime_field: self._runtime_problem(around.release) if around.release else None,
                "name": self._name_problem(around.suffix),
                "check": self._check_problem(),
                "replicas": (
                    f"min 0 needs mode Knative: in mode {around.mode} a model cannot scale to zero"
                    if self.replicas.min == 0 and around.mode != "Knative"
                    else None
                ),
            }
        )
        return self

    def _name_problem(self, suffix: str) -> str | None:
        length = len(self.name + suffix)
        if length <= LONGEST_HOST:
            return None
        return f"makes a host name of {length} characters, {self.name}{suffix}; {LONGEST_HOST} are allowed"

    def _check_problem(self) -> str | None:
        if self.protocol != "v2" or self.check is None or self.check.is_a_matrix:
            return None
        return "protocol v2 sends `instances` as one tensor: make them rows of numbers, all of one length"

    def _storage_problem(self, around: Surroundings) -> str | None:
        if self.storage is None or around.storage is None:
            return None
        if self.storage not in around.storage:
            return f"{self.storage!r} is not under the stack's `storage`, which has {_listed(around.storage)}"
        kind = around.storage[self.storage]
        if self.storage_uri.partition("://")[0] not in SCHEMES_OF_KIND.get(kind, SCHEMES):
            return f"{self.storage!r} is of kind {kind}, which does not open {self.storage_uri!r}"
        return None

    def _runtime_problem(self, release: Release) -> str | None:
        version = f" {self.version}" if self.version else ""
        asked = f"{self.format!r}{version} with protocol {self.protocol}"
        where = f'release "{release.name}"'
        if self.runtime is None:
            if any(self._may_choose(runtime) for runtime in release.runtimes):
                return None
            return f"{asked} has no serving runtime in {where}; it has {_served_by(release.runtimes)}"
        named = [runtime for runtime in release.runtimes if runtime.name == self.runtime]
        if not named:
            return f"{self.runtime!r} is not in {where}; it has {_listed(r.name for r in release.runtimes)}"
        if not named[0].serves(format_name=self.format, version=self.version, protocol=self.protocol):
            return f"{self.runtime!r} does not serve {asked}; it serves {_served_by(named)}"
        return None

    def _may_choose(self, runtime: ServingRuntime) -> bool:
        return runtime.chosen_for(format_name=self.format, version=self.version, protocol=self.protocol)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _served_by(runtimes: Iterable[ServingRuntime]) -> str:
    """Every format and version once, with the protocols of the runtimes that serve it."""
    protocols: dict[str, dict[str, None]] = {}
    for runtime in runtimes:
        for model_format in runtime.formats:
            served = protocols.setdefault(f"{model_format.name} {model_format.version}", {})
            served.update(dict.fromkeys(runtime.protocols))
    return _listed(f"{served} ({', '.join(by)})" for served, by in protocols.items())
