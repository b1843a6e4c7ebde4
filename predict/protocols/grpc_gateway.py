"""gRPC through the ingress gateway: connects to its address, selects the model by the authority."""

import socket
from typing import Any
from urllib.parse import urlsplit

import grpc

from endpoints.failures import (
    CheckFailed,
    ConnectionRefused,
    ConnectTimeout,
    Disconnected,
    Failure,
    GrpcError,
    NoRoute,
    ReadTimeout,
    UnknownName,
    one_line,
)
from endpoints.gateway import CONNECT_SECONDS, GatewayClient
from predict.protocols.open_inference import SERVICE, classes_of

OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 3000),
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", -1),
)


class GrpcGatewayClient:
    """The gRPC side of a `gateway`: the same address, host and deadline."""

    def __init__(self, gateway: GatewayClient) -> None:
        self._gateway = gateway
        parts = urlsplit(gateway.address)
        self._place = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        proxies = ("grpc.enable_http_proxy", int(not gateway.forwarded))
        options = (*OPTIONS, proxies, ("grpc.default_authority", gateway.host))
        target = f"{f'[{parts.hostname}]' if ':' in self._place[0] else parts.hostname}:{self._place[1]}"
        self._channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), options=options)
            if parts.scheme == "https"
            else grpc.insecure_channel(target, options=options)
        )

    def call(self, method: str, *, seconds: float, **fields: Any) -> Any:
        """Call a method and return its response, for which it waits `seconds` at most.

        Raises:
            CheckFailed: the gateway cannot be reached, or the call ends with another status than OK.

        """
        path = f"/{SERVICE}/{method}"
        seconds = self._gateway.allowed(seconds)
        self._gateway.asked = path
        if not self._gateway.forwarded:  # there, it would say nothing about the gateway
            self._reach(min(seconds, CONNECT_SECONDS))
        request, response = classes_of(method)
        ask = self._channel.unary_unary(
            path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        try:
            return ask(request(**fields), timeout=seconds)
        except grpc.RpcError as problem:
            raise CheckFailed(_failure(problem, path=path, seconds=seconds)) from problem

    def _reach(self, seconds: float) -> None:
        """Connect once by plain TCP, because gRPC does not tell an unknown name, address and port apart."""
        try:
            socket.create_connection(self._place, timeout=seconds).close()
        except socket.gaierror as problem:
            raise CheckFailed(UnknownName()) from problem
        except ConnectionRefusedError as problem:
            raise CheckFailed(ConnectionRefused()) from problem
        except OSError as problem:
            raise CheckFailed(ConnectTimeout()) from problem


def _failure(problem: Any, *, path: str, seconds: float) -> Failure:
    """The failure of a gRPC call that ended with another status than OK."""
    status, detail = problem.code(), one_line(problem.details() or "")
    headers = dict(problem.initial_metadata() or ()) | dict(problem.trailing_metadata() or ())
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ReadTimeout(path=path, seconds=seconds)
    # Envoy turns its own 404 into this status without details; model servers give details.
    if status is grpc.StatusCode.UNIMPLEMENTED and not detail:
        return NoRoute(path=path)
    if status is grpc.StatusCode.UNAVAILABLE and "server" not in headers:
        return Disconnected(problem=detail)
    return GrpcError(path=path, status=status.name, detail=detail or "-")
