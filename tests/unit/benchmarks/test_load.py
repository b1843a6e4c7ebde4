"""The load generator: what it keeps of every request, and that nothing that fails is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any

import pytest

from benchmarks.load import Load, Shot, Shots, Target, milliseconds, send_and_hold, switched
from tests.running_server import run_server


class Model(ThreadingHTTPServer):
    """Answers `answers` by turns, and remembers its clients' ports.

    An int is a status without an answer, and an Event one that comes when it is set.
    """

    daemon_threads = True

    def __init__(self, *answers: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.asked = answers, 0
        self.ports: list[int] = []
        self.seen: list[dict[str, str]] = []

    @property
    def target(self) -> Target:
        return Target(
            gateway=f"http://127.0.0.1:{self.server_port}",
            host="iris.example.com",
            path="/v1/models/iris:predict",
            instances=[[1.0]],
            headers={"Knative-Serving-Tag": "latest"},
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Model

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        answer = server.answers[server.asked % len(server.answers)]
        server.asked += 1
        server.ports.append(self.client_address[1])
        server.seen.append(dict(self.headers))
        if isinstance(answer, Event):
            answer.wait(30)
            answer = {"predictions": [2]}
        if answer is None:  # as a server that ends in the middle
            self.close_connection = True
            return
        body = b"" if isinstance(answer, int) else json.dumps(answer).encode()
        self.send_response(answer if isinstance(answer, int) else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def model() -> Iterator[Model]:
    with run_server(Model({"predictions": [1]})) as server:
        yield server


def fire(model: Model, **said: Any) -> Shots:
    with Load(model.target, **said) as load:
        while len(load.shots) < 12:
            time.sleep(0.01)
    return load.shots


def test_every_request_is_kept_with_its_answer(model: Model) -> None:
    shots = fire(model, clients=2, rate=400)
    assert len(shots) == model.asked
    assert shots.failures == ()
    assert shots.summary == f"0 of {len(shots)} failed"
    assert shots.statuses == {200: len(shots)}
    assert {shot.answer[0] for shot in shots.all if shot.answer} == {1}
    assert [shot.at for shot in shots.all] == sorted(shot.at for shot in shots.all)
    assert model.seen[0]["Host"] == "iris.example.com"
    assert model.seen[0]["Knative-Serving-Tag"] == "latest"


def test_one_client_keeps_its_connection_and_the_other_opens_new_ones(model: Model) -> None:
    fire(model, clients=2, rate=400)
    times = sorted(model.ports.count(port) for port in set(model.ports))
    assert times[-1] >= 4
    assert times[:-1] == [1] * (len(times) - 1)


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        (503, 503, "503"),
        (404, 404, "404"),
        (None, 0, "RemoteProtocolError"),
        ({"error": "broken"}, 200, "predictions"),
        ([1], 200, "Predictions"),
    ],
    ids=str,
)
def test_what_is_no_prediction_is_a_failure(model: Model, answer: Any, status: int, problem: str) -> None:
    model.answers = ({"predictions": [1]}, answer)
    shots = fire(model, clients=1, rate=400)
    assert len(shots.failures) in {len(shots) // 2, len(shots) // 2 + 1}
    assert {shot.status for shot in shots.failures} == {status}
    assert problem in shots.failures[0].problem
    assert problem in shots.summary


def test_a_gateway_that_is_not_there_is_a_failure_and_no_end() -> None:
    nowhere = Target(gateway="http://127.0.0.1:9", host="a", path="/", instances=[1])
    with Load(nowhere, clients=1, rate=200) as load:
        while len(load.shots) < 3:
            time.sleep(0.01)
    assert all(shot.status == 0 and "ConnectError" in shot.problem for shot in load.shots.all)


def test_requests_in_flight_are_there_until_they_are_answered(model: Model) -> None:
    answered = Event()
    model.answers = (answered,)
    outcomes = send_and_hold(model.target, requests=3)
    while model.asked < 3:
        assert outcomes == []
    answered.set()
    while len(outcomes) < 3:
        pass
    assert outcomes == ['200: {"predictions": [2]}'] * 3


def test_a_request_in_flight_that_is_cut_off_is_over(model: Model) -> None:
    model.answers = (None,)
    outcomes = send_and_hold(model.target, requests=1)
    while not outcomes:
        pass
    assert outcomes[0].startswith("RemoteProtocolError")


def shot(at: float, *, took: float = 0.1, answer: int = 0) -> Shot:
    return Shot(at=at, took=took, status=200, answer=[answer])


def test_quantiles_and_times() -> None:
    shots = Shots(all=tuple(shot(at, took=(at + 1) / 100) for at in range(100)))
    assert milliseconds(shots, (0.5, 0.95, 1)) == [500, 950, 1000]
    assert len(shots.between(10, 20)) == 10
    with pytest.raises(ValueError, match="no request"):
        shots.between(200, 300).quantile(0.5)


def test_the_switch_is_from_the_first_new_answer_to_the_last_old_one() -> None:
    shots = Shots(all=(shot(1), shot(2, answer=1), shot(3), shot(4, answer=1)))
    assert switched(shots, new=lambda answer: answer == [1]) == (2.1, 3)
    with pytest.raises(ValueError, match="not both"):
        switched(shots.between(4, 5), new=lambda answer: answer == [1])
