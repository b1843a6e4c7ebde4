"""Kubernetes' own objects."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import AliasChoices, AliasPath, Field

from kube.views.base import Conditions, Object, Strings, View, condition, in_spec, in_status, is_true


class ContainerStateTerminated(View):
    """The state of a container that has ended."""

    exit_code: int = Field(0, validation_alias="exitCode")
    reason: str = ""
    message: str = ""


class ContainerStateWaiting(View):
    """The state of a container that does not run yet."""

    reason: str = ""
    message: str = ""


class ContainerStateRunning(View):
    """The state of a container that runs."""

    since: datetime | None = Field(None, validation_alias="startedAt")


class ContainerStatus(View):
    """A container of a pod: waiting, running or ended, and how it ended the last time."""

    name: str
    image: str = ""
    ready: bool = False
    restarts: int = Field(0, validation_alias="restartCount")
    waiting: ContainerStateWaiting | None = Field(None, validation_alias=AliasPath("state", "waiting"))
    running: ContainerStateRunning | None = Field(None, validation_alias=AliasPath("state", "running"))
    ended: ContainerStateTerminated | None = Field(None, validation_alias=AliasPath("state", "terminated"))
    ended_before: ContainerStateTerminated | None = Field(None, validation_alias=AliasPath("lastState", "terminated"))

    @property
    def running_since(self) -> datetime | None:
        """When it was started, if it runs."""
        return self.running.since if self.running else None

    @property
    def failed(self) -> ContainerStateTerminated | None:
        """Its last termination if that was a failure, else None."""
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

    conditions: Conditions = Field((), validation_alias=in_status("conditions"))
    init: tuple[ContainerStatus, ...] = Field((), validation_alias=in_status("initContainerStatuses"))
    containers: tuple[ContainerStatus, ...] = Field((), validation_alias=in_status("containerStatuses"))
    declared: tuple[Container, ...] = Field((), validation_alias=in_spec("containers"))
    declared_init: tuple[Container, ...] = Field((), validation_alias=in_spec("initContainers"))
    pull_secrets: tuple[Strings, ...] = Field((), validation_alias=in_spec("imagePullSecrets"))

    @property
    def ready(self) -> bool:
        """Whether its condition Ready is True."""
        return is_true(self.conditions, "Ready")

    @property
    def component(self) -> str:
        """The component of the model that it belongs to: predictor, transformer or explainer."""
        return self.metadata.labels.get("component", "predictor")

    def container(self, name: str) -> Container | None:
        """The container of this name, as declared."""
        return next((found for found in (*self.declared, *self.declared_init) if found.name == name), None)


class Event(Object):
    """A warning about an object: the one of kind `kind`, name `about` and UID `about_uid`."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "events"

    kind: str = Field("", validation_alias=AliasPath("involvedObject", "kind"))
    about: str = Field("", validation_alias=AliasPath("involvedObject", "name"))
    about_uid: str = Field("", validation_alias=AliasPath("involvedObject", "uid"))
    reason: str = ""
    message: str = ""
    last: datetime | None = Field(None, validation_alias=AliasChoices("lastTimestamp", "eventTime"))


class Deployment(Object):
    """A number of pods that should run, `wanted`: `ready` take requests, `updated` are of the latest version."""

    api: ClassVar[str] = "apis/apps/v1"
    plural: ClassVar[str] = "deployments"

    wanted: int = Field(1, validation_alias=in_spec("replicas"))
    selector: Strings = Field({}, validation_alias=in_spec("selector", "matchLabels"))
    pod_labels: Strings = Field({}, validation_alias=in_spec("template", "metadata", "labels"))
    pod_annotations: Strings = Field({}, validation_alias=in_spec("template", "metadata", "annotations"))
    observed_generation: int = Field(0, validation_alias=in_status("observedGeneration"))
    replicas: int = Field(0, validation_alias=in_status("replicas"))
    updated: int = Field(0, validation_alias=in_status("updatedReplicas"))
    available: int = Field(0, validation_alias=in_status("availableReplicas"))
    ready: int = Field(0, validation_alias=in_status("readyReplicas"))
    conditions: Conditions = Field((), validation_alias=in_status("conditions"))

    @property
    def failure(self) -> str:
        """Why no pod could be created; empty if none was refused."""
        found = condition(self.conditions, "ReplicaFailure")
        return found.message if found and found.status == "True" else ""


class CustomResourceDefinition(Object):
    """The definition of a kind of custom resource; its name is `<plural>.<group>`."""

    api: ClassVar[str] = "apis/apiextensions.k8s.io/v1"
    plural: ClassVar[str] = "customresourcedefinitions"


class ReplicaSet(Object):
    """The pods of one version of a Deployment, which owns it."""

    api: ClassVar[str] = "apis/apps/v1"
    plural: ClassVar[str] = "replicasets"


class Node(Object):
    """A node of the cluster."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "nodes"

    conditions: Conditions = Field((), validation_alias=in_status("conditions"))
    addresses: tuple[Strings, ...] = Field((), validation_alias=in_status("addresses"))

    @property
    def address(self) -> str:
        """Its address, the external one before the internal one."""
        known = {entry.get("type"): entry.get("address", "") for entry in self.addresses}
        return known.get("ExternalIP") or known.get("InternalIP") or ""


class Namespace(Object):
    """A namespace; `phase` is Active or Terminating."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "namespaces"

    phase: str = Field("", validation_alias=in_status("phase"))
    conditions: Conditions = Field((), validation_alias=in_status("conditions"))


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
    """One address behind a Service, as a rule that of a pod."""

    ready: bool = Field(True, validation_alias=AliasPath("conditions", "ready"))
    pod: str = Field("", validation_alias=AliasPath("targetRef", "name"))


class BackendPort(View):
    """A port of these addresses, by the name that the Service's port has."""

    name: str = ""
    number: int = Field(0, validation_alias="port")


class EndpointSlice(Object):
    """Some of the addresses behind a Service."""

    api: ClassVar[str] = "apis/discovery.k8s.io/v1"
    plural: ClassVar[str] = "endpointslices"

    endpoints: tuple[Backend, ...] = ()
    ports: tuple[BackendPort, ...] = ()

    @property
    def service(self) -> str:
        """Name of the Service."""
        return self.metadata.labels.get("kubernetes.io/service-name", "")


class Port(View):
    """A port of a Service; `node` is the one on every node, 0 for none."""

    name: str = ""
    number: int = Field(0, validation_alias="port")
    node: int = Field(0, validation_alias="nodePort")


class Service(Object):
    """A Service; `balanced` are the addresses that a load balancer gave it."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "services"

    type: str = Field("ClusterIP", validation_alias=in_spec("type"))
    selector: Strings = Field({}, validation_alias=in_spec("selector"))
    ports: tuple[Port, ...] = Field((), validation_alias=in_spec("ports"))
    external: tuple[str, ...] = Field((), validation_alias=in_spec("externalIPs"))
    balanced: tuple[dict[str, Any], ...] = Field((), validation_alias=in_status("loadBalancer", "ingress"))


class ServiceAccount(Object):
    """A ServiceAccount, with the Secrets that it lists."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "serviceaccounts"

    secrets: tuple[Strings, ...] = ()


class Secret(Object):
    """A Secret's name and annotations; its content is never read."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "secrets"


class PersistentVolumeClaim(Object):
    """A PersistentVolumeClaim."""

    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "persistentvolumeclaims"

    phase: str = Field("", validation_alias=in_status("phase"))
