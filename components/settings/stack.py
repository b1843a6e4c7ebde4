"""Everything a stack may say, checked as a whole before the first resource is declared."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret
from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

import stack_files
from components.settings.aws_credentials import AccessKeys, keys_of_profile
from components.settings.errors import SettingsError, describe, refuse
from components.settings.fields import DOMAIN, HOST_PORT, REGISTRY, Domain, Name, Section, matching, without_keys
from components.settings.graph import Graph
from components.settings.model import Model, Surroundings
from components.settings.modes import MODES, Mode
from components.settings.monitoring import Monitoring, switched
from components.settings.platform_stack import STACK, STACK_FORMS, PlatformStack
from components.settings.resource_profiles import FOOTPRINTS, Footprint
from components.settings.served import Served
from releases import RELEASES
from releases.types import Release

NODE_PORTS = range(30000, 32768)
# Read as the text they are; the other settings are lists and mappings, which Pulumi hands over as JSON.
# What holds for every model on a platform.
FOR_STACKS_ON_IT = {"mirror", "ingress", "resources"}
# What a stack on another's platform cannot say.
PLATFORMS_OWN = {"release", *FOR_STACKS_ON_IT, "monitoring"}
TEXTS = {"release", "mode", "resources", "platform"}


def _release(name: object) -> Release:
    if isinstance(name, str) and name in RELEASES:
        return RELEASES[name]
    quotes = "; in YAML it needs its quotes" if str(name) in {"0.2", "0.20"} else ""
    raise ValueError(f"{name!r} is no release; there are {', '.join(map(repr, RELEASES))}{quotes}")


class Mirror(Section):
    """Where charts and images come from instead of from their publishers."""

    charts: Annotated[str, matching(f"oci://{REGISTRY}", what="OCI registry: write oci://host/path")] = Field(
        description="an OCI registry that holds every chart of the release"
    )
    images: Annotated[str, matching(REGISTRY, what="image registry: write host/path, without a scheme")] = Field(
        description="an image registry that holds every image of the release"
    )
    plain_http: bool = Field(default=False, description="whether the registries speak HTTP instead of HTTPS")


class Cluster(Section):
    """Which cluster, and the namespace of it the models live in."""

    kubeconfig: Path | None = Field(default=None, description="a kubeconfig file; $KUBECONFIG when left out")
    context: str | None = Field(default=None, min_length=1, description="a context of it; its current one if left out")
    namespace: Name = Field(default="default", description="the namespace of the models, made when missing")

    @field_validator("kubeconfig")
    @classmethod
    def _is_a_file(cls, path: Path | None) -> Path | None:
        if path and ("\n" in str(path) or not path.expanduser().is_file()):
            raise ValueError("is no file; give the path of a kubeconfig file, not what is in it")
        return path and path.expanduser()


class Ingress(Section):
    """How clients reach the gateway."""

    domain: Domain = Field(default="example.com", description="a model answers at <name>.<namespace>.<domain>")
    service_type: Literal["LoadBalancer", "NodePort", "ClusterIP"] = Field(
        default="LoadBalancer", description="type of the gateway's Service"
    )
    address: str | None = Field(default=None, description="host or IP clients use; the load balancer's if left out")
    node_port: int | None = Field(default=None, description="port of the nodes for HTTP, with service_type NodePort")

    @field_validator("address")
    @classmethod
    def _is_a_host(cls, address: str | None) -> str | None:
        if address is None or re.fullmatch(DOMAIN, address):
            return address
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise ValueError(f"{address!r} is no host or IP address; write it without scheme, port and path") from None
        return address

    @model_validator(mode="after")
    def _fits_the_service_type(self) -> Self:
        by_node_port = self.service_type == "NodePort"
        first, last = NODE_PORTS[0], NODE_PORTS[-1]
        node_port_problem = None
        if by_node_port and self.node_port not in NODE_PORTS:
            node_port_problem = f"must be a port from {first} to {last} with service_type NodePort"
        elif not by_node_port and self.node_port is not None:
            node_port_problem = f"has no effect with service_type {self.service_type}; drop it or use NodePort"
        nowhere = by_node_port and self.address is None
        refuse(
            {
                "address": "is needed with service_type NodePort: a node's host or IP address" if nowhere else None,
                "node_port": node_port_problem,
            }
        )
        return self


class S3Storage(Section):
    """An S3 store and the way in: keys from Pulumi's secrets, keys from an AWS profile, or none."""

    kind: Literal["s3"] = Field(description="the kind of store")
    endpoint: str | None = Field(default=None, description="URL of a store that is not Amazon's")
    region: str = Field(default="us-east-1", min_length=1, description="the store's region")
    anonymous: bool = Field(default=False, description="whether to ask without keys")
    verify_ssl: bool = Field(default=True, description="whether to check the endpoint's certificate")
    virtual_bucket: bool = Field(default=False, description="whether the bucket is part of the host name")
    access_key_id: SecretStr | None = Field(default=None, description="a Pulumi secret")
    secret_access_key: SecretStr | None = Field(default=None, description="a Pulumi secret")
    profile: str | None = Field(default=None, min_length=1, description="a profile of the AWS credentials file")

    @field_validator("endpoint")
    @classmethod
    def _is_an_endpoint(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not re.fullmatch(f"https?://{HOST_PORT}/?", endpoint):
            shown = without_keys(endpoint)
            raise ValueError(f"{shown!r} is no S3 endpoint; write https://host or http://host:port")
        return endpoint and endpoint.rstrip("/")

    @field_validator("profile")
    @classmethod
    def _has_keys(cls, profile: str | None) -> str | None:
        if profile is not None:
            keys_of_profile(profile)
        return profile

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        both = ("access_key_id", "secret_access_key")
        ways = {
            "access_key_id with secret_access_key": any(getattr(self, key) for key in both),
            "profile": self.profile is not None,
            "anonymous": self.anonymous,
        }
        given = [way for way, here in ways.items() if here]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(ways)}; it has {' and '.join(given) or 'none'}")
        other = dict(zip(both, reversed(both), strict=True))
        refuse(
            {
                key: f"is missing: it goes with {other[key]}"
                for key in both
                if getattr(self, other[key]) and not getattr(self, key)
            }
        )
        return self

    @property
    def keys(self) -> AccessKeys | None:
        """The keys, None for an anonymous store. Reads the credentials file when they are a profile's."""
        if self.profile:
            return keys_of_profile(self.profile)
        if self.access_key_id and self.secret_access_key:
            return AccessKeys(access_key_id=self.access_key_id, secret_access_key=self.secret_access_key)
        return None


class Settings(Section):
    """What a stack says."""

    release: Annotated[Release, PlainValidator(_release, json_schema_input_type=str)] = Field(
        description="a set of versions that work together", json_schema_extra={"enum": [*RELEASES]}
    )
    platform: Annotated[str, matching(STACK, what=f"stack: write {STACK_FORMS}")] | None = Field(
        default=None, description="the stack that has the platform, where this one adds models to it"
    )
    mirror: Mirror | None = None
    cluster: Cluster = Cluster()
    ingress: Ingress = Ingress()
    mode: Mode = Field(
        default="Knative", description="how KServe runs models that do not say it: behind Knative, or as Deployments"
    )
    resources: Literal["default", "small"] = Field(
        default="default",
        description="what the platform's pods ask for; small suits a laptop: one pod of each part, half a core and "
        "1.5 GiB at most in all, whatever the load",
    )
    monitoring: Annotated[
        Monitoring | None, BeforeValidator(switched, json_schema_input_type=bool | Monitoring | None)
    ] = None
    storage: dict[Name, S3Storage] = Field(default_factory=dict)
    models: tuple[Model, ...] = ()
    graphs: tuple[Graph, ...] = ()

    @field_validator("models", "graphs")
    @classmethod
    def _have_their_own_names(
        cls, served: tuple[Model, ...] | tuple[Graph, ...], info: ValidationInfo
    ) -> tuple[Model, ...] | tuple[Graph, ...]:
        names = [one.name for one in served]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            kind = str(info.field_name).removesuffix("s")
            raise ValueError(f"{', '.join(map(repr, twice))} is there more than once; give each {kind} its own name")
        return served

    @field_validator("models")
    @classmethod
    def _are_no_bandits(cls, models: tuple[Model, ...]) -> tuple[Model, ...]:
        bandits = {model.bandit_name for model in models if model.canary and model.canary.bandit}
        if taken := sorted(bandits.intersection(model.name for model in models)):
            raise ValueError(f"{taken[0]!r} is what another model's bandit is called; give the model another name")
        return models

    @model_validator(mode="after")
    def _has_a_mirror_if_needed(self) -> Self:
        missing = self.release.needs_mirror and not self.mirror
        problem = f"is missing: the charts of release {self.release.name!r} are in a mirror only" if missing else None
        refuse({"mirror": problem})
        return self

    @property
    def footprint(self) -> Footprint:
        """What the platform's pods ask for."""
        return FOOTPRINTS[self.resources]

    @property
    def for_stacks_on_it(self) -> dict[str, Any]:
        """Those that hold for every model on this platform, as a stack file says them."""
        kept = self.model_dump(mode="json", include=FOR_STACKS_ON_IT, exclude_none=True)
        return {"release": self.release.name, **kept}

    def namespace_of(self, served: Model | Graph) -> str:
        """Where a model or graph lives."""
        own = served.namespace if isinstance(served, Model) else None
        return own or self.cluster.namespace

    @property
    def namespaces(self) -> frozenset[str]:
        """Where the models and graphs live."""
        return frozenset(map(self.namespace_of, self.served))

    def served_in(self, namespace: str) -> Served:
        """The models and graphs that live in a namespace."""
        here = [served for served in self.served if self.namespace_of(served) == namespace]
        return Served(
            models=tuple(served.name for served in here if isinstance(served, Model)),
            graphs=tuple(served.name for served in here if isinstance(served, Graph)),
        )

    @property
    def opened_stores(self) -> list[tuple[str, str]]:
        """The stores that models open, each with a namespace where they do."""
        return sorted({(model.storage, self.namespace_of(model)) for model in self.models if model.storage})

    @property
    def served(self) -> tuple[Model | Graph, ...]:
        """What has an address."""
        return (*self.models, *self.graphs)

    def place_of(self, served: Model | Graph) -> str:
        """Where the stack says it, as `models[0]`."""
        if isinstance(served, Model):
            return f"models[{self.models.index(served)}]"
        return f"graphs[{self.graphs.index(served)}]"

    @property
    def needs_knative(self) -> bool:
        """Whether some model or graph runs behind Knative, or could: where the stack says so, or has no models yet."""
        stated = {self.mode} if "mode" in self.model_fields_set or not self.models else set()
        return "Knative" in {served.mode for served in self.served} | stated

    @property
    def needs_metrics(self) -> bool:
        """Whether some model or graph is scaled by what it uses, which the cluster has to measure."""
        return any(served.mode == "Standard" and served.replicas.min < served.replicas.max for served in self.served)


def parse(document: Mapping[str, Any]) -> Settings:
    """Check a stack's settings; raises SettingsError with every problem."""
    name = document.get("release")
    cluster, ingress, storage = (_mapping(document.get(key)) for key in ("cluster", "ingress", "storage"))
    namespace, domain = cluster.get("namespace", Cluster().namespace), ingress.get("domain", Ingress().domain)
    around = Surroundings(
        release=RELEASES.get(name) if isinstance(name, str) else None,
        storage={key: str(entry.get("kind")) for key, entry in storage.items() if isinstance(entry, Mapping)},
        mode=next(
            (mode for mode in MODES if mode == document.get("mode", Settings.model_fields["mode"].default)), None
        ),
        namespace=str(namespace),
        domain=str(domain),
        mirrored=bool(document.get("mirror")),
        models=_protocols(document.get("models")),
    )
    try:
        return Settings.model_validate(document, context=around)
    except ValidationError as error:
        raise SettingsError(describe(error, model=Settings)) from None  # the cause would show what was typed


def _protocols(models: object) -> Mapping[str, str] | None:
    """The models' protocols by name; None where not even the names can be read."""
    listed = [] if models is None else models
    if not isinstance(listed, list) or not all(isinstance(model, Mapping) and "name" in model for model in listed):
        return None
    default = Model.model_fields["protocol"].default
    return {str(model["name"]): str(model.get("protocol", default)) for model in listed}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def load(*, platform: PlatformStack | None = None) -> Settings:
    """Read the settings of the running stack, and what the platform's stack says for it.

    Raises SettingsError with every problem.
    """
    document = stated()
    if platform:
        if twice := document.keys() & PLATFORMS_OWN:
            where = f"comes from the platform's stack, {platform.name!r}; leave it out here"
            raise SettingsError(f"{key}: {where}" for key in sorted(twice))
        document |= platform.settings
    settings = parse(document)
    prefix = f"{pulumi.get_project()}:"
    if open_keys := _keys_in_plain_text(settings, prefix=prefix):
        raise SettingsError(
            f"storage.{key}: is in plain text; keep it as a secret: pulumi config set --secret --path storage.{key}"
            for key in open_keys
        )
    return settings


def stated() -> dict[str, Any]:
    """What the running stack says, unchecked."""
    prefix = f"{pulumi.get_project()}:"
    everything = {**get_config_env(), **CONFIG.get()}  # Pulumi has no public way to list a stack's keys
    texts = {key.removeprefix(prefix): str(value) for key, value in everything.items() if key.startswith(prefix)}
    document: dict[str, Any] = {}
    for key, text in texts.items():
        try:
            document[key] = text if key in TEXTS else json.loads(text)
        except json.JSONDecodeError:
            document[key] = text
    return document


def _keys_in_plain_text(settings: Settings, *, prefix: str) -> list[str]:
    """Those of the stores' keys, as `demo.secret_access_key`, that the stack's file has in the open.

    Pulumi tells only of a whole setting whether some secret is in it; which one, the file itself says.
    """
    file = Path(os.environ.get("PULUMI_OPTION_CONFIG_FILE") or f"Pulumi.{pulumi.get_stack()}.yaml")
    document = stack_files.read(file) if file.is_file() else {}
    stored = _mapping(stack_files.settings(document, project=pulumi.get_project()).get("storage"))
    return [
        f"{name}.{key}"
        for name, store in settings.storage.items()
        for key in ("access_key_id", "secret_access_key")
        if getattr(store, key)
        and (not is_config_secret(f"{prefix}storage") or isinstance(_mapping(stored.get(name)).get(key), str))
    ]
