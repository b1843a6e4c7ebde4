"""Objects of Knative Serving."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from kube.views.base import Conditions, Object, Strings, View, in_spec, in_status


class TrafficTarget(View):
    """Share of the requests for one revision, in per cent. `latest` means whichever is the latest ready one."""

    latest: bool = Field(False, validation_alias="latestRevision")
    revision: str = Field("", validation_alias="revisionName")
    percent: int = 0


class KnativeObject(Object):
    """An object of Knative Serving."""

    api: ClassVar[str] = "apis/serving.knative.dev/v1"

    conditions: Conditions = Field((), validation_alias=in_status("conditions"))


class KnativeService(KnativeObject):
    """Knative's Service of a server: its template makes revisions, its traffic divides the requests among them."""

    plural: ClassVar[str] = "services"

    template_annotations: Strings = Field({}, validation_alias=in_spec("template", "metadata", "annotations"))
    traffic: tuple[TrafficTarget, ...] = Field((), validation_alias=in_spec("traffic"))
    observed_generation: int = Field(0, validation_alias=in_status("observedGeneration"))
    latest_created_revision: str = Field("", validation_alias=in_status("latestCreatedRevisionName"))
    latest_ready_revision: str = Field("", validation_alias=in_status("latestReadyRevisionName"))


class KnativeIngress(Object):
    """What Knative asks of its ingress controller for a route."""

    api: ClassVar[str] = "apis/networking.internal.knative.dev/v1alpha1"
    plural: ClassVar[str] = "ingresses"


class ServerlessService(Object):
    """Divides the requests to a revision between its pods and Knative's activator."""

    api: ClassVar[str] = "apis/networking.internal.knative.dev/v1alpha1"
    plural: ClassVar[str] = "serverlessservices"


class Revision(KnativeObject):
    """One version of a server."""

    plural: ClassVar[str] = "revisions"


class Route(KnativeObject):
    """Knative's route to a server."""

    plural: ClassVar[str] = "routes"


class KnativeServing(Object):
    """What Knative's operator installs Knative from."""

    api: ClassVar[str] = "apis/operator.knative.dev/v1beta1"
    plural: ClassVar[str] = "knativeservings"
