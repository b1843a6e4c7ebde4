"""Waiting for Knative, against a Kubernetes API on the loopback."""

from __future__ import annotations

import asyncio

import httpx2 as httpx
import pulumi
import pytest

from components.rollout.server import KnativeRollout
from components.rollout.wait import RolloutError, Wait, WaitScope
from kube.kubeconfig import KubeconfigError, LoginFailedError, UnsupportedLoginError
from tests.unit.predict.server import Reply, Server

pytestmark = pytest.mark.usefixtures("pauses")

PATH = "GET /apis/serving.knative.dev/v1/namespaces/models/services/iris-predictor"
SPEC_HASH = "0123456789abcdef"


def knative_service(
    *,
    spec_hash: str = SPEC_HASH,
    share: int = 100,
    generation: int = 3,
    observed: int = 3,
    ready: str = "True",
    newest: str = "iris-00002",
) -> Reply:
    traffic: list[dict[str, object]] = [{"latestRevision": True, "percent": share}]
    if share < 100:
        traffic.append({"latestRevision": False, "percent": 100 - share, "tag": "prev", "revisionName": "iris-00001"})
    return Reply(
        {
            "metadata": {"name": "iris-predictor", "generation": generation},
            "spec": {
                "template": {"metadata": {"annotations": {"kserve-multi-model/declared": spec_hash}}},
                "traffic": traffic,
            },
            "status": {
                "observedGeneration": observed,
                "latestReadyRevisionName": newest,
                "conditions": [
                    {"type": "ConfigurationsReady", "status": "True"},
                    {"type": "Ready", "status": ready, "reason": "RevisionMissing", "message": "wait"},
                ],
            },
        }
    )


def run(wait: Wait) -> None:
    """Run the hook on an event loop of its own; asyncio.run would leave the thread without one."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(wait.run(pulumi.ResourceHookArgs(urn="u", id="i", name="n", type="t")))
    loop.close()


def follow(api: Server, *replies: Reply, share: int = 100, timeout: int = 60, model: str | None = None) -> None:
    api.on(api.address.removeprefix("http://"), PATH, *replies)
    scope = WaitScope(connect=lambda: httpx.Client(base_url=api.address), namespace="models", timeout=timeout)
    run(KnativeRollout(scope=scope, name="iris-predictor", spec_hash=SPEC_HASH, share=share, model=model))


@pytest.mark.parametrize(("before", "waits"), [("iris-00001", 1), (None, 0)])
def test_waits_for_a_rollback_if_there_is_a_previous_version(
    api: Server, pauses: list[float], before: str | None, waits: int
) -> None:
    """First, two names of the promoted version share the requests. Without a previous version, that is final."""
    path = "GET /apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices/iris"
    known = {
        "metadata": {},
        "status": {"components": {"predictor": {"previousRolledoutRevision": before} if before else {}}},
    }
    api.on(api.address.removeprefix("http://"), path, Reply(known))
    follow(api, knative_service(share=0, newest="iris-00001"), knative_service(share=0), share=0, model="iris")
    assert len(pauses) == waits


def test_does_not_wait_for_what_is_served(api: Server, pauses: list[float]) -> None:
    follow(api, knative_service())
    assert pauses == []


@pytest.mark.parametrize(
    "before",
    [
        knative_service(spec_hash="old"),
        knative_service(observed=2),
        knative_service(ready="Unknown"),
        knative_service(share=30),
        Reply({"metadata": {"generation": 1}, "spec": {}}),
        Reply(status=404),
        Reply(status=503),
        Reply(b"no JSON"),
    ],
    ids=[
        "not updated",
        "not observed",
        "not ready",
        "the share of before",
        "just made",
        "not there",
        "busy",
        "no JSON",
    ],
)
def test_waits_until_the_new_version_is_served(api: Server, pauses: list[float], before: Reply) -> None:
    follow(api, before, before, knative_service())
    assert len(pauses) == 2


def test_waits_for_the_share_of_a_canary(api: Server, pauses: list[float]) -> None:
    follow(api, knative_service(share=100), knative_service(share=30), share=30)
    assert len(pauses) == 1
    follow(api, knative_service(share=0), share=0)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (knative_service(ready="False"), "RevisionMissing: wait"),
        (knative_service(spec_hash="old"), "KServe has not updated it yet"),
        (knative_service(observed=2), "Knative has not acted on the update yet"),
        (Reply({"metadata": {"generation": 1}, "spec": {}}), "KServe has not updated it yet"),
        (Reply(status=404), "404"),
    ],
)
def test_error_names_what_is_pending(api: Server, reply: Reply, why: str) -> None:
    with pytest.raises(RolloutError, match=f"iris-predictor does not serve what was declared after 0 s: .*{why}"):
        follow(api, reply, timeout=0)


@pytest.mark.parametrize("status", [401, 403])
def test_warns_and_does_not_wait_without_permission(
    api: Server, pauses: list[float], status: int, warnings: list[str]
) -> None:
    follow(api, Reply(status=status))
    assert pauses == []
    assert warnings == [f"the rollout of iris-predictor is not checked: the cluster answers {status}"]


def test_warns_if_only_the_provider_can_log_in(warnings: list[str]) -> None:
    def connect() -> httpx.Client:
        raise UnsupportedLoginError("kubeconfig: proxy-url")

    scope = WaitScope(connect=connect, namespace="models", timeout=60)
    run(KnativeRollout(scope=scope, name="iris-predictor", spec_hash=SPEC_HASH))
    assert warnings == ["the rollout of iris-predictor is not checked: kubeconfig: proxy-url"]


def log_in(api: Server, *failures: Exception, timeout: int = 60) -> None:
    """Wait for what is served already, with a login that fails first."""
    left = list(failures)

    def connect() -> httpx.Client:
        if left:
            raise left.pop(0)
        return httpx.Client(base_url=api.address)

    api.on(api.address.removeprefix("http://"), PATH, knative_service())
    scope = WaitScope(connect=connect, namespace="models", timeout=timeout)
    run(KnativeRollout(scope=scope, name="iris-predictor", spec_hash=SPEC_HASH))


def test_goes_on_after_a_login_plugin_that_failed(api: Server, pauses: list[float]) -> None:
    log_in(api, LoginFailedError("the first"), LoginFailedError("the second"))
    assert len(pauses) == 2


def test_error_names_why_the_last_login_failed(api: Server) -> None:
    with pytest.raises(RolloutError, match="after 0 s: LoginFailedError: no session"):
        log_in(api, LoginFailedError("no session"), timeout=0)


def test_a_login_that_fails_while_it_waits(pauses: list[float]) -> None:
    def expired(request: httpx.Request) -> httpx.Response:
        if not pauses:
            raise LoginFailedError("no session")
        return httpx.Response(200, json=knative_service().body)

    def connect() -> httpx.Client:
        return httpx.Client(base_url="http://a", transport=httpx.MockTransport(expired))

    scope = WaitScope(connect=connect, namespace="models", timeout=60)
    run(KnativeRollout(scope=scope, name="iris-predictor", spec_hash=SPEC_HASH))
    assert len(pauses) == 1


def test_ends_where_the_kubeconfig_cannot_be_used(api: Server, pauses: list[float]) -> None:
    with pytest.raises(KubeconfigError, match="no such context"):
        log_in(api, KubeconfigError("no such context"))
    assert pauses == []


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    logged: list[str] = []
    monkeypatch.setattr("components.rollout.wait.pulumi.log.warn", logged.append)
    return logged
