"""Reads the facts from a cluster; changes nothing, and reads no Secret's content."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import httpx2 as httpx

from doctor.facts import PLATFORM, Asked, Facts, Unread
from doctor.ingress import ingresses
from endpoints.endpoint import Endpoint, GatewayService
from endpoints.failures import CheckFailed, Disconnected, Failure, one_line
from endpoints.gateway import GatewayClient
from endpoints.sources import InputError
from kube.connection import client_of, refusal_of
from kube.kubeconfig import KubeconfigError, find_access
from kube.port_forward import PortForward
from kube.views.base import MODEL_LABEL, Object
from kube.views.gateways import Gateway, HTTPRoute, IstioGateway, VirtualService
from kube.views.knative import Revision, Route
from kube.views.kserve import ClusterServingRuntime, InferenceService, ServingRuntime
from kube.views.kubernetes import (
    Deployment,
    EndpointSlice,
    Event,
    MutatingWebhookConfiguration,
    Namespace,
    Node,
    PersistentVolumeClaim,
    Pod,
    Secret,
    Service,
    ServiceAccount,
    ValidatingWebhookConfiguration,
)

T = TypeVar("T", bound=Object)
PAGE = "500"
AT_ONCE = 8
LOG_LINES = "15"
LOGS = 20  # containers whose last lines are read
ASK_SECONDS = 5.0
RESOLVE_SECONDS = 3.0
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

OF_CLUSTER = (Namespace, Node, MutatingWebhookConfiguration, ValidatingWebhookConfiguration, ClusterServingRuntime)
OF_MODELS = {Pod: MODEL_LABEL, Revision: MODEL_LABEL, Route: ""}  # with the label that they are chosen by
OF_PLATFORM_TOO = (Deployment, Service, Gateway, IstioGateway)
IN_MODEL_NAMESPACES = (
    Event,
    ServiceAccount,
    Secret,
    PersistentVolumeClaim,
    ServingRuntime,
    HTTPRoute,
    VirtualService,
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which models to look at: those with these names (none: all), in this namespace (None: all), of these endpoints.

    With `ask` they also get a request through the gateway.
    """

    names: tuple[str, ...] = ()
    namespace: str | None = None
    endpoints: tuple[Endpoint, ...] = ()
    ask: bool = True


def connect(*, kubeconfig: Path | None, context: str | None) -> tuple[httpx.Client, str]:
    """Connect to a cluster: a client, and the namespace of the context.

    Raises:
        InputError: there is no kubeconfig, no such context or no way to log in.

    """
    try:
        access = find_access(kubeconfig=kubeconfig, context=context)
        return client_of(access), access.namespace
    except KubeconfigError as problem:
        raise InputError("no-kubeconfig", problem=problem) from problem


def look(wanted: Wanted, *, kubeconfig: Path | None, context: str | None) -> Facts:
    """Read the state of the cluster selected on the command line, else of the one that the endpoints name.

    Raises:
        InputError: the kubeconfig cannot be used.

    """
    context = context or next((endpoint.context for endpoint in wanted.endpoints if endpoint.context), None)
    client, home = connect(kubeconfig=kubeconfig, context=context)
    with client:
        return gather(client, wanted=wanted, home=home)


class _RefusedError(Exception):
    """The cluster did not give a list."""

    def __init__(self, why: str, *, forbidden: bool = False) -> None:
        super().__init__(why)
        self.forbidden = forbidden


class _Reader:
    """Reads lists, and keeps a record of those that could not be read."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.unread: list[Unread] = []
        self.absent: set[type[Object]] = set()

    def version(self) -> str:
        """Read the version of Kubernetes.

        Raises:
            httpx.HTTPError: the cluster cannot be reached, or does not accept the login.

        """
        return str(self._client.get("/version").raise_for_status().json().get("gitVersion", "?"))

    def everywhere(self, kind: type[T], *, else_in: Iterable[str], labels: str = "") -> list[T]:
        """Read all objects of a kind or, if that is forbidden, those in the namespaces `else_in`."""
        try:
            return self._list(kind, None, labels=labels)
        except _RefusedError as problem:
            namespaces = list(else_in) if problem.forbidden else []
            if not namespaces:
                self._miss(kind, "", problem)
                return []
        return self.inside(kind, namespaces, labels=labels)

    def inside(self, kind: type[T], namespaces: Iterable[str], *, labels: str = "") -> list[T]:
        """Read the objects of a kind in these namespaces."""
        found: list[T] = []
        for namespace in namespaces:
            try:
                found += self._list(kind, namespace, labels=labels)
            except _RefusedError as problem:
                self._miss(kind, namespace, problem)
        return found

    def log(self, namespace: str, pod: str, container: str, *, previous: bool) -> str:
        """Read the last lines of a container; empty if there are none or they cannot be read."""
        parameters = {"container": container, "tailLines": LOG_LINES} | ({"previous": "true"} if previous else {})
        try:
            answer = self._client.get(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", params=parameters)
        except httpx.HTTPError:
            return ""
        return answer.text.strip() if answer.is_success else ""

    def _list(self, kind: type[T], namespace: str | None, *, labels: str) -> list[T]:
        parameters = {"limit": PAGE} | ({"labelSelector": labels} if labels else {})
        parameters |= {"fieldSelector": "type=Warning"} if kind is Event else {}
        headers = {"Accept": NAMES_ONLY} if kind is Secret else {}
        found: list[T] = []
        while True:
            try:
                answer = self._client.get(kind.path(namespace=namespace or ""), params=parameters, headers=headers)
                if answer.status_code == 404:
                    self.absent.add(kind)
                    return found
                if not answer.is_success:
                    raise _RefusedError(refusal_of(answer), forbidden=answer.status_code in {401, 403})
                body = answer.json()
                found += [kind.model_validate(item) for item in body.get("items") or ()]
            except (httpx.HTTPError, KubeconfigError, ValueError) as problem:
                raise _RefusedError(one_line(f"{type(problem).__name__}: {problem}")) from problem
            next_page = (body.get("metadata") or {}).get("continue")
            if not next_page:
                return found
            parameters["continue"] = next_page

    def _miss(self, kind: type[Object], where: str, problem: _RefusedError) -> None:
        self.unread.append(Unread(what=kind.plural, where=where, why=one_line(str(problem))))


def gather(client: httpx.Client, *, wanted: Wanted, home: str) -> Facts:
    """Read the state of the cluster; `home` is the namespace to read where reading all namespaces is forbidden."""
    reader = _Reader(client)
    base = Facts(endpoints=wanted.endpoints, names=wanted.names, namespace=wanted.namespace)
    try:
        version = reader.version()
    except (httpx.HTTPError, KubeconfigError, OSError, ValueError) as problem:
        refused = isinstance(problem, httpx.HTTPStatusError)
        return replace(base, unreachable=one_line(f"{type(problem).__name__}: {problem}"), refused=refused)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        objects = _objects(reader, pool, wanted=wanted, home=home)
        facts = replace(
            base,
            version=version,
            objects=objects,
            absent=frozenset(reader.absent),
            unread=tuple(reader.unread),
        )
        logs = _logs(reader, pool, facts)
        answers = _answers(client, pool, facts) if wanted.ask else {}
    return replace(facts, logs=logs, answers=answers, resolved=_resolved(facts) if wanted.ask else {})


def _objects(
    reader: _Reader, pool: ThreadPoolExecutor, *, wanted: Wanted, home: str
) -> dict[type[Object], tuple[Object, ...]]:
    models = _models(reader, wanted=wanted, home=home)
    of_models = sorted({model.namespace for model in models})
    reads: dict[type[Object], Future[list[Object]]] = {}
    reads |= {kind: pool.submit(reader.everywhere, kind, else_in=()) for kind in OF_CLUSTER}
    reads |= {
        kind: pool.submit(reader.everywhere, kind, else_in=of_models, labels=labels)
        for kind, labels in OF_MODELS.items()
    }
    platform = [*PLATFORM, *of_models]
    reads |= {kind: pool.submit(reader.everywhere, kind, else_in=platform) for kind in OF_PLATFORM_TOO}
    reads |= {kind: pool.submit(reader.inside, kind, of_models) for kind in IN_MODEL_NAMESPACES}
    objects: dict[type[Object], tuple[Object, ...]] = {kind: tuple(read.result()) for kind, read in reads.items()}
    objects[InferenceService] = tuple(models)
    facts = Facts(objects=objects)
    configurations = (*facts.of(MutatingWebhookConfiguration), *facts.of(ValidatingWebhookConfiguration))
    services = {hook.namespace for item in configurations for hook in item.webhooks if hook.namespace}
    services |= {ingress.service.namespace for ingress in ingresses(facts)}
    objects[EndpointSlice] = tuple(reader.inside(EndpointSlice, sorted(services)))
    # The pods of platform parts that do not run.
    down = {item.namespace for item in facts.of(Deployment) if item.namespace in PLATFORM and item.ready < item.wanted}
    objects[Pod] = (*objects[Pod], *reader.inside(Pod, sorted(down)))
    return objects


def _models(reader: _Reader, *, wanted: Wanted, home: str) -> list[InferenceService]:
    """Read the models to look at."""
    if wanted.namespace:
        found = reader.inside(InferenceService, [wanted.namespace])
    else:
        declared_in = sorted({endpoint.namespace for endpoint in wanted.endpoints})
        found = reader.everywhere(InferenceService, else_in=declared_in or [home])
    declared = {(endpoint.namespace, endpoint.service) for endpoint in wanted.endpoints}
    return [
        model
        for model in found
        if (not wanted.names or model.name in wanted.names)
        and (not declared or (model.namespace, model.name) in declared)
    ]


def _logs(reader: _Reader, pool: ThreadPoolExecutor, facts: Facts) -> dict[tuple[str, str, str], str]:
    """Read the last lines of containers that failed without a message, or run and are not ready."""
    running: dict[tuple[str, str, str], Future[str]] = {}
    for pod in facts.of(Pod):
        if not pod.model or pod.ready:
            continue
        for status in (*pod.init, *pod.containers):
            silent = status.failed is not None and not status.failed.message
            if (silent or status.running_since) and len(running) < LOGS:
                key = (pod.namespace, pod.name, status.name)
                running[key] = pool.submit(reader.log, *key, previous=silent and status.ended is None)
    return {key: job.result() for key, job in running.items()}


def _answers(client: httpx.Client, pool: ThreadPoolExecutor, facts: Facts) -> dict[tuple[str, str], Asked]:
    """Ask the ready models through the gateway, except those without a pod, which a request would start.

    The gateway has no route to a cluster-local model.
    """
    declared = {(endpoint.namespace, endpoint.service): endpoint for endpoint in facts.endpoints}
    found = ingresses(facts)
    usual = next((ingress.address for ingress in found if ingress.address), None)
    usual_way = usual or next((ingress.gateway_service for ingress in found), None)
    awake = {(pod.namespace, pod.model) for pod in facts.of(Pod) if pod.ready and pod.component == "predictor"}
    running = {}
    with ExitStack() as stack:
        forwards: dict[GatewayService, PortForward] = {}
        for model in facts.of(InferenceService):
            key = (model.namespace, model.name)
            endpoint = declared.get(key)
            way = (endpoint.gateway_address or endpoint.gateway_service) if endpoint else usual_way
            host = endpoint.host if endpoint else model.host
            if not (model.ready and key in awake and way and host) or model.cluster_local:
                continue
            if isinstance(way, GatewayService) and way not in forwards:
                forward = PortForward(client, namespace=way.namespace, service=way.name, port=way.port)
                forwards[way] = stack.enter_context(forward)
            path = endpoint.metadata_path if endpoint and endpoint.protocol != "grpc-v2" else "/"
            if isinstance(way, GatewayService):
                running[key] = pool.submit(_ask_forwarded, str(way), forwards[way], host, path)
            else:
                running[key] = pool.submit(_ask, way, host, path)
        return {key: job.result() for key, job in running.items()}


def _ask(address: str, host: str, path: str, *, forwarded: bool = False) -> Asked:
    failure: Failure | None = None
    client = GatewayClient(address=address, host=host, deadline=time.monotonic() + ASK_SECONDS, forwarded=forwarded)
    try:
        client.send("GET", path, seconds=ASK_SECONDS)
    except CheckFailed as problem:
        failure = problem.failure
    return Asked(address=address, host=host, failure=failure, forwarded=forwarded)


def _ask_forwarded(gateway: str, forward: PortForward, host: str, path: str) -> Asked:
    asked = replace(_ask(forward.address, host, path, forwarded=True), address=gateway)
    if isinstance(asked.failure, Disconnected) and forward.failure:
        problem = one_line(f"port-forward: {forward.failure}")
        return replace(asked, failure=Disconnected(problem=problem))
    return asked


def _public(facts: Facts) -> Iterator[InferenceService]:
    return (model for model in facts.of(InferenceService) if not model.cluster_local)


def _resolved(facts: Facts) -> dict[str, tuple[str, ...]]:
    """Resolve one host of each domain, in RESOLVE_SECONDS at most."""
    hosts = {model.host.partition(".")[2]: model.host for model in _public(facts) if model.host}
    found: dict[str, tuple[str, ...]] = {}
    threads = [threading.Thread(target=_resolve, args=(host, found), daemon=True) for host in hosts.values()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + RESOLVE_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(found)


def _resolve(host: str, found: dict[str, tuple[str, ...]]) -> None:
    try:
        found[host] = tuple(sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}))
    except OSError:
        found[host] = ()
