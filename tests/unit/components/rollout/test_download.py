"""What an update says of a model whose files cannot be fetched, against a Kubernetes API on the loopback."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import grpc
import httpx2 as httpx
import pulumi
import pytest

import components.rollout.download
from components.rollout.download import Download
from components.rollout.wait import WaitScope
from tests.unit.predict.server import Reply, Server

PODS = "GET /api/v1/namespaces/models/pods?labelSelector=serving.kserve.io%2Finferenceservice%3Diris"
MODEL = "GET /apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices/iris"
EVENTS = "POST /api/v1/namespaces/models/events"
MARKS = {"kserve-multi-model/stack": "o/p/dev:1a2b", "kserve-multi-model/declared": "new"}
REFUSED = "s3://models/iris at http://s3:9000: S3 error [403]: Forbidden"
HOOK = cast(pulumi.ResourceHookArgs, None)


def pod(message: str = "", *, declared: str = "new", init: dict[str, Any] | None = None) -> dict[str, Any]:
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": message}}
    again = {"waiting": {"reason": "CrashLoopBackOff"}}
    status = init or {"name": "storage-initializer", "state": again, "lastState": ended}
    return {
        "metadata": {"name": "iris-0", "annotations": {"kserve-multi-model/declared": declared}},
        "status": {"initContainerStatuses": [status]},
    }


def pods(*found: dict[str, Any]) -> Reply:
    return Reply({"items": list(found)})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components.rollout.download, "POLL_SECONDS", 0.01)


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    return said


@pytest.fixture
def cluster(api: Server) -> Server:
    """A cluster with the model, which takes events."""
    on(api, MODEL, Reply(declared_model()))
    on(api, EVENTS, Reply({}, status=201))
    return api


def declared_model() -> dict[str, Any]:
    metadata = {"name": "iris", "namespace": "models", "uid": "u1", "annotations": {"kserve-multi-model/stack": STACK}}
    predictor = {"annotations": {"kserve-multi-model/declared": "new"}}
    return {"metadata": metadata, "spec": {"predictor": predictor}}


STACK = MARKS["kserve-multi-model/stack"]


def on(api: Server, request: str, *replies: Reply) -> None:
    api.on(api.address.removeprefix("http://"), request, *replies)


def download(api: Server, *, timeout: int = 60, secrets: tuple[str, ...] = ()) -> Download:
    scope = WaitScope(connect=lambda: httpx.Client(base_url=api.address), namespace="models", timeout=timeout)
    return Download(scope=scope, model="iris", spec_hashes=frozenset({"new"}), secrets=secrets)


def events(api: Server) -> list[dict[str, Any]]:
    return [request.body for request in api.requests if request.method == "POST"]


def watched(api: Server, *lists: Reply, **more: Any) -> None:
    """Watch while the pods are these, one list after another, and then until the model is rolled out."""
    watching = download(api, **more)
    rolled_out = Reply({"items": []}, wait_for=threading.Event())
    on(api, PODS, *lists, rolled_out)
    thread = threading.Thread(target=watching.watch)
    thread.start()
    for _ in range(1000):
        if sum(f"{request.method} {request.path}" == PODS for request in api.requests) > len(lists):
            break
        thread.join(0.01)
    asyncio.run(watching.stop(HOOK))
    assert rolled_out.wait_for
    rolled_out.wait_for.set()
    thread.join(10)
    assert not thread.is_alive()


def test_the_initializers_words_are_a_warning_and_an_event(cluster: Server, warned: list[str]) -> None:
    watched(cluster, pods(), pods(pod(f"Traceback …\n{REFUSED}\n")))
    assert warned == [f"model iris: its files cannot be fetched yet: {REFUSED}"]
    (event,) = events(cluster)
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "ModelNotFetched", REFUSED)
    assert event["involvedObject"] == {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "name": "iris",
        "namespace": "models",
        "uid": "u1",
    }
    assert event["metadata"]["annotations"] == MARKS


def test_the_same_words_are_said_once(cluster: Server, warned: list[str]) -> None:
    numbered = "hub says 401 (Request ID: Root=1-6a{}f3)"
    watched(cluster, *(pods(pod(numbered.format(number))) for number in (1122334, 4455667)), pods(pod("other")))
    assert [words.rpartition("yet: ")[2] for words in warned] == [numbered.format(1122334), "other"]
    assert [event["message"] for event in events(cluster)] == [numbered.format(1122334), "other"]


def test_what_the_server_answered_is_added_to_the_summary(cluster: Server, warned: list[str]) -> None:
    log = (
        "12:00 ERROR [storage_errors.py:42] HTTP error for https://h/m: certificate verify failed\n"
        "Storage initialization failed: Failed to connect to HTTP endpoint 'h'.\n"
    )
    watched(cluster, pods(pod(log)))
    said = "Storage initialization failed: Failed to connect to HTTP endpoint 'h'. (certificate verify failed)"
    assert [event["message"] for event in events(cluster)] == [said]


@pytest.mark.parametrize("state", [{"running": {}}, {"terminated": {"exitCode": 0}}, {"waiting": {"reason": "x"}}])
def test_a_download_without_a_failure_is_not_mentioned(
    cluster: Server, warned: list[str], state: dict[str, Any]
) -> None:
    watched(cluster, pods(pod(init={"name": "storage-initializer", "state": state})))
    assert (warned, events(cluster)) == ([], [])


def test_pods_of_the_version_before_are_not_looked_at(cluster: Server, warned: list[str]) -> None:
    watched(cluster, pods(pod(REFUSED, declared="old")))
    assert (warned, events(cluster)) == ([], [])


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_with_a_model_that_cannot_be_pulled(cluster: Server, warned: list[str], reason: str) -> None:
    said = 'failed to pull image "localhost:5001/iris:1": unexpected status: 401 Unauthorized'
    message = said if reason == "ErrImagePull" else f'Back-off pulling image "x": ErrImagePull: {said}'
    init = {"name": "modelcar-init", "state": {"waiting": {"reason": reason, "message": message}}}
    watched(cluster, pods(pod(init=init)))
    assert [event["message"] for event in events(cluster)] == [said]


def test_a_kubelet_that_says_only_that_it_waits_says_nothing(cluster: Server, warned: list[str]) -> None:
    waits = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "localhost:5001/iris:1"'}
    watched(cluster, pods(pod(init={"name": "modelcar-init", "state": {"waiting": waits}})))
    assert (warned, events(cluster)) == ([], [])


def test_secrets_are_left_out(cluster: Server, warned: list[str]) -> None:
    said = "GET https://u:pw@h/m?X-Amz-Signature=abc123 with {'X-Key': 'of the store'} and Basic dTpwYXNz: refused"
    watched(cluster, pods(pod(said)), secrets=("of the store",))
    (event,) = events(cluster)
    assert event["message"] == "GET https://…@h/m?… with {'X-Key': '…'} and Basic …: refused"
    assert warned == [f"model iris: its files cannot be fetched yet: {event['message']}"]


def test_it_ends_quietly_with_an_update_that_is_cancelled(cluster: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: str) -> None:
        raise grpc.RpcError("the engine has ended")

    monkeypatch.setattr(pulumi.log, "warn", gone)
    on(cluster, PODS, pods(pod(REFUSED)))
    download(cluster).watch()
    assert events(cluster) == []


def test_without_the_right_to_create_events_it_is_only_said(cluster: Server, warned: list[str]) -> None:
    on(cluster, EVENTS, Reply(status=403))
    watched(cluster, pods(pod(REFUSED)), pods(pod(REFUSED)))
    assert len(warned) == len(events(cluster)) == 1


def test_an_event_that_was_not_taken_is_tried_again(cluster: Server, warned: list[str]) -> None:
    on(cluster, EVENTS, Reply(status=500), Reply({}, status=201))
    watched(cluster, pods(pod(REFUSED)), pods(pod(REFUSED)), pods(pod(REFUSED)))
    assert (len(warned), len(events(cluster))) == (1, 2)


def test_without_the_right_to_read_pods_nothing_is_said(cluster: Server, warned: list[str]) -> None:
    on(cluster, PODS, Reply(status=403))
    watching = download(cluster)
    watching.watch()
    assert warned == []


def test_it_ends_with_the_time_of_the_update(cluster: Server) -> None:
    on(cluster, PODS, pods())
    download(cluster, timeout=0).watch()


def test_it_watches_beside_the_update(cluster: Server, warned: list[str]) -> None:
    on(cluster, PODS, pods(pod(REFUSED)))
    watching = download(cluster)
    asyncio.run(watching.start(HOOK))
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "watch iris")
    assert thread.daemon
    while not events(cluster):
        thread.join(0.01)
    asyncio.run(watching.stop(HOOK))
    thread.join(10)
    assert not thread.is_alive()
    assert len(warned) == 1
