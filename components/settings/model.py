"""What a stack says of one model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, ValidationInfo, field_validator, model_validator

from components.settings.companion import COMPANIONSHIPS, Companion, Companionship, Explainer, Transformer, longest_name
from components.settings.container import Container
from components.settings.errors import Location, refuse
from components.settings.fields import DOMAIN, Key, LabelValue, Name, Section, matching, without_keys
from components.settings.modes import Mode, problems_with_mode
from components.settings.server import (
    REQUEST_TIMEOUT,
    Batcher,
    Canary,
    Environment,
    Logger,
    PodAnnotations,
    PodLabels,
    Replicas,
    Resources,
    Scale,
    Toleration,
)
from releases.types import GRPC_V2, Release, ServingRuntime

# Knative names a model's Deployment after it, and Kubernetes allows 63 characters.
LONGEST_NAME = 63 - len("-predictor-00001-deployment")
LONGEST_HOST = 253
SCHEMES = ("s3", "gs", "hf", "http", "https", "hdfs", "webhdfs", "oci", "pvc")
SCHEMES_OF_KIND = {"s3": ("s3",)}
GPU = "nvidia.com/gpu"
# What KServe passes to what stands beside a model's server.
PROTOCOLS_OF: Mapping[Companionship, tuple[str, ...]] = {"transformer": ("v1", "v2"), "explainer": ("v1",)}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a model refers to elsewhere in the settings; None where that part cannot be read.

    Attributes:
        storage: name → kind.
        namespace: of a model that names none.
        domain: what host names end with.
        mirrored: whether there is a mirror of images.
        models: name → protocol, for graphs.

    """

    release: Release | None
    storage: Mapping[str, str] | None
    mode: Mode | None
    namespace: str = "default"
    domain: str = ""
    mirrored: bool = False
    models: Mapping[str, str] | None = None


class Check(Section):
    """A prediction with a known result, asked after a deployment."""

    instances: list[JsonValue] = Field(min_length=1, description="rows to send")
    predictions: list[JsonValue] = Field(min_length=1, description="what must come back, one a row")
    explanations: list[JsonValue] | None = Field(
        default=None, min_length=1, description="what the model's explainer must say of the same rows"
    )
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


def _or_the_stacks(mode: object, info: ValidationInfo) -> object:
    if mode is not None:
        return mode
    around = info.context
    return (around.mode if isinstance(around, Surroundings) else None) or "Knative"


# A model's or a graph's; the stack's where it says none.
OwnMode = Annotated[Mode, BeforeValidator(_or_the_stacks, json_schema_input_type=Mode)]


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
    namespace: Name | None = Field(
        default=None, description="the namespace it lives in, made when missing; `cluster.namespace` when left out"
    )
    format: str | None = Field(default=None, min_length=1, description="a model format of the release, as sklearn")
    container: Container | None = None
    version: str | None = Field(default=None, min_length=1, description="the format's version")
    storage_uri: str | None = Field(
        default=None, description="where its files are, as s3://bucket/folder; a container may do without"
    )
    storage: str | None = Field(default=None, description="a name under `storage`, whose keys open storage_uri")
    protocol: Literal["v1", "v2", "grpc-v2", "openai"] = Field(
        default="v1",
        description="KServe's v1, the open inference protocol (v2 over HTTP, grpc-v2 over gRPC), or vLLM's openai",
    )
    runtime: str | None = Field(default=None, description="a serving runtime; KServe chooses one when left out")
    mode: OwnMode = Field(
        default=None, validate_default=True, description="how KServe runs it; as the stack's `mode` says when left out"
    )
    replicas: Replicas = Replicas()
    scale: Scale = Scale()
    concurrency: int | None = Field(
        default=None, ge=1, le=1000, description="requests a server gets at a time, at the most; no limit when left out"
    )
    request_timeout: int | None = Field(
        default=None, ge=1, le=600, description=f"seconds a request may take; {REQUEST_TIMEOUT} when left out"
    )
    resources: Resources | None = None
    gpus: int | None = Field(default=None, ge=1, description=f"GPUs of a server, as {GPU}")
    node_selector: dict[Key, LabelValue] = Field(default_factory=dict, description="labels its nodes must have")
    tolerations: tuple[Toleration, ...] = ()
    environment: Environment = Field(
        default_factory=dict, description="variables of its server, name to text; none is kept secret"
    )
    labels: PodLabels = Field(default_factory=dict, description="labels of its pods")
    annotations: PodAnnotations = Field(default_factory=dict, description="annotations of its pods")
    service_account: (
        Annotated[str, matching(DOMAIN, what="service account: give the name of one that is in the models' namespace")]
        | None
    ) = Field(default=None, description="a service account for its pods, instead of `storage`")
    batcher: Batcher | None = None
    logger: Logger | None = None
    timeout: int = Field(default=600, ge=30, le=3600, description="seconds it may take to become ready")
    canary: Canary | None = None
    transformer: Transformer | None = None
    explainer: Explainer | None = None
    check: Check | None = None

    @property
    def bandit_name(self) -> str:
        """What the objects of its bandit are called, if it has one."""
        return f"{self.name}-bandit"

    @property
    def asked(self) -> Resources | None:
        """The resources it says itself, its GPUs among them."""
        if self.gpus is None:
            return self.resources
        said = self.resources or Resources()
        return Resources(requests=said.requests, limits={**said.limits, GPU: str(self.gpus)})

    def companion(self, kind: Companionship) -> Companion | None:
        """Its transformer, or its explainer."""
        return self.transformer if kind == "transformer" else self.explainer

    def served_by(self, runtimes: Iterable[ServingRuntime]) -> tuple[ServingRuntime, ...]:
        """Those of the runtimes that may serve it: the one it names, or any that fits; none of a container."""
        return tuple(runtime for runtime in runtimes if self._may_get(runtime))

    def _may_get(self, runtime: ServingRuntime) -> bool:
        if self.format is None:
            return False
        fits = runtime.serves if self.runtime == runtime.name else runtime.auto_selects
        named = self.runtime in {None, runtime.name}
        return named and fits(format_name=self.format, version=self.version, protocol=self.protocol)

    @field_validator("storage_uri")
    @classmethod
    def _is_a_storage_uri(cls, uri: str | None) -> str | None:
        if uri is None:
            return None
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
        self._refuse_two_kinds_of_server()
        runtime_field = "runtime" if self.runtime else "format"
        problems: dict[str | Location, str | None] = {
            "storage": self._storage_problem(around),
            runtime_field: self._runtime_problem(around.release) if around.release and self.format else None,
            "name": self._name_problem(f".{self.namespace or around.namespace}.{around.domain}"),
            "check": self._check_problem(),
            "scale": self._scale_problem(),
            "gpus": self._gpus_problem(),
            "service_account": self._service_account_problem(),
            "batcher": self._batcher_problem(),
            "logger": self._logger_problem(),
            **{kind: self._companion_problem(kind) for kind in COMPANIONSHIPS},
            "canary": self._bandit_problem(around),
        }
        problems.update(problems_with_mode(self))
        refuse(problems)
        return self

    def _refuse_two_kinds_of_server(self) -> None:
        """A model has a format, which a serving runtime serves from files, or a container."""
        if self.container is None:
            missing = "is missing; give a `format`, or a `container` of your own" if self.format is None else None
            refuse(
                {
                    "format": missing,
                    "storage_uri": "is missing; say where the model's files are" if self.storage_uri is None else None,
                }
            )
            return
        of_a_format = {"format": self.format, "version": self.version, "runtime": self.runtime}
        excluded = "and container exclude each other: a container is a server of its own; keep one of them"
        refuse({field: excluded if said is not None else None for field, said in of_a_format.items()})
        if self.storage and self.storage_uri is None:
            refuse({"storage": "opens storage_uri, which is missing; give both, or neither"})

    def _name_problem(self, suffix: str) -> str | None:
        length = len(self.name + suffix)
        if length <= LONGEST_HOST:
            return None
        return f"makes a host name of {length} characters, {self.name}{suffix}; {LONGEST_HOST} are allowed"

    def _companion_problem(self, kind: Companionship) -> str | None:
        companion, article = self.companion(kind), "an" if kind == "explainer" else "a"
        if companion is None:
            return None
        spoken = PROTOCOLS_OF[kind]
        if self.protocol not in spoken:
            known = " and ".join(spoken)
            return f"does not work with protocol {self.protocol}: KServe has {article} {kind} for {known} alone"
        if len(self.name) > longest_name(kind):
            return f"needs a shorter name of the model: {longest_name(kind)} characters at most"
        if companion.replicas.min == 0 and self.mode == "Standard":
            return f"replicas.min 0 needs mode Knative: in mode Standard {article} {kind} cannot scale to zero"
        if companion.concurrency is not None and self.mode == "Standard":
            return "concurrency needs mode Knative: in mode Standard nothing holds requests back"
        return None

    def _check_problem(self) -> str | None:
        if self.check and self.check.explanations is not None and self.explainer is None:
            return "explanations needs an `explainer`, which the model does not have; add one, or drop it"
        if self.protocol not in {"v2", GRPC_V2} or self.check is None or self.check.is_a_matrix:
            return None
        return f"protocol {self.protocol} sends `instances` as one tensor: make them rows of numbers, all of one length"

    def _scale_problem(self) -> str | None:
        target, most = self.scale.target, self.concurrency
        if target is None or most is None or self.scale.metric == "rps" or target <= most:
            return None
        return f"target {target} is never reached: concurrency lets a server have {most} requests at a time"

    def _gpus_problem(self) -> str | None:
        if self.gpus is None or self.resources is None:
            return None
        if GPU in (*self.resources.requests, *self.resources.limits):
            return f"and {GPU} in resources say the same; keep one of them"
        return None

    def _service_account_problem(self) -> str | None:
        if self.service_account is None or self.storage is None:
            return None
        return f"and storage exclude each other: {self.storage!r} brings a service account of its own; keep one of them"

    def _batcher_problem(self) -> str | None:
        if self.batcher is None:
            return None
        if self.protocol != "v1":
            return f"has no effect with protocol {self.protocol}: KServe batches v1 alone; drop it, or use v1"
        longest = self.request_timeout or REQUEST_TIMEOUT
        if self.batcher.max_latency >= longest * 1000:
            return f"max_latency {self.batcher.max_latency} ms is no less than a request may take, {longest} s"
        return None

    def _bandit_problem(self, around: Surroundings) -> str | None:
        bandit = self.canary.bandit if self.canary else None
        if self.canary is None or bandit is None:
            return None
        if self.canary.traffic == 100:
            return "bandit has one version to choose from: traffic 100 promotes the new one; say less, or drop bandit"
        if bandit.image is None and not around.mirrored:
            return "bandit.image is missing: the image is published nowhere, so without a mirror it has to be named"
        if self.protocol == GRPC_V2:
            return f"bandit passes on requests over HTTP; with protocol {GRPC_V2} choose a version by its header"
        return None

    def _logger_problem(self) -> str | None:
        if self.logger is None or self.protocol != GRPC_V2:
            return None
        return f"does not work with protocol {GRPC_V2}: KServe logs requests over HTTP alone; drop it, or use v1 or v2"

    def _storage_problem(self, around: Surroundings) -> str | None:
        if self.storage is None or around.storage is None or self.storage_uri is None:
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
        if self.served_by(release.runtimes):
            return None
        if self.runtime is None:
            return f"{asked} has no serving runtime in {where}; it has {_formats_of(release.runtimes)}"
        named = [runtime for runtime in release.runtimes if runtime.name == self.runtime]
        if not named:
            return f"{self.runtime!r} is not in {where}; it has {_listed(r.name for r in release.runtimes)}"
        return f"{self.runtime!r} does not serve {asked}; it serves {_formats_of(named)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _formats_of(runtimes: Iterable[ServingRuntime]) -> str:
    """Every format and version once, with the protocols of the runtimes that serve it."""
    protocols: dict[str, dict[str, None]] = {}
    for runtime in runtimes:
        for model_format in runtime.formats:
            served = protocols.setdefault(f"{model_format.name} {model_format.version}", {})
            served.update(dict.fromkeys(runtime.served_protocols))
    return _listed(f"{served} ({', '.join(by)})" for served, by in protocols.items())
