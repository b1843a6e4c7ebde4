"""What all views have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import AliasPath, BaseModel, ConfigDict, Field, model_validator

Strings = dict[str, str]
MODEL_LABEL = "serving.kserve.io/inferenceservice"
REVISION_LABEL = "serving.knative.dev/revision"


class View(BaseModel):
    """Part of a Kubernetes document. Unknown fields are ignored; null means the same as a missing field."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, document: Any) -> Any:
        return without_nulls(document)


def without_nulls(value: Any) -> Any:
    """Copy of a document without the fields that are null, at any depth."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def in_status(*path: str) -> AliasPath:
    """Path of a field of the status."""
    return AliasPath("status", *path)


def in_spec(*path: str | int) -> AliasPath:
    """Path of a field of the spec."""
    return AliasPath("spec", *path)


class OwnerReference(View):
    """An object whose deletion deletes the one that refers to it."""

    api: str = Field("", validation_alias="apiVersion")
    kind: str
    name: str = ""
    uid: str = ""
    controller: bool = False

    @property
    def group(self) -> str:
        """Its API group; empty for Kubernetes' core."""
        return self.api.rpartition("/")[0]

    @property
    def key(self) -> tuple[str, str]:
        """Its API group and kind."""
        return self.group, self.kind


class Write(View):
    """When a client last wrote fields of an object, or of its subresource, as its status."""

    time: datetime | None = None
    subresource: str = ""


class Metadata(View):
    """What every object has."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    created: datetime | None = Field(None, validation_alias="creationTimestamp")
    deleted: datetime | None = Field(None, validation_alias="deletionTimestamp")
    owners: tuple[OwnerReference, ...] = Field((), validation_alias="ownerReferences")
    finalizers: tuple[str, ...] = ()
    labels: Strings = {}
    annotations: Strings = {}
    writes: tuple[Write, ...] = Field((), validation_alias="managedFields")

    @property
    def written(self) -> datetime | None:
        """When somebody last wrote what is declared, which is not the status; None where the cluster does not say."""
        times = (write.time for write in self.writes if write.time and not write.subresource)
        return max(times, default=None)

    @property
    def controller(self) -> OwnerReference | None:
        """The owner whose controller made it."""
        return next((owner for owner in self.owners if owner.controller), None)


class Object(View):
    """An object of the API at `api`, listed as `plural`."""

    api: ClassVar[str]
    plural: ClassVar[str]

    metadata: Metadata

    def __str__(self) -> str:
        """`pods/iris-predictor-0`, which kubectl takes as an argument."""
        return f"{self.plural}/{self.name}"

    @property
    def kubectl_name(self) -> str:
        """`routes.serving.knative.dev/iris`: with the API group, as other groups may have a kind of this name."""
        group = self.api.removeprefix("apis/").rpartition("/")[0]
        return f"{self.plural}.{group}/{self.name}" if group != "api" else str(self)

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Its namespace; empty for an object of the whole cluster."""
        return self.metadata.namespace

    @property
    def model(self) -> str:
        """The InferenceService that it belongs to by its label; empty if to none."""
        return self.metadata.labels.get(MODEL_LABEL, "")

    @property
    def revision(self) -> str:
        """The Knative revision that it belongs to by its label; empty without Knative."""
        return self.metadata.labels.get(REVISION_LABEL, "")

    @classmethod
    def path(cls, *, namespace: str = "", name: str = "") -> str:
        """URL path of one object or, without a name, of the list; without a namespace, of the whole cluster."""
        place = f"namespaces/{namespace}/" if namespace else ""
        return f"/{cls.api}/{place}{cls.plural}{f'/{name}' if name else ''}"


class Condition(View):
    """One condition of a status; `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str = ""
    message: str = ""

    def __str__(self) -> str:
        details = ": ".join(filter(None, (self.reason, self.message)))
        return f"{self.type}={self.status}" + (f" ({details})" if details else "")


Conditions = tuple[Condition, ...]


def condition(conditions: Conditions, kind: str) -> Condition | None:
    """The condition of this type; None if it is missing."""
    return next((found for found in conditions if found.type == kind), None)


def is_true(conditions: Conditions, kind: str) -> bool:
    """Whether the condition of this type is there and True."""
    found = condition(conditions, kind)
    return found is not None and found.status == "True"
