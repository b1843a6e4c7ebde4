"""Objects of KServe."""

from __future__ import annotations

import re
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import AliasPath, Field

from kube.views.base import Conditions, Object, Strings, View, in_spec, in_status, is_true
from kube.views.knative import TrafficTarget

MODE_ANNOTATION = "serving.kserve.io/deploymentMode"
# Labels of an InferenceService that make it cluster-local: of Knative for mode Knative, of KServe for mode Standard.
KNATIVE_VISIBILITY = "networking.knative.dev/visibility"
KSERVE_VISIBILITY = "networking.kserve.io/visibility"
CLUSTER_LOCAL = "cluster-local"
_IMAGE = "oci://"
STOP_ANNOTATION = "serving.kserve.io/stop"
STACK_ANNOTATION = "kserve-multi-model/stack"
# Its value changes with everything that is declared of a server. KServe copies it to the server's pods.
SPEC_HASH_ANNOTATION = "kserve-multi-model/declared"
# Errors of a model's download that mean refused access keys: the status only as clients write it, since a path may
# contain the number; S3's codes; boto's words for no keys; KServe's for other stores; Google's for a key; a registry's.
KEYS_REFUSED = re.compile(
    r"\(403\)|\[403\]|\b40[13] Client Error|\bForbidden\b|SignatureDoesNotMatch|InvalidAccessKeyId|AccessDenied"
    r"|InvalidToken|ExpiredToken|NoCredentialsError|Unable to locate credentials"
    r"|\b(HTTP|HuggingFace|Azure|GCS|HDFS|S3|Git) authentication failed|HTTP access denied|Invalid AWS credentials"
    r"|Access denied to \w+ resource|Access denied\. Verify \w+ permissions"
    r"|\binvalid_grant\b|AuthenticationFailed|AuthorizationFailure"
    r"|\b401 Unauthorized\b|\bpull access denied\b|\bno basic auth credentials\b"
    r"|\bunauthorized: |\binsufficient_scope\b|\baccess to the resource is denied\b"
)


def not_true(conditions: Conditions) -> Conditions:
    """The conditions that stand in the way of Ready. `Stopped` is the one that should be False."""
    return tuple(item for item in conditions if (item.status == "True") == (item.type == "Stopped"))


def _model(*path: str) -> AliasPath:
    return in_spec("predictor", "model", *path)


def _predictor(*path: str) -> AliasPath:
    return in_status("components", "predictor", *path)


class Served(Object):
    """An InferenceService or an InferenceGraph; `mode` is Knative or Standard, or empty before KServe chose one."""

    mode: str = ""
    url: str = Field("", validation_alias=in_status("url"))
    conditions: Conditions = Field((), validation_alias=in_status("conditions"))

    @property
    def ready(self) -> bool:
        """Whether KServe reports it as ready."""
        return is_true(self.conditions, "Ready")

    @property
    def host(self) -> str:
        """The host of its URL; empty while it has none."""
        return urlsplit(self.url).hostname or ""


class EnvironmentVariable(View):
    """A variable of a container; without a value where that is taken from another object."""

    name: str
    value: str = ""


class InferenceService(Served):
    """A model, as declared and as KServe reports it.

    Attributes:
        transition: progress of loading the model, such as UpToDate, InProgress, BlockedByFailedLoad, InvalidSpec.
        failure_reason: why it could not be loaded; `failure_message` has the details.
        previous_revision: the revision that got all requests before the last one that did.
        declared: value of SPEC_HASH_ANNOTATION of its predictor; empty for a model of others.

    """

    api: ClassVar[str] = "apis/serving.kserve.io/v1beta1"
    plural: ClassVar[str] = "inferenceservices"

    format: str = Field("", validation_alias=_model("modelFormat", "name"))
    version: str = Field("", validation_alias=_model("modelFormat", "version"))
    protocol: str = Field("", validation_alias=_model("protocolVersion"))
    runtime: str = Field("", validation_alias=_model("runtime"))
    storage_uri: str = Field("", validation_alias=_model("storageUri"))
    environment: tuple[EnvironmentVariable, ...] = Field(
        (), validation_alias=in_spec("predictor", "containers", 0, "env")
    )
    probe_path: str = Field("", validation_alias=_model("readinessProbe", "httpGet", "path"))
    service_account: str = Field("default", validation_alias=in_spec("predictor", "serviceAccountName"))
    storage_container: str = Field("", validation_alias=in_spec("predictor", "storageContainerName"))
    declared: str = Field("", validation_alias=in_spec("predictor", "annotations", SPEC_HASH_ANNOTATION))
    pull_secrets: tuple[Strings, ...] = Field((), validation_alias=in_spec("predictor", "imagePullSecrets"))
    min_replicas: int = Field(1, validation_alias=in_spec("predictor", "minReplicas"))
    canary_percent: int | None = Field(None, validation_alias=in_spec("predictor", "canaryTrafficPercent"))
    mode: str = Field("", validation_alias=in_status("deploymentMode"))
    transition: str = Field("", validation_alias=in_status("modelStatus", "transitionStatus"))
    failure_reason: str = Field("", validation_alias=in_status("modelStatus", "lastFailureInfo", "reason"))
    failure_message: str = Field("", validation_alias=in_status("modelStatus", "lastFailureInfo", "message"))
    created_revision: str = Field("", validation_alias=_predictor("latestCreatedRevision"))
    ready_revision: str = Field("", validation_alias=_predictor("latestReadyRevision"))
    previous_revision: str = Field("", validation_alias=_predictor("previousRolledoutRevision"))
    traffic: tuple[TrafficTarget, ...] = Field((), validation_alias=_predictor("traffic"))

    @property
    def location(self) -> str:
        """Where its files are, as its model or its container says it; empty where it has none."""
        own = (variable.value for variable in self.environment if variable.name == "STORAGE_URI")
        return self.storage_uri or next(own, "")

    @property
    def store(self) -> str:
        """Name of its store in the settings of the stack that declared it; empty where it has none."""
        stack = self.metadata.annotations.get(STACK_ANNOTATION, "").partition(":")[0].rpartition("/")[2]
        prefix = f"{re.sub('[^a-z0-9-]', '-', stack.lower())}-storage-"
        return self.service_account.removeprefix(prefix) if stack and self.service_account.startswith(prefix) else ""

    @property
    def image(self) -> str:
        """The image that has its files; empty for other kinds of storage."""
        return self.storage_uri.removeprefix(_IMAGE) if self.storage_uri.startswith(_IMAGE) else ""

    @property
    def stopped(self) -> bool:
        """Whether it is stopped by its annotation."""
        return self.metadata.annotations.get(STOP_ANNOTATION, "").lower() == "true"

    @property
    def cluster_local(self) -> bool:
        """Whether it has no route from the gateway."""
        label = KSERVE_VISIBILITY if self.standard else KNATIVE_VISIBILITY
        return self.metadata.labels.get(label) == CLUSTER_LOCAL

    @property
    def standard(self) -> bool:
        """Whether it runs without Knative, as a plain Deployment."""
        mode = self.mode or self.metadata.annotations.get(MODE_ANNOTATION, "")
        return mode in {"Standard", "RawDeployment"}


class InferenceGraph(Served):
    """A graph of models. Its status does not have its mode, so the mode is the declared one."""

    api: ClassVar[str] = "apis/serving.kserve.io/v1alpha1"
    plural: ClassVar[str] = "inferencegraphs"

    mode: str = Field("Knative", validation_alias=AliasPath("metadata", "annotations", MODE_ANNOTATION))


class ModelFormat(View):
    """A model format that a runtime serves."""

    name: str
    version: str = ""


class ClusterServingRuntime(Object):
    """A serving runtime of the whole cluster."""

    api: ClassVar[str] = "apis/serving.kserve.io/v1alpha1"
    plural: ClassVar[str] = "clusterservingruntimes"

    disabled: bool = Field(False, validation_alias=in_spec("disabled"))
    formats: tuple[ModelFormat, ...] = Field((), validation_alias=in_spec("supportedModelFormats"))
    protocols: tuple[str, ...] = Field((), validation_alias=in_spec("protocolVersions"))


class ServingRuntime(ClusterServingRuntime):
    """A serving runtime of a namespace."""

    plural: ClassVar[str] = "servingruntimes"
