"""Every way a model can answer, against a real server; each failure with its words."""

import errno
import socket
import threading
from typing import Any

import pytest

from predict.check import EndpointCheck, Limits, check_all
from predict.outcome import Outcome, Waiting
from tests.unit.predict.conftest import ROWS, check, endpoint, serve_v1, words
from tests.unit.predict.server import Reply, Server

HOST = "sklearn-model.default.example.com"
READY = "GET /v1/models/sklearn-model"
PREDICT = "POST /v1/models/sklearn-model:predict"
READY_V2 = "GET /v2/models/sklearn-model/ready"
METADATA_V2 = "GET /v2/models/sklearn-model"
INFER = "POST /v2/models/sklearn-model/infer"


def serve_v2(gateway: Server, output: dict[str, Any], ready: Reply | None = None) -> None:
    gateway.on(HOST, READY_V2, ready or Reply({"name": "sklearn-model", "ready": True}))
    gateway.on(HOST, METADATA_V2, Reply({"name": "sklearn-model", "platform": "sklearn", "inputs": [], "outputs": []}))
    gateway.on(HOST, INFER, Reply({"model_name": "sklearn-model", "outputs": [{"name": "output-0", **output}]}))


def test_the_expected_answer_over_v1(gateway: Server) -> None:
    serve_v1(gateway, [1, 0])
    outcome = check(endpoint(gateway))
    assert (outcome.failure, outcome.verdict, outcome.exit_code) == (None, "ok", 0)
    assert outcome.metadata == {"name": "sklearn-model", "ready": True}
    assert outcome.prediction is not None
    assert outcome.prediction.predictions == [1, 0]
    assert outcome.prediction.latency_ms > 0
    predict = gateway.requests[-1]
    assert (predict.headers["host"], predict.headers["content-type"]) == (HOST, "application/json")
    assert predict.body == {"instances": ROWS}


def test_a_model_with_its_own_name_in_requests(gateway: Server) -> None:
    gateway.on(HOST, "GET /v2/models/own/ready", Reply({"name": "own", "ready": True}))
    gateway.on(HOST, "GET /v2/models/own", Reply({"name": "own"}))
    output = {"name": "output-0", "shape": [2], "datatype": "INT64", "data": [1, 0]}
    gateway.on(HOST, "POST /v2/models/own/infer", Reply({"model_name": "own", "outputs": [output]}))
    paths = {"metadata_path": "/v2/models/own", "predict_path": "/v2/models/own/infer", "model_name": "own"}
    outcome = check(endpoint(gateway, protocol="v2", check={"instances": ROWS, "predictions": [1, 0]}, **paths))
    assert outcome.verdict == "ok"


@pytest.mark.feature("a model that is reached from inside the cluster only", mode="both", proof="objects")
def test_a_cluster_local_model_is_not_asked_and_not_right(gateway: Server) -> None:
    inside = endpoint(gateway, cluster_local=True, url="http://sklearn-model.default.svc.cluster.local")
    (outcome,) = check_all([inside], limits=Limits(timeout=1))
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.exit_code, outcome.prediction) == ("not-asked", 0, None)
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({"shape": [2], "datatype": "INT64", "data": [1, 0]}, [1, 0]),
        ({"shape": [2, 2], "datatype": "FP32", "data": [0.8, 0.2, 0.3, 0.7]}, [[0.8, 0.2], [0.3, 0.7]]),
        ({"shape": [2, 2], "datatype": "FP32", "data": [[0.8, 0.2], [0.3, 0.7]]}, [[0.8, 0.2], [0.3, 0.7]]),
        ({"shape": [2], "datatype": "BYTES", "data": ["cat", "dog"]}, ["cat", "dog"]),
    ],
)
def test_the_expected_answer_over_v2(gateway: Server, output: dict[str, Any], expected: list[Any]) -> None:
    serve_v2(gateway, output)
    outcome = check(endpoint(gateway, protocol="v2", check={"instances": ROWS, "predictions": expected}))
    assert outcome.verdict == "ok"
    flat = [number for row in ROWS for number in row]
    assert gateway.requests[-1].body == {
        "inputs": [{"name": "input-0", "shape": [2, 4], "datatype": "FP64", "data": flat}]
    }


def test_v2_readiness_may_have_an_empty_body(gateway: Server) -> None:
    serve_v2(gateway, {"shape": [2], "datatype": "INT64", "data": [1, 0]}, ready=Reply(b""))
    assert check(endpoint(gateway, protocol="v2")).verdict == "ok"


def test_without_a_check_only_readiness_and_metadata_are_asked(gateway: Server) -> None:
    serve_v1(gateway, [1, 0])
    outcome = check(endpoint(gateway, check=None))
    assert (outcome.verdict, outcome.exit_code, outcome.prediction) == ("answered", 0, None)
    assert {request.method for request in gateway.requests} == {"GET"}


def test_waits_until_the_model_is_ready(gateway: Server) -> None:
    serve_v1(gateway, [1, 0])
    not_ready = Reply({"error": "Model with name sklearn-model is not ready."}, status=503)
    unhealthy = Reply(b"no healthy upstream", status=503, content_type="text/plain")
    gateway.on(HOST, READY, unhealthy, not_ready, Reply({"name": "sklearn-model", "ready": True}))
    seen: list[Waiting] = []
    outcome = EndpointCheck(endpoint(gateway), limits=Limits(timeout=20), notify=seen.append).run()
    assert outcome.verdict == "ok"
    assert [event.failure.verdict for event in seen] == ["http-error", "no-model"]


def test_the_last_attempt_is_at_the_end_of_the_timeout(gateway: Server) -> None:
    gateway.on(HOST, READY, Reply(b"", status=503))
    outcome = check(endpoint(gateway), timeout=2)
    # Pauses of 0.25, 0.5 and 1 s, then one cut from 2 s to what is left: uncut it would end at 3.75 s.
    assert 2 <= outcome.waited_s < 3.6


def test_a_pod_that_goes_away_during_the_prediction_is_waited_for(gateway: Server) -> None:
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, PREDICT, Reply(b"upstream connect error", status=503), Reply({"predictions": [1, 0]}))
    assert check(endpoint(gateway), timeout=20).verdict == "ok"


def test_model_without_artefact(gateway: Server) -> None:
    gone = Reply({"error": "Model with name sklearn-model does not exist."}, status=404)
    gateway.on(HOST, READY, gone)
    gateway.on(HOST, "GET /v1/models", Reply({"models": []}))
    outcome = check(endpoint(gateway))
    assert (outcome.verdict, outcome.exit_code) == ("no-model", 2)
    text = words(outcome)
    assert text.startswith(
        f"A model server answers for {HOST}, but it has no ready model sklearn-model: "
        "it says 'Model with name sklearn-model does not exist', it serves []."
    )
    assert "Check that `storage_uri` holds a model file of the declared format" in text
    assert "kubectl logs -n default -l serving.kserve.io/inferenceservice=sklearn-model -c kserve-container" in text
    assert "没有就绪的模型 sklearn-model" in words(outcome, "zh")


@pytest.mark.parametrize("ready", [False, "False"])
def test_model_that_says_it_is_not_ready(gateway: Server, ready: object) -> None:
    gateway.on(HOST, READY, Reply({"name": "sklearn-model", "ready": ready}))
    gateway.on(HOST, "GET /v1/models", Reply({"models": ["sklearn-model"]}))
    outcome = check(endpoint(gateway))
    assert outcome.verdict == "no-model"
    assert "it serves ['sklearn-model']" in words(outcome)


@pytest.mark.parametrize("said", [{"error": "loading"}, {"error": "loading", "ready": True}])
def test_an_error_instead_of_readiness(gateway: Server, said: object) -> None:
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, READY, Reply(said))
    outcome = check(endpoint(gateway))
    assert (outcome.verdict, outcome.exit_code) == ("no-model", 2)
    assert "it says 'loading'" in words(outcome)


def test_server_that_does_not_speak_the_protocol(gateway: Server) -> None:
    serve_v2(gateway, {"shape": [2], "datatype": "INT64", "data": [1, 0]})
    outcome = check(endpoint(gateway))
    assert outcome.verdict == "no-model"
    assert "it says 'Not Found', it serves ?" in words(outcome)
    assert "that its runtime speaks protocol v1" in words(outcome)


def test_swapped_model(gateway: Server) -> None:
    serve_v1(gateway, [0.823, 0.177])
    outcome = check(endpoint(gateway))
    assert (outcome.verdict, outcome.exit_code) == ("wrong-value", 1)
    text = words(outcome)
    assert text.startswith("The answer has other values: expected [1, 0], got [0.823, 0.177]; largest difference 0.177")
    assert "at predictions[0], tolerance 1e-06" in text
    assert "are not swapped" in text
    assert "最大差异 0.177" in words(outcome, "zh")


@pytest.mark.parametrize(
    ("predictions", "got"), [([1], "1"), ([1, 0, 1], "3"), ([[0.2, 0.8], [0.9, 0.1]], "2 × 2"), ([], "0")]
)
def test_wrong_width_answer(gateway: Server, predictions: list[Any], got: str) -> None:
    serve_v1(gateway, predictions)
    outcome = check(endpoint(gateway))
    assert (outcome.verdict, outcome.exit_code) == ("wrong-shape", 1)
    shape = f"The answer has another shape (predictions × width of a row): expected 2, got {got}; "
    assert words(outcome).startswith(shape + f"expected [1, 0], got {predictions}.")
    assert f"预期 2，实际 {got}" in words(outcome, "zh")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": "feature names mismatch"}, "feature names mismatch"),
        ({"error": "bad", "predictions": [1, 0]}, "bad"),
        ({"result": "done"}, 'KeyError \'predictions\': {"result": "done"}'),
        ({"predictions": 7}, "TypeError predictions is not a list"),
        ([1, 0], "[1, 0]"),
    ],
)
def test_error_inside_a_200(gateway: Server, body: object, said: str) -> None:
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, PREDICT, Reply(body))
    outcome = check(endpoint(gateway))
    assert (outcome.verdict, outcome.exit_code) == ("error-in-answer", 1)
    assert words(outcome).startswith(f"HTTP 200, but without usable predictions in it: {said}")
    assert "没有可用的预测结果" in words(outcome, "zh")


@pytest.mark.parametrize("shape", [[0], [0, 3]])
def test_an_empty_answer_over_v2_has_a_wrong_shape(gateway: Server, shape: list[int]) -> None:
    serve_v2(gateway, {"shape": shape, "data": []})
    outcome = check(endpoint(gateway, protocol="v2"))
    assert (outcome.verdict, outcome.exit_code) == ("wrong-shape", 1)
    assert "expected 2, got 0;" in words(outcome)


@pytest.mark.parametrize(
    "body",
    [
        {"outputs": []},
        {"outputs": [{"shape": [3], "data": []}]},
        {"outputs": [{"shape": [3], "data": [1, 0]}]},
        {"error": "no"},
    ],
)
def test_error_inside_a_200_over_v2(gateway: Server, body: object) -> None:
    serve_v2(gateway, {"shape": [2], "data": [1, 0]})
    gateway.on(HOST, INFER, Reply(body))
    outcome = check(endpoint(gateway, protocol="v2"))
    assert (outcome.verdict, outcome.exit_code) == ("error-in-answer", 1)


EXPLAIN = "/v1/models/sklearn-model:explain"
EFFECTS = [[0.5, 0.25], [0, 0.125]]


def explained(gateway: Server, answer: Reply) -> Outcome:
    """What comes of asking a model with an explainer that answers so."""
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, f"POST {EXPLAIN}", answer)
    said = {"instances": ROWS, "predictions": [1, 0], "explanations": EFFECTS, "tolerance": 0.01}
    return check(endpoint(gateway, explain_path=EXPLAIN, check=said), timeout=20)


def test_the_expected_explanations(gateway: Server) -> None:
    outcome = explained(gateway, Reply({"explanations": [[0.501, 0.25], [0.0, 0.125]]}))
    assert (outcome.failure, outcome.verdict) == (None, "ok")
    assert outcome.prediction is not None
    assert outcome.prediction.explanations == [[0.501, 0.25], [0.0, 0.125]]
    assert gateway.requests[-1].body == {"instances": ROWS}


def test_other_explanations_than_expected(gateway: Server) -> None:
    outcome = explained(gateway, Reply({"explanations": [[0.5, 0.75], [0, 0.125]]}))
    assert (outcome.verdict, outcome.exit_code) == ("wrong-value", 1)
    assert "largest difference 0.5 at explanations[0][1]" in words(outcome)


@pytest.mark.parametrize(
    "answer",
    [
        Reply({"error": "Could not find explainer_host."}, status=501),
        Reply({"predictions": [1, 0]}),
        Reply({"explanations": {"0": 1}}),
    ],
)
def test_no_explanations(gateway: Server, answer: Reply) -> None:
    outcome = explained(gateway, answer)
    assert (outcome.verdict, outcome.exit_code) == ("no-explanation", 1)
    assert f"{EXPLAIN} answered without explanations, with HTTP {answer.status}: " in words(outcome)
    logs = "kubectl logs -n default -l serving.kserve.io/inferenceservice=sklearn-model,component=explainer -c kserve"
    assert logs in words(outcome)


def test_prediction_refused(gateway: Server) -> None:
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, PREDICT, Reply({"error": "X has 4 features, but expects 30."}, status=500))
    outcome = check(endpoint(gateway), timeout=20)
    assert (outcome.verdict, outcome.exit_code) == ("prediction-refused", 1)
    assert words(outcome).startswith(
        "The model is ready, but answered the prediction with HTTP 500: X has 4 features, but expects 30."
    )
    assert "Compare `check.instances` with what the model was trained on" in words(outcome)
    assert outcome.waited_s < 10


@pytest.mark.parametrize("status", [301, 302, 304, 401, 403, 407, 408, 429, 502, 503, 504])
def test_a_prediction_that_the_gateway_refuses(gateway: Server, status: int) -> None:
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, PREDICT, Reply(b"RBAC: access denied", status=status, content_type="text/plain"))
    outcome = check(endpoint(gateway), timeout=0.3)
    assert (outcome.verdict, outcome.exit_code) == ("http-error", 2)
    assert words(outcome).startswith(f"HTTP {status} for /v1/models/sklearn-model:predict (Host {HOST}): ")


@pytest.mark.parametrize("status", [400, 404, 422, 500, 501])
def test_a_prediction_that_the_model_refuses(gateway: Server, status: int) -> None:
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, PREDICT, Reply({"error": "no such feature"}, status=status))
    outcome = check(endpoint(gateway), timeout=20)
    assert (outcome.verdict, outcome.exit_code) == ("prediction-refused", 1)


def test_wrong_host(gateway: Server) -> None:
    serve_v1(gateway, [1, 0])
    outcome = check(endpoint(gateway, host="sklearn-model.default.example.org"))
    assert (outcome.verdict, outcome.exit_code) == ("no-route", 2)
    text = words(outcome)
    assert text.startswith(f"The gateway {gateway.address} has no route for Host sklearn-model.default.example.org ")
    for hint in (
        "by the Host header alone",
        "kubectl get inferenceservice sklearn-model -n default",
        "kubectl get virtualservice -n default",
        "`ingress.domain`",
        "config-domain",
        f"curl -v -H 'Host: sklearn-model.default.example.org' {gateway.address}/v1/models/sklearn-model",
    ):
        assert hint in text
    assert "没有 Host sklearn-model.default.example.org 的路由" in words(outcome, "zh")


def test_gateway_that_refuses_connections() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, not listening
        outcome = check(endpoint(f"http://127.0.0.1:{free.getsockname()[1]}"))
    assert (outcome.verdict, outcome.exit_code) == ("connection-refused", 2)
    assert "it refused the connection." in words(outcome)
    assert "The Host header plays no part yet." in words(outcome)


def test_gateway_that_does_not_reply() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (first, second):  # a full backlog: further connections get no reply
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        outcome = check(endpoint(f"http://127.0.0.1:{full.getsockname()[1]}"))
    assert (outcome.verdict, outcome.exit_code) == ("connect-timeout", 2)
    assert "cannot be reached: no reply to the connection, or no route to it." in words(outcome)


@pytest.mark.parametrize("code", [errno.ENETUNREACH, errno.EHOSTUNREACH])
def test_gateway_without_a_route_to_it(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_route(*_: object) -> None:
        raise OSError(code, "unreachable")

    monkeypatch.setattr(socket.socket, "connect", no_route)
    outcome = check(endpoint("http://198.51.100.1:80"))
    assert (outcome.verdict, outcome.exit_code) == ("connect-timeout", 2)
    assert "or no route to it." in words(outcome)
    assert "或没有通往它的路由" in words(outcome, "zh")


@pytest.mark.parametrize("address", ["http://a..b:80", f"http://{'a' * 64}.b:80", "http://127.0.0.1:99999"])
def test_an_address_that_no_socket_takes(address: str) -> None:
    outcome = check(endpoint(address))
    assert (outcome.verdict, outcome.exit_code) == ("disconnected", 2)


def test_a_host_that_no_header_can_carry(gateway: Server) -> None:
    assert check(endpoint(gateway, host="模型.default.example.com")).verdict == "disconnected"


@pytest.mark.parametrize("error", [OverflowError, ValueError])
def test_unusual_errors_of_the_transport(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise error("out of range")

    monkeypatch.setattr(socket.socket, "connect", fails)
    outcome = check(endpoint("http://127.0.0.1:80"))
    assert outcome.verdict == "disconnected"
    assert "broke: out of range." in words(outcome)


def test_gateway_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    outcome = check(endpoint("http://gateway.invalid:80"))
    assert (outcome.verdict, outcome.exit_code) == ("unknown-name", 2)
    assert words(outcome).startswith("The name in the gateway address http://gateway.invalid:80 does not resolve.")
    assert f"{HOST} needs no DNS" in words(outcome)


def test_model_that_takes_too_long(gateway: Server) -> None:
    over = threading.Event()
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, PREDICT, Reply({"predictions": [1, 0]}, wait_for=over))
    outcome = check(endpoint(gateway), timeout=1)
    over.set()
    assert (outcome.verdict, outcome.exit_code) == ("read-timeout", 2)
    assert "did not answer /v1/models/sklearn-model:predict within 2.0 s" in words(outcome)
    assert "--timeout" in words(outcome)


def test_the_last_attempt_has_time_to_succeed(gateway: Server) -> None:
    serve_v1(gateway, [1, 0])
    ready = threading.Event()
    gateway.on(HOST, READY, Reply(b"", status=503), Reply({"ready": True}, wait_for=ready))
    timer = threading.Timer(1.0, ready.set)
    timer.start()
    outcome = check(endpoint(gateway), timeout=0.2)
    timer.cancel()
    assert outcome.verdict == "ok"


def test_the_last_attempt_has_its_seconds_in_the_message(gateway: Server) -> None:
    over = threading.Event()
    gateway.on(HOST, READY, Reply(b"", status=503), Reply(b"", wait_for=over))
    outcome = check(endpoint(gateway), timeout=0.2)
    over.set()
    assert f"did not answer /v1/models/sklearn-model within 2.0 s (Host {HOST})" in words(outcome)
    assert "在 2.0 秒内未响应" in words(outcome, "zh")


def test_an_answer_that_never_ends_does_not_hold_up_the_others(gateway: Server) -> None:
    serve_v1(gateway, [1, 0])
    serve_v1(gateway, [1, 0], name="slow-model")
    gateway.on("slow-model.default.example.com", "GET /v1/models/slow-model", Reply(b" " * 40, drip_s=0.2))
    events = check_all([endpoint(gateway, "slow-model"), endpoint(gateway)], limits=Limits(timeout=0.5), grace=1)
    right, slow = [event for event in events if isinstance(event, Outcome)]
    assert (right.endpoint.name, right.verdict) == ("sklearn-model", "ok")
    assert (slow.endpoint.name, slow.verdict, slow.exit_code) == ("slow-model", "read-timeout", 2)
    assert 1.5 <= slow.waited_s < 4
    assert f"did not answer /v1/models/slow-model within {slow.waited_s:.1f} s" in words(slow)


def test_a_server_that_does_not_speak_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def talk() -> None:
            while not stop.is_set():
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        outcome = check(endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        stop.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join()
    assert (outcome.verdict, outcome.exit_code) == ("disconnected", 2)
    assert "one side speaks TLS and the other does not" in words(outcome)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b"RBAC: access denied", status=403, content_type="text/plain"), "HTTP 403 for /v1/models/sklearn-model"),
        (Reply(b"", status=301, headers={"location": "https://x/"}), f"(Host {HOST}): https://x/."),
        (Reply(b"", status=503), f"(Host {HOST}): Service Unavailable."),
        (Reply(b"no healthy upstream", status=503), f"(Host {HOST}): no healthy upstream."),
    ],
)
def test_other_http_errors(gateway: Server, reply: Reply, said: str) -> None:
    gateway.on(HOST, READY, reply)
    outcome = check(endpoint(gateway))
    assert (outcome.verdict, outcome.exit_code) == ("http-error", 2)
    assert said in words(outcome)
    assert (len(gateway.requests) == 1) == (reply.status < 500)  # what will not pass is not waited for


@pytest.mark.parametrize(("request_", "exit_code"), [(READY, 2), (PREDICT, 1)])
def test_answer_that_is_not_json(gateway: Server, request_: str, exit_code: int) -> None:
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, request_, Reply(b"<html>\x1b[31mWelcome</html>", content_type="text/html"))
    outcome = check(endpoint(gateway))
    assert (outcome.verdict, outcome.exit_code) == ("not-json", exit_code)
    assert f"(Host {HOST}) is not JSON but text/html: <html> [31mWelcome</html>." in words(outcome)
    assert "不是 JSON，而是 text/html" in words(outcome, "zh")


@pytest.mark.parametrize("body", [b"9" * 5000, b"[" * 100_000])
def test_json_beyond_what_can_be_read(gateway: Server, body: bytes) -> None:
    serve_v1(gateway, [1, 0])
    gateway.on(HOST, PREDICT, Reply(body))
    assert check(endpoint(gateway)).verdict == "not-json"
