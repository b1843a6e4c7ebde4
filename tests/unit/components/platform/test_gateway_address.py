"""The wait for a load balancer's address, against an API server that gives one later, or never."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pulumi
import pytest

from components.platform.gateway_service import LoadBalancerWait
from tests.unit.predict.server import Reply, Server, serving

PATH = "GET /api/v1/namespaces/istio-system/services/istio-ingressgateway"


@pytest.fixture
def api() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Warnings and progress."""
    texts: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_, **__: texts.append(text))
    monkeypatch.setattr(pulumi.log, "info", lambda text, *_, **__: texts.append(text))
    return texts


def service(*, age: float, **point: str) -> Reply:
    created = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    status: dict[str, Any] = {"loadBalancer": {"ingress": [point]} if point else {}}
    return Reply({"metadata": {"name": "istio-ingressgateway", "creationTimestamp": created}, "status": status})


def host(api: Server, *replies: Reply) -> str:
    api.on(api.address.partition("://")[2], PATH, *replies)
    wait = LoadBalancerWait(connect=lambda: httpx.Client(base_url=api.address), seconds=60, poll_seconds=0.01)
    return asyncio.run(wait.host())


def test_a_new_service_is_waited_for(api: Server, said: list[str]) -> None:
    """Each quarter of a minute it says so. The ages leave room for a slow machine."""
    replies = [service(age=age) for age in (0, 5, 20, 24, 42)]
    assert host(api, *replies, service(age=43, hostname="lb.example.com", ip="192.0.2.1")) == "lb.example.com"
    assert len(api.requests) == 6
    assert len(said) == 2
    for text in said:
        assert re.fullmatch(r"waiting for the gateway's load balancer: \d+ of at most 60 s", text)


def test_after_a_time_the_deployment_goes_on_and_says_what_to_do(api: Server, said: list[str]) -> None:
    assert host(api, service(age=1), service(age=61)) == ""
    (warning,) = said
    for remedy in ("port-forward", "MetalLB", "ingress.service_type: NodePort"):
        assert remedy in warning


def test_a_service_that_never_got_an_address_is_read_once(api: Server, said: list[str]) -> None:
    assert host(api, service(age=3600)) == ""
    assert len(api.requests) == len(said) == 1
    assert host(api, service(age=3600, ip="192.0.2.1")) == "192.0.2.1"


@pytest.mark.usefixtures("said")
def test_a_preview_does_not_wait(api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    assert host(api, service(age=1)) == ""
    assert len(api.requests) == 1


@pytest.mark.parametrize("status", [403, 500])
def test_where_the_service_cannot_be_read_the_reason_is_said(api: Server, said: list[str], status: int) -> None:
    assert host(api, Reply({"message": "no"}, status=status)) == ""
    assert any(str(status) in text for text in said)
