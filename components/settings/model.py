"""Settings of one model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from components.settings.errors import Location, refuse
from components.settings.fields import DOMAIN, Key, LabelValue, Matching, Name, Section
from components.settings.made_names import host_problem
from components.settings.modes import Mode, Replicas, Scale, scaling_problems
from components.settings.namespaces import namespace_problem
from components.settings.pods import Affinity, DisruptionBudget, PriorityClass, TopologySpreads, Volumes
from components.settings.registries import SecretName
from components.settings.s3_location import as_a_folder, ends_as_a_folder, in_s3, names_a_file
from components.settings.server import (
    COMPONENT_TYPES,
    REQUEST_TIMEOUT,
    Batcher,
    Canary,
    Component,
    ComponentType,
    ContainerSettings,
    Environment,
    Explainer,
    Logger,
    PodAnnotations,
    PodLabels,
    Resources,
    ServerArguments,
    Toleration,
    Transformer,
    longest_model_name,
)
from components.settings.storage_uri import check_storage_uri
from components.settings.stores.store import Store
from endpoints.endpoint import Check
from endpoints.tensors import is_numeric_tensor
from releases.types import GRPC_V2, DeclaredRuntime, Release, ServingRuntime

# Knative puts a model's name into the name of a Deployment, and Kubernetes allows 63 characters there.
LONGEST_MODEL_NAME = 63 - len("-predictor-00001-deployment")
LONGEST_HOST = 253
# Schemes of files that the kubelet mounts.
NOT_DOWNLOADED = ("pvc", "oci")
GPU = "nvidia.com/gpu"
# In mode Standard, KServe selects the pods of a Deployment by this label.
SELECTOR_LABEL = "app"
# Protocols that KServe's components can have.
PROTOCOLS_OF: Mapping[ComponentType, tuple[str, ...]] = {"transformer": ("v1", "v2"), "explainer": ("v1",)}


@dataclass(frozen=True, kw_only=True)
class ValidationContext:
    """What models and graphs refer to in other settings; None where those cannot be read.

    Attributes:
        storage: the stack's stores by name; None for one that is not valid.
        mode: of a model or graph that sets none.
        namespace: of a model that sets none.
        domain: the end of every host name.
        mirrored: whether the stack has a mirror of images.
        models: for graphs: model name → protocol.
        transformed: for graphs: names of the models with a transformer.
        contained: for graphs: names of the models with a container of their own.
        monitored: whether the stack installs the monitoring.

    """

    release: Release | None
    storage: Mapping[str, Store | None] | None
    mode: Mode | None
    namespace: str = "default"
    domain: str = ""
    mirrored: bool = False
    models: Mapping[str, str] | None = None
    transformed: frozenset[str] = frozenset()
    contained: frozenset[str] = frozenset()
    monitored: bool = False

    @classmethod
    def of(cls, info: ValidationInfo) -> Self:
        """Take it from a running validation. Raises TypeError where the caller passed none."""
        if not isinstance(info.context, cls):
            raise TypeError("models and graphs need the other settings to be validated: pass a ValidationContext")
        return info.context


class CheckSettings(Check, Section):
    """A prediction with a known result, requested after a deployment."""

    @model_validator(mode="after")
    def _one_prediction_a_row(self) -> Self:
        rows, results = len(self.instances), len(self.predictions)
        wrong = f"has {results} for {rows} instances; give one for each row" if rows != results else None
        refuse({"predictions": wrong})
        return self


def _mode_of_stack(mode: object, info: ValidationInfo) -> object:
    return ValidationContext.of(info).mode or "Knative" if mode is None else mode


# Mode of a model or graph, which is the stack's when left out.
OwnMode = Annotated[Mode, BeforeValidator(_mode_of_stack, json_schema_input_type=Mode)]


ModelName = Annotated[
    str,
    Matching(
        pattern=r"[a-z]([-a-z0-9]*[a-z0-9])?",
        what=f"model name: start with a letter, use up to {LONGEST_MODEL_NAME} of a-z, 0-9 and -, not - at the end",
        longest=LONGEST_MODEL_NAME,
    ),
]


class Model(Section):
    """A model to serve."""

    name: ModelName
    service_name: ModelName | None = Field(
        default=None,
        description="name of its InferenceService, first part of its host, where it differs from `name`: models in "
        "two namespaces can have the same one",
    )
    namespace: Name | None = Field(
        default=None,
        description="its namespace, not one of the platform; created when missing; `cluster.namespace` when left out",
    )
    model_name: (
        Annotated[
            str,
            Matching(
                pattern=r"[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?",
                what="model name for requests: use A-Z, a-z, 0-9, -, _ and ., a letter or digit at both ends",
                longest=128,
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="its name in the paths of requests, as in /v2/models/<name>, where it differs from `name`; the "
        "server of a format gets it as an argument, a container has to know it",
    )
    visibility: Literal["cluster-local"] | None = Field(
        default=None,
        description="cluster-local for a model that is reached from inside the cluster only; it has no route from the "
        "gateway, and `python -m predict` does not ask it",
    )
    format: str | None = Field(default=None, min_length=1, description="a model format of the release, such as sklearn")
    container: ContainerSettings | None = None
    version: str | None = Field(default=None, min_length=1, description="the format's version")
    storage_uri: str | None = Field(
        default=None, description="where its files are, as s3://bucket/folder; optional with a `container`"
    )
    storage_file: bool | None = Field(
        default=None,
        description="whether an s3:// `storage_uri` names one file and not a folder; when left out, its ending "
        "decides: that of a model's file or an archive, as .joblib or .tar.gz, means a file",
    )
    storage: str | None = Field(
        default=None, description="the entry of the top-level `storage` that has the keys for `storage_uri`"
    )
    protocol: Literal["v1", "v2", "grpc-v2", "openai"] = Field(
        default="v1",
        description="KServe's v1, the Open Inference Protocol (v2 over HTTP, grpc-v2 over gRPC), or vLLM's openai",
    )
    runtime: str | None = Field(default=None, description="a serving runtime; KServe selects one when left out")
    mode: OwnMode = Field(
        default=None, validate_default=True, description="how KServe runs it; the stack's `mode` when left out"
    )
    replicas: Replicas = Replicas()
    scale: Scale = Scale()
    concurrency: int | None = Field(
        default=None, ge=1, le=1000, description="most requests that one server gets at a time; no limit when left out"
    )
    request_timeout: int | None = Field(
        default=None, ge=1, le=600, description=f"seconds for a request; {REQUEST_TIMEOUT} when left out"
    )
    resources: Resources | None = None
    storage_initializer: Resources | None = Field(
        default=None, description="resources of the container that downloads its files, beyond the platform's own"
    )
    gpus: int | None = Field(default=None, ge=1, description=f"GPUs of each server, requested as {GPU}")
    node_selector: dict[Key, LabelValue] = Field(default_factory=dict, description="labels that its nodes must have")
    tolerations: tuple[Toleration, ...] = ()
    affinity: Affinity | None = None
    topology_spread: TopologySpreads = ()
    priority_class: PriorityClass | None = Field(default=None, description="an existing PriorityClass for its pods")
    disruption_budget: DisruptionBudget | None = None
    args: ServerArguments = Field(
        default=(),
        description="arguments of a format's server, after those of its serving runtime; of two with one name, the "
        "last one counts for most servers",
    )
    environment: Environment = Field(
        default_factory=dict,
        description="environment variables of its server: name to text, which is not kept secret, or to "
        "`{secret: NAME, key: KEY}` for a key of an existing Secret",
    )
    volumes: Volumes = ()
    labels: PodLabels = Field(default_factory=dict, description="labels of its pods")
    annotations: PodAnnotations = Field(default_factory=dict, description="annotations of its pods")
    service_account: (
        Annotated[str, Matching(pattern=DOMAIN, what="service account: give the name of one in the model's namespace")]
        | None
    ) = Field(default=None, description="a service account for its pods, instead of `storage`")
    image_pull_secrets: tuple[SecretName, ...] = Field(
        default=(), description="names of Secrets in its namespace that its pods pull images with, too"
    )
    batcher: Batcher | None = None
    logger: Logger | None = None
    timeout: int = Field(default=600, ge=30, le=3600, description="seconds in which it must become ready")
    canary: Canary | None = None
    transformer: Transformer | None = None
    explainer: Explainer | None = None
    check: CheckSettings | None = None

    @property
    def service(self) -> str:
        """Name of its InferenceService."""
        return self.service_name or self.name

    @property
    def served_name(self) -> str:
        """Its name in the paths of requests."""
        return self.model_name or self.service

    @property
    def location(self) -> str | None:
        """Its `storage_uri` as KServe gets it: that of a folder in S3 ends with a slash."""
        uri = self.storage_uri
        if uri is None or not in_s3(uri):
            return uri
        is_file = names_a_file(uri) if self.storage_file is None else self.storage_file
        return uri if is_file else as_a_folder(uri)

    @property
    def bandit_name(self) -> str:
        """Name of its bandit's objects, if it has a bandit."""
        return f"{self.service}-bandit"

    @property
    def resources_with_gpus(self) -> Resources | None:
        """Its own `resources` with its `gpus` among them; None where it sets neither."""
        if self.gpus is None:
            return self.resources
        own = self.resources or Resources()
        return Resources(requests=own.requests, limits={**own.limits, GPU: str(self.gpus)})

    def component(self, kind: ComponentType) -> Component | None:
        """Its transformer or its explainer, None where it has none."""
        return self.transformer if kind == "transformer" else self.explainer

    def matching_runtimes(self, runtimes: Iterable[ServingRuntime]) -> tuple[ServingRuntime, ...]:
        """Select the runtimes that can serve it: the one it names, or every one that fits; none for a container."""
        return tuple(runtime for runtime in runtimes if self._fits(runtime))

    def declared_runtime(self, runtimes: Iterable[ServingRuntime]) -> DeclaredRuntime | None:
        """The runtime that it gets in its namespace; None where it needs none of its own."""
        return next((r for r in self.matching_runtimes(runtimes) if isinstance(r, DeclaredRuntime)), None)

    def _fits(self, runtime: ServingRuntime) -> bool:
        if self.format is None:
            return False
        fits = runtime.serves if self.runtime == runtime.name else runtime.auto_selects
        named = self.runtime in {None, runtime.name}
        return named and fits(format_name=self.format, version=self.version, protocol=self.protocol)

    @field_validator("storage_uri")
    @classmethod
    def _is_a_storage_uri(cls, uri: str | None) -> str | None:
        return None if uri is None else check_storage_uri(uri)

    @model_validator(mode="after")
    def _fits_the_other_settings(self, info: ValidationInfo) -> Self:
        context = ValidationContext.of(info)
        self._refuse_two_kinds_of_server()
        runtime_field = "runtime" if self.runtime else "format"
        problems: dict[str | Location, str | None] = {
            "storage": self._storage_problem(context),
            "storage_file": self._storage_file_problem(),
            runtime_field: self._runtime_problem(context.release, mirrored=context.mirrored)
            if context.release and self.format
            else None,
            "service_name" if self.service_name else "name": self._name_problem(
                f".{self.namespace or context.namespace}.{context.domain}"
            ),
            "namespace": namespace_problem(self.namespace, monitored=context.monitored) if self.namespace else None,
            "check": self._check_problem(),
            "scale": self._scale_problem(),
            "gpus": self._gpus_problem(),
            "service_account": self._service_account_problem(),
            "disruption_budget": self.disruption_budget.never_allows(self.replicas) if self.disruption_budget else None,
            "batcher": self._batcher_problem(),
            "logger": self._logger_problem(),
            **{kind: self._component_problem(kind) for kind in COMPONENT_TYPES},
            "canary": self._bandit_problem(context),
            "storage_initializer": self._storage_initializer_problem(),
            "model_name": self._model_name_problem(context.release),
        }
        refuse(problems | self._mode_problems())
        return self

    def _refuse_two_kinds_of_server(self) -> None:
        """Require either a format, which a serving runtime serves from files, or a container."""
        if self.container is None:
            missing = "is missing; give a `format`, or a `container` of your own" if self.format is None else None
            refuse(
                {
                    "format": missing,
                    "storage_uri": "is missing; give the location of the model's files"
                    if self.storage_uri is None
                    else None,
                }
            )
            return
        of_a_format = {"format": self.format, "version": self.version, "runtime": self.runtime}
        excluded = "and container exclude each other: a container is a server of its own; keep one of them"
        is_alone = self.storage and self.storage_uri is None
        refuse(
            {
                **{field: excluded if value is not None else None for field, value in of_a_format.items()},
                "args": "are those of a format's server; give a container's as container.args" if self.args else None,
                "storage": "needs storage_uri, which is missing; give both or neither" if is_alone else None,
            }
        )

    def _name_problem(self, suffix: str) -> str | None:
        length = len(self.service + suffix)
        if length > LONGEST_HOST:
            return f"makes a host name of {length} characters, {self.service}{suffix}; {LONGEST_HOST} are allowed"
        if self.mode == "Standard":
            return None
        return host_problem(self.service, suffix=suffix, component="transformer" if self.transformer else "predictor")

    def _storage_initializer_problem(self) -> str | None:
        if self.storage_initializer is None:
            return None
        scheme = self.storage_uri.partition("://")[0] if self.storage_uri else None
        if scheme in {None, *NOT_DOWNLOADED}:
            what = f"{scheme}:// is mounted, not downloaded" if scheme else "there is no storage_uri to download from"
            return f"has no effect: {what}; drop it"
        return None

    def _storage_file_problem(self) -> str | None:
        if self.storage_file is None:
            return None
        if self.storage_uri is None:
            return "has no effect: there is no storage_uri; drop it"
        if not in_s3(self.storage_uri):
            return "has no effect: it is for s3:// only, where KServe cannot tell a folder from a file; drop it"
        if self.storage_file and ends_as_a_folder(self.storage_uri):
            why = "true contradicts storage_uri, which is a folder"
            return f"{why}; end storage_uri with the file's name, or drop storage_file"
        return None

    def _model_name_problem(self, release: Release | None) -> str | None:
        if self.model_name is None:
            return None
        if self.explainer and "." in self.model_name:
            return "contains a dot: KServe routes no request for an explanation of such a name; write it without"
        if self.format is None or release is None:
            return None
        runtimes = self.matching_runtimes(release.runtimes)
        if len({runtime.name_argument for runtime in runtimes}) > 1:
            names = _listed(runtime.name for runtime in runtimes)
            return (
                f"needs `runtime`: KServe may choose among {names}, which take a name in different ways or not at all"
            )
        unnamed = [runtime.name for runtime in runtimes if runtime.name_argument is None]
        return f"does not work with {_listed(unnamed)}, whose server takes no name; leave it out" if unnamed else None

    def _component_problem(self, kind: ComponentType) -> str | None:
        component, article = self.component(kind), "an" if kind == "explainer" else "a"
        if component is None:
            return None
        protocols = PROTOCOLS_OF[kind]
        if self.protocol not in protocols:
            known = " and ".join(protocols)
            return f"does not work with protocol {self.protocol}: KServe supports {article} {kind} with {known} only"
        if len(self.service) > longest_model_name(kind):
            return f"needs a shorter model name: {longest_model_name(kind)} characters at most"
        if component.replicas.min == 0 and self.mode == "Standard":
            return f"replicas.min 0 needs mode Knative: in mode Standard {article} {kind} cannot scale to zero"
        if component.concurrency is not None and self.mode == "Standard":
            return "concurrency needs mode Knative: in mode Standard nothing limits the requests at a time"
        return None

    def _check_problem(self) -> str | None:
        if self.check and self.check.explanations is not None and self.explainer is None:
            return "explanations need an `explainer`, which the model does not have; add one, or drop them"
        if self.protocol not in {"v2", GRPC_V2} or self.check is None or is_numeric_tensor(self.check.instances):
            return None
        return f"protocol {self.protocol} sends `instances` as one tensor: make them rows of numbers of equal length"

    def _scale_problem(self) -> str | None:
        target, limit = self.scale.target, self.concurrency
        if target is None or limit is None or self.scale.metric == "rps" or target <= limit:
            return None
        return f"target {target} is never reached: concurrency limits a server to {limit} requests at a time"

    def _gpus_problem(self) -> str | None:
        if self.gpus is None or self.resources is None:
            return None
        if GPU in (*self.resources.requests, *self.resources.limits):
            return f"and {GPU} in resources mean the same; keep one of them"
        return None

    def _service_account_problem(self) -> str | None:
        if self.service_account is None or self.storage is None:
            return None
        return f"and storage exclude each other: {self.storage!r} has a service account of its own; keep one of them"

    def _batcher_problem(self) -> str | None:
        if self.batcher is None:
            return None
        if self.protocol != "v1":
            return f"has no effect with protocol {self.protocol}: KServe batches v1 requests only; drop it, or use v1"
        seconds = self.request_timeout or REQUEST_TIMEOUT
        if self.batcher.max_latency >= seconds * 1000:
            return f"max_latency {self.batcher.max_latency} ms is not less than the timeout of a request, {seconds} s"
        return None

    def _bandit_problem(self, context: ValidationContext) -> str | None:
        bandit = self.canary.bandit if self.canary else None
        if self.canary is None or bandit is None:
            return None
        if self.canary.traffic == 100:
            return "bandit needs two versions: traffic 100 leaves the new one only; lower traffic, or drop bandit"
        if bandit.image is None and not context.mirrored:
            return "bandit.image is missing: nobody publishes the image, so without a mirror it must be given"
        if excluded := [name for name in ("service_name", "visibility") if getattr(self, name)]:
            return f"bandit is reached through the gateway by the model's name: drop it, or {' and '.join(excluded)}"
        if self.protocol == GRPC_V2:
            return f"bandit forwards requests over HTTP only; with protocol {GRPC_V2}, choose a version by its header"
        return None

    def _logger_problem(self) -> str | None:
        if self.logger is None or self.protocol != GRPC_V2:
            return None
        return f"does not work with protocol {GRPC_V2}: KServe logs requests over HTTP only; drop it, or use v1 or v2"

    def _mode_problems(self) -> dict[str | Location, str | None]:
        """Find settings that KServe would ignore in the model's mode."""
        problems: dict[str | Location, str | None] = {
            setting: problem
            for setting, problem in scaling_problems(self.mode, replicas=self.replicas, scale=self.scale).items()
            if problem
        }
        if self.mode == "Standard" and self.concurrency is not None:
            problems["concurrency"] = "needs mode Knative: in mode Standard nothing limits the requests at a time"
        if self.mode == "Standard" and self.canary:
            problems["canary"] = "needs mode Knative: in mode Standard KServe does not split requests between versions"
        if self.mode == "Standard" and SELECTOR_LABEL in self.labels:
            problems["labels"] = f"{SELECTOR_LABEL} is reserved for KServe in mode Standard: it selects the pods by it"
        return problems

    def _storage_problem(self, context: ValidationContext) -> str | None:
        if self.storage is None or context.storage is None or self.storage_uri is None:
            return None
        if self.storage not in context.storage:
            return f"{self.storage!r} is not under the stack's `storage`, which has {_listed(context.storage)}"
        store = context.storage[self.storage]
        problem = store.uri_problem(self.storage_uri) if store else None
        return f"{self.storage!r} {problem}" if problem else None

    def _runtime_problem(self, release: Release, *, mirrored: bool) -> str | None:
        version = f" {self.version}" if self.version else ""
        requested = f"{self.format!r}{version} with protocol {self.protocol}"
        where = f'release "{release.name}"'
        if (declared := self.declared_runtime(release.runtimes)) and not mirrored:
            return f"needs `mirror`: the image of its server, {declared.image}, is in the local cluster's registry only"
        if self.matching_runtimes(release.runtimes):
            return None
        if self.runtime is None:
            return f"{requested} has no serving runtime in {where}; it has {_formats_of(release.runtimes)}"
        named = [runtime for runtime in release.runtimes if runtime.name == self.runtime]
        if not named:
            return f"{self.runtime!r} is not in {where}; it has {_listed(r.name for r in release.runtimes)}"
        return f"{self.runtime!r} does not serve {requested}; it serves {_formats_of(named)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _formats_of(runtimes: Iterable[ServingRuntime]) -> str:
    """List every format and version once, with the protocols of its runtimes."""
    protocols: dict[str, dict[str, None]] = {}
    for runtime in runtimes:
        for model_format in runtime.formats:
            known = protocols.setdefault(f"{model_format.name} {model_format.version}", {})
            known.update(dict.fromkeys(runtime.served_protocols))
    return _listed(f"{name} ({', '.join(known)})" for name, known in protocols.items())
