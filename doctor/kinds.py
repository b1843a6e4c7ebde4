"""Views of Kubernetes objects: the fields that the doctor reads, by kind."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field

from kube.inference_service import Condition

Strings = dict[str, str]
Conditions = tuple[Condition, ...]
MODEL_LABEL = "serving.kserve.io/inferenceservice"


class View(BaseModel):
    """A part of an object."""

    model_config = ConfigDict(frozen=True)


class Meta(View):
    """The metadata of an object."""

    name: str = ""
    namespace: str = ""
    created: datetime | None = Field(None, validation_alias="creationTimestamp")
    deleted: datetime | None = Field(None, validation_alias="deletionTimestamp")
    finalizers: tuple[str, ...] = ()
    labels: Strings = {}
    annotations: Strings = {}


class Object(View):
    """An object of the API group and version at the path `api`, listed as `plural`."""

    api: ClassVar[str]
    plural: ClassVar[str]

    meta: Meta = Field(validation_alias="metadata")

    @property
    def name(self) -> str:
        """Its name."""
        return self.meta.name

    @property
    def namespace(self) -> str:
        """Its namespace; empty for an object of the whole cluster."""
        return self.meta.namespace

    @property
    def model(self) -> str:
        """The InferenceService that it belongs to by its label; empty if to none."""
        return self.meta.labels.get(MODEL_LABEL, "")

    @property
    def revision(self) -> str:
        """The Knative revision that it belongs to by its label; empty without Knative."""
        return self.meta.labels.get("serving.knative.dev/revision", "")


def condition(conditions: Conditions, kind: str) -> Condition | None:
    """Give the condition of this type, if there is one."""
    return next((found for found in conditions if found.type == kind), None)


def holds(conditions: Conditions, kind: str) -> bool:
    """Tell whether the condition of this type is True."""
    found = condition(conditions, kind)
    return found is not None and found.status == "True"


class Target(View):
    """A revision's share of the requests, in per cent."""

    revision: str = Field("", validation_alias="revisionName")
    percent: int = 0


def _model(*path: str) -> AliasPath:
    return AliasPath("spec", "predictor", "model", *path)


def _status(*path: str) -> AliasPath:
    return AliasPath("status", *path)


class InferenceService(Object):
    """A model: what is declared, and KServe's status."""

    api: ClassVar[str] = "apis/serving.kserve.io/v1beta1"
    plural: ClassVar[str] = "inferenceservices"

    format: str = Field("", validation_alias=_model("modelFormat", "name"))
    version: str = Field("", validation_alias=_model("modelFormat", "version"))
    protocol: str = Field("", validation_alias=_model("protocolVersion"))
    runtime: str = Field("", validation_alias=_model("runtime"))
    storage_uri: str = Field("", validation_alias=_model("storageUri"))
    probe_path: str = Field("", validation_alias=_model("readinessProbe", "httpGet", "path"))
    service_account: str = Field("default", validation_alias=AliasPath("spec", "predictor", "serviceAccountName"))
    min_replicas: int = Field(1, validation_alias=AliasPath("spec", "predictor", "minReplicas"))
    canary_percent: int | None = Field(None, validation_alias=AliasPath("spec", "predictor", "canaryTrafficPercent"))
    mode: str = Field("", validation_alias=_status("deploymentMode"))
    url: str = Field("", validation_alias=_status("url"))
    conditions: Conditions = Field((), validation_alias=_status("conditions"))
    transition: str = Field("", validation_alias=_status("modelStatus", "transitionStatus"))
    failure_reason: str = Field("", validation_alias=_status("modelStatus", "lastFailureInfo", "reason"))
    failure: str = Field("", validation_alias=_status("modelStatus", "lastFailureInfo", "message"))
    created_revision: str = Field("", validation_alias=_status("components", "predictor", "latestCreatedRevision"))
    ready_revision: str = Field("", validation_alias=_status("components", "predictor", "latestReadyRevision"))
    traffic: tuple[Target, ...] = Field((), validation_alias=_status("components", "predictor", "traffic"))

    @property
    def ready(self) -> bool:
        """Whether its condition Ready is True."""
        return holds(self.conditions, "Ready")

    @property
    def stopped(self) -> bool:
        """Whether it is stopped by its annotation."""
        return self.meta.annotations.get("serving.kserve.io/stop", "").lower() == "true"

    @property
    def host(self) -> str:
        """The host of its URL; empty while it has no URL."""
        return urlsplit(self.url).hostname or ""

    @property
    def standard(self) -> bool:
        """Whether it runs without Knative, as a plain Deployment."""
        mode = self.mode or self.meta.annotations.get("serving.kserve.io/deploymentMode", "")
        return mode in {"Standard", "RawDeployment"}


class ContainerStateTerminated(View):
    """The state of a container that has ended."""

    exit_code: int = Field(0, validation_alias="exitCode")
    reason: str = ""
    message: str = ""


class ContainerStateWaiting(View):
    """The state of a container that does not run yet."""

    reason: str = ""
    message: str = ""


class ContainerStatus(View):
    """A container of a pod: waiting, running or ended, and how it ended the last time."""

    name: str
    image: str = ""
    ready: bool = False
    restarts: int = Field(0, validation_alias="restartCount")
    waiting: ContainerStateWaiting | None = Field(None, validation_alias=AliasPath("state", "waiting"))
    ended: ContainerStateTerminated | None = Field(None, validation_alias=AliasPath("state", "terminated"))
    ended_before: ContainerStateTerminated | None = Field(None, validation_alias=AliasPath("lastState", "terminated"))
    running_since: datetime | None = Field(None, validation_alias=AliasPath("state", "running", "startedAt"))

    @property
    def failed(self) -> ContainerStateTerminated | None:
        """How it ended the last time, if that was a failure."""
        end = self.ended or self.ended_before
        return end if end is not None and end.exit_code else None


class Container(View):
    """A container as declared."""

    name: str
    memory: str = Field("", validation_alias=AliasPath("resources", "limits", "memory"))
    probe_path: str = Field("", validation_alias=AliasPath("readinessProbe", "httpGet", "path"))


class Pod(Object):
    """A pod; `init` are the containers that run before the others."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "pods"

    phase: str = Field("", validation_alias=_status("phase"))
    conditions: Conditions = Field((), validation_alias=_status("conditions"))
    init: tuple[ContainerStatus, ...] = Field((), validation_alias=_status("initContainerStatuses"))
    containers: tuple[ContainerStatus, ...] = Field((), validation_alias=_status("containerStatuses"))
    declared: tuple[Container, ...] = Field((), validation_alias=AliasPath("spec", "containers"))
    declared_init: tuple[Container, ...] = Field((), validation_alias=AliasPath("spec", "initContainers"))

    @property
    def ready(self) -> bool:
        """Whether its condition Ready is True."""
        return holds(self.conditions, "Ready")

    @property
    def component(self) -> str:
        """The component of the model that it belongs to: predictor, transformer or explainer."""
        return self.meta.labels.get("component", "predictor")

    def container(self, name: str) -> Container | None:
        """The container of this name, as declared."""
        return next((found for found in (*self.declared, *self.declared_init) if found.name == name), None)


class Event(Object):
    """A warning about an object."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "events"

    kind: str = Field("", validation_alias=AliasPath("involvedObject", "kind"))
    about: str = Field("", validation_alias=AliasPath("involvedObject", "name"))
    reason: str = ""
    message: str = ""
    last: datetime | None = Field(None, validation_alias=AliasChoices("lastTimestamp", "eventTime"))


class Revision(Object):
    """One version of a model's server, by Knative."""

    api: ClassVar[str] = "apis/serving.knative.dev/v1"
    plural: ClassVar[str] = "revisions"

    conditions: Conditions = Field((), validation_alias=_status("conditions"))


class Route(Object):
    """Knative's route to a model's server."""

    api: ClassVar[str] = "apis/serving.knative.dev/v1"
    plural: ClassVar[str] = "routes"

    conditions: Conditions = Field((), validation_alias=_status("conditions"))


class Deployment(Object):
    """A Deployment: `ready` of its `wanted` pods are ready."""

    api: ClassVar[str] = "apis/apps/v1"
    plural: ClassVar[str] = "deployments"

    wanted: int = Field(1, validation_alias=AliasPath("spec", "replicas"))
    selector: Strings = Field({}, validation_alias=AliasPath("spec", "selector", "matchLabels"))
    pod_labels: Strings = Field({}, validation_alias=AliasPath("spec", "template", "metadata", "labels"))
    ready: int = Field(0, validation_alias=_status("readyReplicas"))
    conditions: Conditions = Field((), validation_alias=_status("conditions"))

    @property
    def failure(self) -> str:
        """Why no pod could be created; empty if none was refused."""
        found = condition(self.conditions, "ReplicaFailure")
        return found.message if found and found.status == "True" else ""


class Node(Object):
    """A node of the cluster."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "nodes"

    conditions: Conditions = Field((), validation_alias=_status("conditions"))
    addresses: tuple[Strings, ...] = Field((), validation_alias=_status("addresses"))
    allocatable: Strings = Field({}, validation_alias=_status("allocatable"))

    @property
    def address(self) -> str:
        """Its address, the external one before the internal one."""
        known = {entry.get("type"): entry.get("address", "") for entry in self.addresses}
        return known.get("ExternalIP") or known.get("InternalIP") or ""


class Namespace(Object):
    """A namespace; `phase` is Active or Terminating."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "namespaces"

    phase: str = Field("", validation_alias=_status("phase"))
    conditions: Conditions = Field((), validation_alias=_status("conditions"))


class Webhook(View):
    """One entry of a webhook configuration: the Service that is asked, and what happens if it does not answer."""

    name: str
    policy: str = Field("Fail", validation_alias="failurePolicy")
    service: str = Field("", validation_alias=AliasPath("clientConfig", "service", "name"))
    namespace: str = Field("", validation_alias=AliasPath("clientConfig", "service", "namespace"))
    authority: str = Field("", validation_alias=AliasPath("clientConfig", "caBundle"))


class WebhookConfiguration(Object):
    """A webhook configuration."""

    api: ClassVar[str] = "apis/admissionregistration.k8s.io/v1"

    webhooks: tuple[Webhook, ...] = ()


class MutatingWebhookConfiguration(WebhookConfiguration):
    """A MutatingWebhookConfiguration."""

    plural: ClassVar[str] = "mutatingwebhookconfigurations"


class ValidatingWebhookConfiguration(WebhookConfiguration):
    """A ValidatingWebhookConfiguration."""

    plural: ClassVar[str] = "validatingwebhookconfigurations"


class Backend(View):
    """One address behind a Service."""

    ready: bool = Field(True, validation_alias=AliasPath("conditions", "ready"))


class EndpointSlice(Object):
    """Some of the addresses behind a Service."""

    api: ClassVar[str] = "apis/discovery.k8s.io/v1"
    plural: ClassVar[str] = "endpointslices"

    endpoints: tuple[Backend, ...] = ()

    @property
    def service(self) -> str:
        """The Service's name."""
        return self.meta.labels.get("kubernetes.io/service-name", "")


class Port(View):
    """A port of a Service; `node` is the one on every node, 0 for none."""

    name: str = ""
    number: int = Field(0, validation_alias="port")
    node: int = Field(0, validation_alias="nodePort")


class Service(Object):
    """A Service."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "services"

    type: str = Field("ClusterIP", validation_alias=AliasPath("spec", "type"))
    selector: Strings = Field({}, validation_alias=AliasPath("spec", "selector"))
    ports: tuple[Port, ...] = Field((), validation_alias=AliasPath("spec", "ports"))
    external: tuple[str, ...] = Field((), validation_alias=AliasPath("spec", "externalIPs"))
    balanced: tuple[dict[str, Any], ...] = Field((), validation_alias=_status("loadBalancer", "ingress"))


class Gateway(Object):
    """A gateway of the Gateway API."""

    api: ClassVar[str] = "apis/gateway.networking.k8s.io/v1"
    plural: ClassVar[str] = "gateways"

    conditions: Conditions = Field((), validation_alias=_status("conditions"))
    addresses: tuple[Strings, ...] = Field((), validation_alias=_status("addresses"))
    asked_addresses: tuple[Strings, ...] = Field((), validation_alias=AliasPath("spec", "addresses"))


class IstioGateway(Object):
    """A gateway of Istio's own API; it runs in the pods with the labels `selector`."""

    api: ClassVar[str] = "apis/networking.istio.io/v1"
    plural: ClassVar[str] = "gateways"

    selector: Strings = Field({}, validation_alias=AliasPath("spec", "selector"))


class RouteParent(View):
    """What one of its gateways says about a route."""

    conditions: Conditions = ()


class HTTPRoute(Object):
    """A route of the Gateway API."""

    api: ClassVar[str] = "apis/gateway.networking.k8s.io/v1"
    plural: ClassVar[str] = "httproutes"

    hostnames: tuple[str, ...] = Field((), validation_alias=AliasPath("spec", "hostnames"))
    parents: tuple[RouteParent, ...] = Field((), validation_alias=_status("parents"))


class VirtualService(Object):
    """A route of Istio's own API."""

    api: ClassVar[str] = "apis/networking.istio.io/v1"
    plural: ClassVar[str] = "virtualservices"

    hosts: tuple[str, ...] = Field((), validation_alias=AliasPath("spec", "hosts"))


class ServiceAccount(Object):
    """A ServiceAccount, with the Secrets that it lists."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "serviceaccounts"

    secrets: tuple[Strings, ...] = ()


class Secret(Object):
    """A Secret's name and annotations; its content is never read."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "secrets"


class ResourceQuota(Object):
    """The limits of a namespace, and how much of them is used."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "resourcequotas"

    hard: Strings = Field({}, validation_alias=_status("hard"))
    used: Strings = Field({}, validation_alias=_status("used"))


class PersistentVolumeClaim(Object):
    """A PersistentVolumeClaim."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "persistentvolumeclaims"

    phase: str = Field("", validation_alias=_status("phase"))


class Format(View):
    """A model format that a runtime serves."""

    name: str
    version: Annotated[str, BeforeValidator(str)] = ""
    chosen: bool = Field(False, validation_alias="autoSelect")


class ClusterServingRuntime(Object):
    """A serving runtime for the whole cluster."""

    api: ClassVar[str] = "apis/serving.kserve.io/v1alpha1"
    plural: ClassVar[str] = "clusterservingruntimes"

    disabled: bool = Field(False, validation_alias=AliasPath("spec", "disabled"))
    formats: tuple[Format, ...] = Field((), validation_alias=AliasPath("spec", "supportedModelFormats"))
    protocols: tuple[str, ...] = Field((), validation_alias=AliasPath("spec", "protocolVersions"))


class ServingRuntime(ClusterServingRuntime):
    """A serving runtime for one namespace."""

    plural: ClassVar[str] = "servingruntimes"
