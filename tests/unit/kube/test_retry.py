"""Reading from an API server that is busy, on the loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx2 as httpx
import pytest

import kube.retry
from kube.connection import connect
from kube.parallel import AT_ONCE, in_parallel
from kube.retry import ATTEMPTS, LONGEST_PAUSE, RetryTransport
from tests.unit.components.kubernetes import kubeconfig
from tests.unit.predict.server import Reply, Server, serving

PATH = "/api/v1/namespaces"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each pause between two attempts; no pause is taken."""
    made: list[float] = []
    monkeypatch.setattr(kube.retry, "time", SimpleNamespace(sleep=made.append))
    return made


def answers(server: Server, *replies: Reply, method: str = "GET", path: str = PATH) -> httpx.Response:
    """The answer to one request, where these are the server's replies in turn."""
    server.on(server.address.removeprefix("http://"), f"{method} {path}", *replies)
    with httpx.Client(base_url=server.address, transport=RetryTransport(httpx.HTTPTransport())) as client:
        return client.request(method, path, json={"asked": "x"} if method == "POST" else None)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_api_server_is_asked_again(server: Server, pauses: list[float], status: int) -> None:
    busy = Reply({"message": "too many requests"}, status=status)
    assert answers(server, busy, busy, Reply({"items": []})).json() == {"items": []}
    assert pauses == [0.5, 1.0]
    assert len(server.requests) == 3


def test_the_pause_is_the_one_that_the_answer_asks_for(server: Server, pauses: list[float]) -> None:
    assert answers(server, Reply(status=429, headers={"Retry-After": "3"}), Reply({})).status_code == 200
    assert pauses == [3.0]


def test_a_date_in_the_answer_is_no_pause(server: Server, pauses: list[float]) -> None:
    dated = Reply(status=503, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    assert answers(server, dated, Reply({})).status_code == 200
    assert pauses == [0.5]


def test_a_long_pause_is_not_waited_for(server: Server, pauses: list[float]) -> None:
    long = Reply({"message": "later"}, status=429, headers={"Retry-After": str(int(LONGEST_PAUSE) + 1)})
    answer = answers(server, long)
    assert (answer.status_code, answer.json()) == (429, {"message": "later"})
    assert (pauses, len(server.requests)) == ([], 1)


def test_the_last_answer_is_given_whole(server: Server, pauses: list[float]) -> None:
    answer = answers(server, Reply({"message": "too many requests"}, status=429))
    assert (answer.status_code, answer.json()) == (429, {"message": "too many requests"})
    assert (len(pauses), len(server.requests)) == (ATTEMPTS - 1, ATTEMPTS)
    assert sum(pauses) < 10


@pytest.mark.parametrize("status", [200, 403, 404, 500])
def test_other_answers_are_given_at_once(server: Server, pauses: list[float], status: int) -> None:
    assert answers(server, Reply({}, status=status)).status_code == status
    assert (pauses, len(server.requests)) == ([], 1)


def test_what_changes_something_is_sent_once(server: Server, pauses: list[float]) -> None:
    assert answers(server, Reply({}, status=429), method="POST").status_code == 429
    assert (pauses, len(server.requests)) == ([], 1)


@pytest.mark.parametrize(
    "path", ["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", f"{PATH}?fieldManager=a&dryRun=All"]
)
def test_a_question_that_is_posted_is_asked_again(server: Server, pauses: list[float], path: str) -> None:
    """Of the preflight, these are most of the requests: whether the login has each right, and dry runs."""
    answer = answers(server, Reply(status=429), Reply({"status": "yes"}), method="POST", path=path)
    assert answer.json() == {"status": "yes"}
    assert [request.body for request in server.requests] == [{"asked": "x"}] * 2
    assert pauses == [0.5]


def test_a_connection_retries_where_it_is_told_to(server: Server, pauses: list[float], tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, server=server.address)
    for retries, expected in ((True, ATTEMPTS), (False, 1)):
        server.requests.clear()
        server.on(server.address.removeprefix("http://"), f"GET {PATH}", Reply(status=503))
        with connect(kubeconfig=file, retries=retries) as client:
            assert client.get(PATH).status_code == 503
        assert len(server.requests) == expected


def test_several_things_are_asked_at_a_time_and_answered_in_order() -> None:
    running, most = 0, 0

    def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1
        return number * number

    assert in_parallel(work, range(4 * AT_ONCE)) == [number * number for number in range(4 * AT_ONCE)]
    assert 1 < most <= AT_ONCE


def test_the_first_problem_ends_the_rest() -> None:
    def work(number: int) -> int:
        if number == 0:
            raise ValueError("no")
        time.sleep(0.01)
        done.append(number)
        return number

    done: list[int] = []
    with pytest.raises(ValueError, match=r"^no$"):
        in_parallel(work, range(100 * AT_ONCE))
    assert len(done) < 50 * AT_ONCE
