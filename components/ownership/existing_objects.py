"""Refuse to create an object that exists already: Pulumi would adopt it, change it, and delete it with the stack.

An object of the stack that others made anew under its name is not changed either.

Pulumi runs a `before_create` hook in previews, too, and only where it is about to create. What the hook refuses never
gets into the stack's state, so no later `destroy` touches it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2 as httpx
import pulumi
import tenacity

from components.charts.helm_records import HelmRecord, ReleaseMark, records_of, stack_of
from components.objects import STACK_ANNOTATION
from components.ownership.stack_identity import Identity
from components.threads import in_own_thread
from kube.connection import refusal_of
from kube.kubeconfig import KubeconfigError
from kube.views.base import Object, View
from kube.views.kubernetes import Namespace

HELM_RELEASE = "kubernetes:helm.sh/v3:Release"
HELM_ANNOTATIONS = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
MANAGER_LABEL = "app.kubernetes.io/managed-by"
# ConfigMaps that istiod creates in every namespace. Where a stranger's istiod does, the stranger has Istio's namespace,
# which is refused, and what these ConfigMaps depend on.
MADE_BY_ISTIOD = {("ConfigMap", "istio-ca-root-cert"), ("ConfigMap", "istio-ca-crl")}
# Inputs of an object or a release that say which one it is.
INPUTS = {"apiVersion", "kind", "metadata", "name", "namespace", "chart"}
ATTEMPTS = 5
LONGEST_PAUSE = 4.0
T = TypeVar("T")


class ExistingObjectError(Exception):
    """An object exists already and is not the stack's, or the cluster does not tell."""


class _NotNowError(Exception):
    """The API server does not answer now."""


class _Kind(View):
    """A kind of object, as the API server lists it."""

    name: str
    kind: str
    namespaced: bool = False


class _Kinds(View):
    resources: tuple[_Kind, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """An object that Pulumi is about to create; `version` is its apiVersion."""

    version: str
    kind: str
    name: str
    namespace: str

    @classmethod
    def of(cls, inputs: Mapping[str, Any], *, namespace: str) -> _Wanted | None:
        """Read an object's inputs; None if its name is unknown, as in some previews: the update then checks it.

        `namespace` is that of objects that name none.
        """
        metadata = inputs.get("metadata")
        if not isinstance(metadata, Mapping):
            return None
        named = (inputs.get("apiVersion"), inputs.get("kind"), metadata.get("name"), metadata.get("namespace"))
        version, kind, name, place = (text if isinstance(text, str) else None for text in named)
        unknown = place is None and metadata.get("namespace") is not None
        if version is None or kind is None or name is None or unknown:
            return None
        return cls(version=version, kind=kind, name=name, namespace=place or namespace)


@dataclass(frozen=True, kw_only=True)
class ExistingObjects:
    """Looks for the objects that Pulumi is about to create or to change. `refuse` and `refuse_remade` are the hooks.

    Attributes:
        connect: opens a client of the cluster.
        namespace: of objects that name none.
        identity: the stack's.
        longest_pause: in seconds, between two attempts to ask an API server that is busy.

    """

    connect: Callable[[], httpx.Client]
    namespace: str
    identity: Identity
    longest_pause: float = LONGEST_PAUSE
    _clients: list[httpx.Client] = field(default_factory=list, repr=False)
    _kinds: dict[tuple[str, str], _Kind] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    async def refuse(self, args: pulumi.ResourceHookArgs) -> None:
        """Refuse an object that exists and is not this stack's.

        Raises:
            ExistingObjectError: it exists, or the cluster does not tell; the text has whose it is and what to do.
        """
        # An input is an output where a part of it is secret.
        given = {key: value for key, value in (args.new_inputs or {}).items() if key in INPUTS}
        inputs = await pulumi.Output.from_input(given).future(with_unknowns=True)
        look = self._refuse_release if args.type == HELM_RELEASE else self._refuse_object
        if not await in_own_thread(look, args.urn, inputs or {}) and not pulumi.runtime.is_dry_run():
            raise ExistingObjectError(f"{args.name} ({args.type}): it has no name to look for")

    async def refuse_remade(self, args: pulumi.ResourceHookArgs) -> None:
        """Refuse to change an object that others made in the place of the stack's, which somebody deleted.

        Raises:
            ExistingObjectError: it is another object, or the cluster does not tell.
        """
        given = {key: value for key, value in (args.old_outputs or {}).items() if key in INPUTS}
        outputs = await pulumi.Output.from_input(given).future(with_unknowns=True)
        await in_own_thread(self._refuse_remade, args.urn, outputs or {})

    def _refuse_remade(self, urn: str, outputs: Mapping[str, Any]) -> None:
        wanted = _Wanted.of(outputs, namespace=self.namespace)
        made = Object.model_validate({"metadata": outputs["metadata"]}) if wanted else None
        if wanted is None or made is None or not made.metadata.uid or not (kind := self._kind(wanted)):
            return
        called, found = self._find(wanted, kind=kind)
        if found is None or found.metadata.uid == made.metadata.uid:
            return
        if found.metadata.annotations.get(STACK_ANNOTATION) != self.identity.text:  # else from a backup
            raise ExistingObjectError(
                f"{called} is not the one that this stack made: it has the UID {found.metadata.uid} instead of "
                f"{made.metadata.uid} ({owner_of(found)}). This stack does not change it. Delete it, if nobody needs "
                f"it; or have Pulumi forget it, with pulumi state delete '{urn}', and use another name"
            )

    def _refuse_object(self, urn: str, inputs: Mapping[str, Any]) -> bool:
        """Refuse an object that is somebody else's. Returns False if it could not be looked up."""
        wanted = _Wanted.of(inputs, namespace=self.namespace)
        if wanted is None:
            return False
        if (wanted.kind, wanted.name) not in MADE_BY_ISTIOD and (kind := self._kind(wanted)):
            self._refuse_wanted(urn, wanted, kind=kind)
        return True

    def _refuse_wanted(self, urn: str, wanted: _Wanted, *, kind: _Kind) -> None:
        called, found = self._find(wanted, kind=kind)
        if found is None:
            return
        stack = found.metadata.annotations.get(STACK_ANNOTATION)
        is_replaced = urn in self.identity.in_state and pulumi.runtime.is_dry_run()
        if stack == self.identity.text:
            if not is_replaced:
                pulumi.log.info(f"{called} is there already, from a run of this stack that was interrupted: it goes on")
        elif stack or not (is_replaced and self.identity.deployed_before):  # its objects may have no mark yet
            raise ExistingObjectError(_refusal(called, owner=owner_of(found), stack=stack))

    def _find(self, wanted: _Wanted, *, kind: _Kind) -> tuple[str, Object | None]:
        """What it is called in messages, and the object that is there, if any."""
        namespace = wanted.namespace if kind.namespaced else ""
        called = f"{wanted.kind} {namespace}{'/' if namespace else ''}{wanted.name}"
        place = f"namespaces/{namespace}/" if namespace else ""
        answer = self._get(f"{_api(wanted.version)}/{place}{kind.name}/{wanted.name}", what=called)
        return called, Object.model_validate(answer.json()) if answer else None

    def _refuse_release(self, _: str, inputs: Mapping[str, Any]) -> bool:
        """Refuse a Helm release that is somebody else's. Returns False if it could not be looked up."""
        name, namespace = inputs.get("name"), inputs.get("namespace") or self.namespace
        if not isinstance(name, str) or not isinstance(namespace, str):
            return False
        called = f"Helm release {name} in namespace {namespace}"
        records = self._ask(lambda client: records_of(client, name, namespace=namespace), what=called)
        succeeded = [record for record in records if record.has_succeeded]
        if succeeded:
            self._refuse_installed(succeeded[-1], called=called)
        elif records:
            self._refuse_unfinished(records[-1], chart=str(inputs.get("chart")), namespace=namespace, called=called)
        return True

    def _refuse_installed(self, record: HelmRecord, *, called: str) -> None:
        mark = ReleaseMark(identity=self.identity.text, deployed_before=self.identity.deployed_before)
        if not mark.is_on(record):
            stack = stack_of(record)
            owner = f"stack {stack}" if stack else f"Helm says: {record.description}"
            raise ExistingObjectError(_refusal(called, owner=owner, stack=stack))

    def _refuse_unfinished(self, record: HelmRecord, *, chart: str, namespace: str, called: str) -> None:
        """Refuse a release that somebody else is installing or removing, or that a killed run of somebody else left.

        Helm writes the description, which says whose a release is, only when it has succeeded. Without, its namespace
        tells; where that has no mark, its chart does.
        """
        answer = self._get(Namespace.path(name=namespace), what=f"Namespace {namespace}")
        found = Namespace.model_validate(answer.json()) if answer else None
        stack = found.metadata.annotations.get(STACK_ANNOTATION) if found else None
        is_own = stack == self.identity.text if stack else record.chart in chart
        if not is_own:
            owner = f"{record.status}, by {f'stack {stack}' if stack else 'someone else'}"
            raise ExistingObjectError(_refusal(called, owner=owner, stack=stack))

    def _kind(self, wanted: _Wanted) -> _Kind | None:
        """The kind, or None where the cluster has none: then there is no such object either.

        A kind that is missing is looked for again, because a part of the platform may have brought it meanwhile.
        """
        version = wanted.version
        if (version, wanted.kind) not in self._kinds:
            answer = self._get(_api(version), what=f"the kinds of {version}")
            listed = _Kinds.model_validate(answer.json()).resources if answer else ()
            # A subresource is listed, too, as `deployments/scale`, and may be of the same kind.
            self._kinds.update({(version, found.kind): found for found in listed if "/" not in found.name})
        return self._kinds.get((version, wanted.kind))

    def _get(self, path: str, *, what: str) -> httpx.Response | None:
        """Answer of the API server; None where it has nothing at this path."""

        def get(client: httpx.Client) -> httpx.Response | None:
            answer = client.get(path)
            return None if answer.status_code == httpx.codes.NOT_FOUND else answer.raise_for_status()

        return self._ask(get, what=what)

    def _ask(self, question: Callable[[httpx.Client], T], *, what: str) -> T:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_NotNowError),
            wait=tenacity.wait_exponential(multiplier=self.longest_pause / 8, max=self.longest_pause),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        try:
            for attempt in retrying:
                with attempt:
                    return self._ask_once(question)
            raise AssertionError("tenacity raises the last problem")
        except (_NotNowError, httpx.HTTPError, KubeconfigError, OSError, ValueError) as problem:
            raise ExistingObjectError(
                f"{what}: the cluster does not tell whether it is there already, and whose it is: {problem}. Nothing "
                "is created until it does"
            ) from problem

    def _ask_once(self, question: Callable[[httpx.Client], T]) -> T:
        try:
            return question(self._client())
        except httpx.HTTPStatusError as problem:
            text = f"{refusal_of(problem.response)} (status {problem.response.status_code})"
            busy = problem.response.status_code == httpx.codes.TOO_MANY_REQUESTS or problem.response.is_server_error
            raise (_NotNowError if busy else ValueError)(text) from problem
        except httpx.TransportError as problem:
            raise _NotNowError(f"{type(problem).__name__}: {problem}") from problem

    def _client(self) -> httpx.Client:
        """The one client of the run; a login plugin is started once."""
        with self._lock:
            if not self._clients:
                self._clients.append(self.connect())
            return self._clients[0]


def _api(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def owner_of(found: Object) -> str:
    """Describe the owner of an object from its annotations and labels."""
    annotations, labels = found.metadata.annotations, found.metadata.labels
    if stack := annotations.get(STACK_ANNOTATION):
        return f"stack {stack}"
    release, namespace = (annotations.get(name) for name in HELM_ANNOTATIONS)
    if release:
        return f"Helm release {release} in namespace {namespace}"
    if manager := labels.get(MANAGER_LABEL):
        return f"managed by {manager}"
    return "not made by this stack"


def _refusal(called: str, *, owner: str, stack: str | None) -> str:
    others = ", or have models only, on that stack's platform (setting `platform`)" if stack else ""
    return (
        f"{called} is there already ({owner}). This stack neither changes nor deletes it. Deploy to another cluster, "
        f"or under a name that is free{others}; or delete it, if nobody needs it"
    )
