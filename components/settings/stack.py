"""All settings of a stack, validated as a whole before the first resource is declared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret
from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from components.settings.errors import Location, SettingsError, describe, refuse
from components.settings.fields import REGISTRY, Matching, Name, Section
from components.settings.graph import Graph
from components.settings.ingress import Ingress
from components.settings.knative import KnativeSettings, PodFeature, features_of
from components.settings.made_names import Named, name_problems
from components.settings.model import Model, ValidationContext
from components.settings.modes import MODES, Mode
from components.settings.monitoring import MonitoringSettings, section_of_switch
from components.settings.namespaces import namespace_problem
from components.settings.platform_parts import Choice, Part, PlatformSource, platform_source
from components.settings.platform_stack import STACK, STACK_FORMS, PlatformStack
from components.settings.registries import RegistryLogin, SecretName
from components.settings.resource_profiles import FOOTPRINTS, Footprint
from components.settings.secret_values import StoredSettings, secret_problems
from components.settings.stores.store import Store
from components.settings.stores.union import AnyStore
from registries.login import Logins
from releases import RELEASES
from releases.types import Release

# Settings of a platform that apply to every model on it.
SHARED_SETTINGS = {"mirror", "ingress", "resources", "knative"}
# Settings that a stack on another stack's platform cannot have.
PLATFORM_SETTINGS = {"release", *SHARED_SETTINGS, "monitoring"}
# Settings that are plain text, or a mapping. The others are lists and mappings, which Pulumi passes as JSON.
TEXT_SETTINGS = {"release", "mode", "resources", "platform"}


def _release(name: object) -> Release:
    if isinstance(name, str) and name in RELEASES:
        return RELEASES[name]
    quotes = "; in YAML it needs quotes" if str(name) in {"0.2", "0.20"} else ""
    raise ValueError(f"{name!r} is not a release; the releases are {', '.join(map(repr, RELEASES))}{quotes}")


class Mirror(Section):
    """Registries that charts and images come from, instead of their publishers' own."""

    charts: Annotated[str, Matching(pattern=f"oci://{REGISTRY}", what="OCI registry: write oci://host/path")] = Field(
        description="an OCI registry with every chart of the release"
    )
    images: Annotated[str, Matching(pattern=REGISTRY, what="image registry: write host/path, without a scheme")] = (
        Field(description="an image registry with every image of the release")
    )
    plain_http: bool = Field(default=False, description="whether the registries speak HTTP instead of HTTPS")


class Cluster(Section):
    """The cluster, and its namespace for the models."""

    kubeconfig: Path | None = Field(
        default=None,
        description="a kubeconfig file, which $KUBECONFIG must name, too, for plain pulumi; $KUBECONFIG when left out",
    )
    context: str | None = Field(
        default=None, min_length=1, description="a context in it; its current one when left out"
    )
    namespace: Name = Field(
        default="default", description="the namespace of the models, not one of the platform; created when missing"
    )

    @field_validator("namespace")
    @classmethod
    def _can_have_models(cls, namespace: str, info: ValidationInfo) -> str:
        monitored = isinstance(info.context, ValidationContext) and info.context.monitored
        if problem := namespace_problem(namespace, monitored=monitored):
            raise ValueError(problem)
        return namespace

    @field_validator("kubeconfig")
    @classmethod
    def _is_a_file(cls, path: Path | None) -> Path | None:
        if path and ("\n" in str(path) or not path.expanduser().is_file()):
            raise ValueError("is not a file; give the path of a kubeconfig file, not its content")
        return path and path.expanduser()


class Settings(Section):
    """All settings of a stack."""

    release: Annotated[Release, PlainValidator(_release, json_schema_input_type=str)] = Field(
        description="a set of versions that work together", json_schema_extra={"enum": [*RELEASES]}
    )
    platform: Annotated[
        PlatformSource | str | None,
        PlainValidator(
            platform_source,
            json_schema_input_type=PlatformSource
            | Annotated[str, Matching(pattern=STACK, what=f"stack: write {STACK_FORMS}")]
            | None,
        ),
    ] = Field(
        default=None,
        description="what the stack uses instead of a platform of its own: the name of the stack whose platform it is, "
        "or `existing`: parts that the cluster has already",
    )
    mirror: Mirror | None = None
    registries: dict[Name, RegistryLogin] = Field(default_factory=dict)
    image_pull_secrets: tuple[SecretName, ...] = Field(
        default=(),
        description="names of Secrets that pods pull images with, beside those of `registries`; something else puts "
        "them into each namespace of the platform and of models",
    )
    cluster: Cluster = Cluster()
    ingress: Ingress = Ingress()
    mode: Mode = Field(
        default="Knative",
        description="how KServe runs models without a `mode` of their own: behind Knative, or as plain Deployments",
    )
    resources: Literal["default", "small"] = Field(
        default="default",
        description="resources of the platform's pods; small is for a laptop: one pod of each part, and requests of "
        "half a core and 1.5 GiB in total at most, whatever the load",
    )
    knative: KnativeSettings | None = None
    monitoring: Annotated[
        MonitoringSettings | None,
        BeforeValidator(section_of_switch, json_schema_input_type=bool | MonitoringSettings | None),
    ] = None
    storage: dict[Name, AnyStore] = Field(
        default_factory=dict, description="the stores that models are downloaded from; `kind` is s3 when left out"
    )
    models: tuple[Model, ...] = ()
    graphs: tuple[Graph, ...] = ()

    @field_validator("models", "graphs")
    @classmethod
    def _have_unique_names(
        cls, served: tuple[Model, ...] | tuple[Graph, ...], info: ValidationInfo
    ) -> tuple[Model, ...] | tuple[Graph, ...]:
        names = [one.name for one in served]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            kind = str(info.field_name).removesuffix("s")
            elsewhere = "; in another namespace the models' service_name can be the same" if kind == "model" else ""
            raise ValueError(
                f"{', '.join(map(repr, twice))} is the name of more than one {kind}; give each its own name{elsewhere}"
            )
        return served

    @field_validator("registries")
    @classmethod
    def _have_one_login_a_host(cls, registries: dict[str, RegistryLogin]) -> dict[str, RegistryLogin]:
        hosts = [registry.host for registry in registries.values()]
        if twice := sorted({host for host in hosts if hosts.count(host) > 1}):
            raise ValueError(f"{', '.join(twice)} has more than one login; keep one")
        return registries

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        refuse({"mirror": self._mirror_problem, **dict(self._gateway_problems()), **dict(self._pod_feature_problems())})
        return self

    @property
    def _mirror_problem(self) -> str | None:
        missing = self.release.needs_mirror and not self.mirror and (self.installs_platform or bool(self.monitoring))
        return f"is required: the charts of release {self.release.name!r} are in a mirror only" if missing else None

    def _gateway_problems(self) -> Iterator[tuple[Location, str]]:
        """Settings of a gateway that is there, beside an Istio of the stack's own, and the other way round."""
        if self.platform_stack or self.existing == "auto":
            return
        if self.uses_istio:
            fields, problem = (
                ("annotations", "load_balancer_class"),
                "has no effect with platform.existing: Istio's gateway and its Service are there already; drop it",
            )
        else:
            fields, problem = (
                ("gateway", "class_name"),
                "names what is there already, but the stack installs Istio with a gateway of its own; add istio to "
                "platform.existing, or drop it",
            )
        yield from ((("ingress", field), problem) for field in fields if getattr(self.ingress, field))

    def _pod_feature_problems(self) -> Iterator[tuple[Location, str]]:
        """Models whose pods a Knative would refuse that is not of this stack."""
        if self.platform_stack:
            remedy = f"add it to knative.pod_features of stack {self.platform_stack!r} and deploy that stack first"
        elif self.existing == "all" or "knative" in self.existing:
            remedy = "enable it in Knative's ConfigMap config-features, and then name it in knative.pod_features"
        else:
            return
        enabled = self.knative.pod_features if self.knative else ()
        for index, model in enumerate(self.models):
            for place, needed in features_of(model).items():
                if missing := [feature for feature in needed if feature not in enabled]:
                    yield (
                        ("models", index, *place),
                        f"needs {' and '.join(missing)}, which the platform's Knative may not have enabled; {remedy}",
                    )

    @property
    def pod_features(self) -> tuple[PodFeature, ...]:
        """Features of pods that Knative has to enable: those of the settings, and those of the stack's models."""
        named = self.knative.pod_features if self.knative else ()
        used = (feature for model in self.models for needed in features_of(model).values() for feature in needed)
        return tuple(sorted({*named, *used}))

    @property
    def platform_stack(self) -> str | None:
        """Name of the stack whose platform this stack uses."""
        return self.platform if isinstance(self.platform, str) else None

    @property
    def existing(self) -> Choice | tuple[Part, ...]:
        """Parts of the platform that the cluster has already; empty where the stack is to install all."""
        return self.platform.existing if isinstance(self.platform, PlatformSource) else ()

    @property
    def uses_whole_platform(self) -> bool:
        """Whether the settings say that all parts are there already, which KServe is built on."""
        return self.existing == "all" or "kserve" in self.existing

    @property
    def uses_istio(self) -> bool:
        """Whether the settings say that Istio is there already."""
        return self.existing == "all" or "istio" in self.existing

    @property
    def installs_platform(self) -> bool:
        """Whether the stack installs parts of the platform, or may: `existing: auto` depends on what is there."""
        return self.platform_stack is None and not self.uses_whole_platform

    @property
    def installs_monitoring(self) -> bool:
        """Whether the stack installs the monitoring: beside its own platform, or beside one that is there."""
        return self.monitoring is not None and self.platform_stack is None

    @property
    def footprint(self) -> Footprint:
        """Resources of the platform's pods."""
        return FOOTPRINTS[self.resources]

    @property
    def logins(self) -> Logins:
        """Logins of registries."""
        return Logins(known=tuple(registry.login for registry in self.registries.values()))

    @property
    def shared(self) -> dict[str, Any]:
        """Settings that apply to every model on this platform, as in a stack file; for stacks that use the platform."""
        kept = self.model_dump(mode="json", include=SHARED_SETTINGS, exclude_none=True)
        if features := self.pod_features:
            kept["knative"] = {**kept.get("knative", {}), "pod_features": [*features]}
        return {"release": self.release.name, **kept}

    def with_context(self, context: str | None) -> Self:
        """The same settings with the context that is used where they name none."""
        return self.model_copy(update={"cluster": self.cluster.model_copy(update={"context": context})})

    def namespace_of(self, served: Model | Graph) -> str:
        """Namespace of a model or graph."""
        own = served.namespace if isinstance(served, Model) else None
        return own or self.cluster.namespace

    @property
    def namespaces(self) -> frozenset[str]:
        """Namespaces of the models and graphs."""
        return frozenset(map(self.namespace_of, self.served))

    @property
    def used_stores(self) -> list[tuple[str, str]]:
        """Each store with each namespace that has a model from it: (store, namespace) pairs."""
        return sorted({(model.storage, self.namespace_of(model)) for model in self.models if model.storage})

    @property
    def served(self) -> tuple[Model | Graph, ...]:
        """The models and the graphs."""
        return (*self.models, *self.graphs)

    def place_of(self, served: Model | Graph) -> str:
        """Path of a model or graph in the settings, as `models[0]`."""
        if isinstance(served, Model):
            return f"models[{self.models.index(served)}]"
        return f"graphs[{self.graphs.index(served)}]"

    @property
    def needs_knative(self) -> bool:
        """Whether the platform needs Knative: for a model or graph, for the stack's `mode`, or for future models."""
        default = {self.mode} if "mode" in self.model_fields_set or not self.models else set()
        return "Knative" in {served.mode for served in self.served} | default

    @property
    def needs_metrics(self) -> bool:
        """Whether a model or graph is scaled by its use of resources, which the cluster must measure."""
        return any(served.mode == "Standard" and served.replicas.min < served.replicas.max for served in self.served)


def parse(document: Mapping[str, Any]) -> Settings:
    """Validate the settings of a stack.

    Raises:
        SettingsError: with every problem.

    """
    name = document.get("release")
    cluster, ingress, storage = (_mapping(document.get(key)) for key in ("cluster", "ingress", "storage"))
    namespace, domain = cluster.get("namespace", Cluster().namespace), ingress.get("domain", Ingress().domain)
    context = ValidationContext(
        release=RELEASES.get(name) if isinstance(name, str) else None,
        storage={key: _store(entry) for key, entry in storage.items()},
        mode=next(
            (mode for mode in MODES if mode == document.get("mode", Settings.model_fields["mode"].default)), None
        ),
        namespace=str(namespace),
        domain=str(domain),
        mirrored=bool(document.get("mirror")),
        models=_protocols(document.get("models")),
        transformed=_models_with("transformer", document.get("models")),
        contained=_models_with("container", document.get("models")),
        monitored=bool(document.get("monitoring")),
    )
    names = Named.all_of(document, namespace=context.namespace, mode=context.mode or "Knative")
    problems = name_problems(names)
    try:
        settings = Settings.model_validate(document, context=context)
    except ValidationError as error:
        # The cause would show the values, secrets too.
        raise SettingsError([*describe(error, model=Settings), *problems]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def _store(entry: object) -> Store | None:
    """A store; None where it is not valid, which the validation of all settings reports."""
    store: TypeAdapter[Store] = TypeAdapter(AnyStore)
    try:
        return store.validate_python(entry)
    except ValidationError:
        return None


def _protocols(models: object) -> Mapping[str, str] | None:
    """Protocol of each model by its name; None where not even the names can be read."""
    listed = [] if models is None else models
    if not isinstance(listed, list) or not all(isinstance(model, Mapping) and "name" in model for model in listed):
        return None
    default = Model.model_fields["protocol"].default
    return {str(model["name"]): str(model.get("protocol", default)) for model in listed}


def _models_with(section: str, models: object) -> frozenset[str]:
    """Names of the models that have this section."""
    listed = models if isinstance(models, list) else []
    return frozenset(str(model.get("name")) for model in listed if isinstance(model, Mapping) and model.get(section))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def load(*, platform: PlatformStack | None = None) -> Settings:
    """Read and validate the settings of the running stack, with those that it takes over from the platform's stack.

    Raises:
        SettingsError: with every problem.

    """
    document = raw_config()
    if platform:
        if duplicates := document.keys() & PLATFORM_SETTINGS:
            problem = f"comes from the platform's stack, {platform.name!r}; leave it out here"
            raise SettingsError(f"{key}: {problem}" for key in sorted(duplicates))
        document |= platform.settings
    is_secret = {name: is_config_secret(f"{pulumi.get_project()}:{name}") for name in Settings.model_fields}
    problems = secret_problems(document, stored=StoredSettings.read(), is_secret=is_secret)
    try:
        settings = parse(document)
    except SettingsError as error:
        raise SettingsError([*error.problems, *problems]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def raw_config() -> dict[str, Any]:
    """Read the settings of the running stack without validating them."""
    prefix = f"{pulumi.get_project()}:"
    everything = {**get_config_env(), **CONFIG.get()}  # Pulumi has no public way to list the keys of a stack
    texts = {key.removeprefix(prefix): str(value) for key, value in everything.items() if key.startswith(prefix)}
    document: dict[str, Any] = {}
    for key, text in texts.items():
        try:
            document[key] = text if key in TEXT_SETTINGS and not text.startswith("{") else json.loads(text)
        except json.JSONDecodeError:
            document[key] = text
    return document
