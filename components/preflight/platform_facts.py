"""Read which parts of the platform a cluster has: their versions, whether they run, and who installed them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx2 as httpx
import pulumi
from pydantic import AliasPath, Field

from components.charts.helm_records import records_of
from components.charts.helm_records import stack_of as stack_of_record
from components.objects import STACK_ANNOTATION
from components.ownership.existing_objects import HELM_ANNOTATIONS, MANAGER_LABEL
from components.settings.platform_parts import TITLES, Part
from kube.connection import refusal_of
from kube.views.base import Object, View, in_spec
from kube.views.kubernetes import CustomResourceDefinition, Deployment, Namespace
from releases.existing import Version

VERSION_LABEL = "app.kubernetes.io/version"
BUNDLE_ANNOTATION = "gateway.networking.k8s.io/bundle-version"
METADATA_ONLY = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
# Helm's release of this program's Gateway API, as its objects have it in their annotations.
GATEWAY_API_RELEASE = ("gateway-api", "default")
# A kind that each part defines, and labels that its controller's Deployment has however it was installed.
KINDS: Mapping[Part, str] = {
    "cert_manager": "certificates.cert-manager.io",
    "gateway_api": "gateways.gateway.networking.k8s.io",
    "istio": "virtualservices.networking.istio.io",
    "knative": "services.serving.knative.dev",
    "kserve": "inferenceservices.serving.kserve.io",
}
CONTROLLERS: Mapping[Part, str] = {
    "cert_manager": "app.kubernetes.io/name=cert-manager,app.kubernetes.io/component=controller",
    "istio": "app=istiod",
    "knative": "app.kubernetes.io/name=knative-serving,app.kubernetes.io/component=controller",
    "kserve": "control-plane=kserve-controller-manager",
}
T = TypeVar("T")


class UntoldError(pulumi.RunError):
    """The cluster did not say what exists, or whose it is. That decides what is declared, so the run stops."""


class _Container(View):
    image: str = ""


class Controller(Deployment):
    """A Deployment, with the images of its containers."""

    containers: tuple[_Container, ...] = Field((), validation_alias=in_spec("template", "spec", "containers"))


class Controllers(View):
    """A list of Deployments."""

    items: tuple[Controller, ...] = Field((), validation_alias=AliasPath("items"))


@dataclass(frozen=True, kw_only=True)
class FoundPart:
    """A part of the platform that the cluster has.

    Attributes:
        version: read from its own objects, without a leading v; empty if they have none.
        namespace: of its controller; empty where there is none.
        running: whether its controller is available; True for Gateway API, which has none.
        stack: identity of the stack that installed it; empty if none did.
        installer: who installed it if no stack did, as text for messages.

    """

    part: Part
    version: str
    namespace: str = ""
    running: bool = True
    stack: str = ""
    installer: str = "installed by hand"

    def __str__(self) -> str:
        """Its name and version."""
        return f"{TITLES[self.part]}{f' {self.version}' if self.version else ''}"

    @property
    def whose(self) -> str:
        """Who installed it."""
        return f"stack {self.stack}" if self.stack else self.installer

    @property
    def minor(self) -> Version | None:
        """Its version as (major, minor); None where it is not known."""
        found = re.match(r"(\d+)\.(\d+)", self.version)
        return (int(found[1]), int(found[2])) if found else None


def read_parts(client: httpx.Client) -> Mapping[Part, FoundPart]:
    """Find the parts that the cluster has.

    Raises:
        UntoldError: the cluster does not tell.
    """
    found = {part: _read_part(client, part) for part in KINDS}
    return {part: one for part, one in found.items() if one}


def _read_part(client: httpx.Client, part: Part) -> FoundPart | None:
    definition = ask(
        client,
        CustomResourceDefinition.path(name=KINDS[part]),
        CustomResourceDefinition.model_validate,
        what=TITLES[part],
        headers=METADATA_ONLY,
    )
    controllers = _controllers(client, part)
    if definition is None and not controllers:
        return None
    if part == "gateway_api" or not controllers:
        objects: list[Object] = [definition] if definition else []
        bundle = definition.metadata.annotations.get(BUNDLE_ANNOTATION, "") if definition else ""
        found = FoundPart(part=part, version=bundle.removeprefix("v"), running=part == "gateway_api")
    else:
        controller = min(controllers, key=lambda one: one.namespace + one.name)
        namespace = ask(client, Namespace.path(name=controller.namespace), Namespace.model_validate, what=TITLES[part])
        objects = [controller, *([definition] if definition else []), *([namespace] if namespace else [])]
        found = FoundPart(
            part=part,
            version=version_of(controller),
            namespace=controller.namespace,
            running=all(one.available > 0 for one in controllers),
        )
    return _with_owner(found, objects, client=client)


def _controllers(client: httpx.Client, part: Part) -> tuple[Controller, ...]:
    if part not in CONTROLLERS:
        return ()
    query = {"labelSelector": CONTROLLERS[part]}
    listed = ask(client, Controller.path(), Controllers.model_validate, what=TITLES[part], query=query)
    return listed.items if listed else ()


def version_of(controller: Controller) -> str:
    """Version of a controller, by its label, else by the tag of its image."""
    label = controller.metadata.labels.get(VERSION_LABEL, "")
    tags = (one.image.partition("@")[0].rpartition("/")[2].partition(":")[2] for one in controller.containers)
    known = (text.removeprefix("v") for text in (label, *tags) if re.match(r"v?\d+\.\d+", text))
    return next(known, "")


def _with_owner(found: FoundPart, objects: Iterable[Object], *, client: httpx.Client) -> FoundPart:
    """Add who installed the part, as its objects say: the mark of a stack, else of Helm, else of another manager."""
    marks = [(item.metadata.annotations, item.metadata.labels) for item in objects]
    stack = next((kept[STACK_ANNOTATION] for kept, _ in marks if kept.get(STACK_ANNOTATION)), "")
    release = next(
        ((kept[HELM_ANNOTATIONS[0]], kept[HELM_ANNOTATIONS[1]]) for kept, _ in marks if _has_helm(kept)), None
    )
    if not stack and release == GATEWAY_API_RELEASE:
        stack = _stack_of_release(client, *release)
    manager = next((labels[MANAGER_LABEL] for _, labels in marks if labels.get(MANAGER_LABEL)), "")
    installer = f"managed by {manager}" if manager else found.installer
    if release:
        installer = f"installed by Helm (release {release[0]} in namespace {release[1]})"
    return FoundPart(**{**vars(found), "stack": stack, "installer": installer})


def _has_helm(annotations: Mapping[str, str]) -> bool:
    return all(name in annotations for name in HELM_ANNOTATIONS)


def _stack_of_release(client: httpx.Client, release: str, namespace: str) -> str:
    """Identity of the stack that installed this Helm release, which is in Helm's record; empty if none did."""
    try:
        records = records_of(client, release, namespace=namespace)
    except httpx.HTTPStatusError as problem:
        raise _untold(problem.response, what=f"Helm's record of release {release} in namespace {namespace}") from None
    return next(filter(None, map(stack_of_record, reversed(records))), "")


def ask(
    client: httpx.Client,
    path: str,
    read: Callable[[object], T],
    *,
    what: str,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> T | None:
    """Read a path of the API; None if the cluster has nothing there.

    Raises:
        UntoldError: the answer is any other error.
    """
    answer = client.get(path, params=query, headers=headers)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    if not answer.is_success:
        raise _untold(answer, what=what)
    return read(answer.json())


def _untold(answer: httpx.Response, *, what: str) -> UntoldError:
    return UntoldError(
        f"{what}: the cluster does not tell whether it is there, and whose it is: {refusal_of(answer)} "
        f"(status {answer.status_code}). Nothing is changed until it does. Try again, or use a login that may read it: "
        f"{answer.request.url.path}"
    )
