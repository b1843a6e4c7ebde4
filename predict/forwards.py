"""Port-forwards to the gateways that have no address."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from endpoints.endpoint import Endpoint, GatewayService
from endpoints.failures import (
    CheckFailed,
    ConnectionRefused,
    ConnectTimeout,
    Disconnected,
    PortForwardFailed,
    PortForwardRefused,
    ReadTimeout,
    one_line,
)
from kube.connection import connect
from kube.kubeconfig import KubeconfigError, LoginFailedError
from kube.port_forward import PortForward, PortForwardError

NO_ANSWER = (ConnectionRefused, ConnectTimeout, Disconnected, ReadTimeout)


class Forwards:
    """Opens one port-forward for all endpoints of a gateway, when the first of them asks. A context manager."""

    def __init__(self, *, kubeconfig: Path | None, context: str | None) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._open: dict[tuple[str | None, GatewayService], PortForward] = {}
        self._stack = ExitStack()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def address_of(self, endpoint: Endpoint) -> str:
        """Address of the endpoint's gateway for this machine.

        Raises:
            CheckFailed: the cluster cannot be connected to.

        """
        forward = self._forward_of(endpoint)
        return forward.address if forward else str(endpoint.gateway_address)

    @contextmanager
    def explaining(self, endpoint: Endpoint) -> Iterator[None]:
        """Name the cause of a failed request where that is the port-forward."""
        try:
            yield
        except CheckFailed as failed:
            forward = self._forward_of(endpoint) if isinstance(failed.failure, NO_ANSWER) else None
            if forward is None or forward.failure is None:
                raise
            raise CheckFailed(_failure(forward.failure)) from failed

    def _forward_of(self, endpoint: Endpoint) -> PortForward | None:
        """The endpoint's port-forward, opened where none is yet; None where the gateway has an address."""
        service = endpoint.forwarded
        if service is None:
            return None
        context = self._context or endpoint.context
        with self._lock:
            if (context, service) not in self._open:
                try:
                    client = self._stack.enter_context(connect(kubeconfig=self._kubeconfig, context=context))
                except KubeconfigError as problem:
                    final = not isinstance(problem, LoginFailedError)
                    raise CheckFailed(_failure(PortForwardError(str(problem), final=final))) from problem
                forward = PortForward(client, namespace=service.namespace, service=service.name, port=service.port)
                self._open[context, service] = self._stack.enter_context(forward)
            return self._open[context, service]


def _failure(problem: PortForwardError) -> PortForwardFailed | PortForwardRefused:
    kind = PortForwardRefused if problem.final else PortForwardFailed
    return kind(problem=one_line(str(problem)))
