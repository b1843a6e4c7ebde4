"""Requests that KServe's own model servers take: named columns, text, arguments, and models that come later."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from .conftest import Demo
from .programs import Program, Server, started
from .test_clients import ask, question
from .test_predictions import infer, tensor

FLOWER = {"sepal_length_(cm)": 6.5, "sepal_width_(cm)": 3.0, "petal_length_(cm)": 5.5, "petal_width_(cm)": 2.0}
WITHOUT_PETAL = dict(list(FLOWER.items())[:2])
OLD, NEW = {"kind": "old", "size": 5}, {"kind": "new", "size": 1}
FILMS = ["bad film", "good film"]


@pytest.fixture(scope="module")
def upstream(
    more_models: Path,
    sklearnserver: Program,
    xgbserver: Program,
    lgbserver: Program,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Server]]:
    """A ready server for each model that takes more than rows of numbers."""
    logs = tmp_path_factory.mktemp("logs")
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(started(program, more_models / name, log=logs / f"{name}.log"))
            for program, name in (
                (sklearnserver, "prices"),
                (sklearnserver, "text"),
                (sklearnserver, "categories"),
                (sklearnserver, "one-number"),
                (xgbserver, "softprob"),
                (xgbserver, "linear"),
                (xgbserver, "flags"),
                (lgbserver, "columns"),
            )
        }
        for each in running.values():
            each.wait_ready()
        yield running
        for each in running.values():
            each.process.terminate()


def predictions(server: Server, rows: object, *, key: str = "instances") -> Any:
    answer = requests.post(f"{server.url}/v1/models/model:predict", json={key: rows}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def swapped(row: dict[str, Any]) -> dict[str, Any]:
    return dict(reversed(row.items()))


@pytest.mark.parametrize("key", ["instances", "inputs"])
@pytest.mark.parametrize(
    "rows",
    [
        [FLOWER],
        [swapped(FLOWER)],
        [{name: [value] for name, value in FLOWER.items()}],
        [{name: {"0": value} for name, value in FLOWER.items()}],
        [[{name: value} for name, value in swapped(FLOWER).items()]],
        [FLOWER | {"colour": 3}],
    ],
)
def test_columns_by_name_by_v1(upstream: dict[str, Server], rows: list[Any], key: str) -> None:
    server = upstream["columns"]
    expected = predictions(server, [list(FLOWER.values())])
    assert predictions(server, rows, key=key) == expected


def test_every_server_takes_columns_by_name(upstream: dict[str, Server], servers: dict[str, Server]) -> None:
    values = list(FLOWER.values())
    named = dict(zip("dcba", reversed(values), strict=True))
    assert predictions(upstream["softprob"], [named]) == predictions(upstream["softprob"], [values])
    # These were fitted without names: the order is that of the request.
    for name in ("sklearn", "xgboost", "onnx"):
        assert predictions(servers[name], [FLOWER]) == predictions(servers[name], [values])


def test_a_missing_column_is_a_missing_value(upstream: dict[str, Server]) -> None:
    expected = predictions(upstream["columns"], [[6.5, 3.0, None, None]])
    assert predictions(upstream["columns"], [WITHOUT_PETAL]) == expected
    assert predictions(upstream["columns"], [WITHOUT_PETAL, FLOWER])[0] == expected[0]
    assert predictions(upstream["prices"], [{"kind": "new"}]) == pytest.approx([125])


def test_several_rows_of_columns(upstream: dict[str, Server]) -> None:
    assert predictions(upstream["prices"], [OLD, NEW]) == pytest.approx([50, 110])
    assert predictions(upstream["prices"], [[OLD, NEW]]) == pytest.approx([50, 110])
    assert predictions(upstream["prices"], [{"kind": ["old", "new"], "size": [5, 1]}]) == pytest.approx([50, 110])


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        (
            "columns",
            [{"petal": 1}],
            "instances[0]: expected rows of 4 numbers, got {'petal': 1} (the model's columns are",
        ),
        (
            "columns",
            [FLOWER | {"petal_width_(cm)": "2"}],
            'instances[0]: column "petal_width_(cm)": expected numbers, got',
        ),
        (
            "columns",
            [{"sepal_width_(cm)": [1, 2], "petal_width_(cm)": [1]}],
            "instances[0]: expected columns of one length",
        ),
        ("columns", [FLOWER, [1, 2, 3, 4]], "instances[1]: expected an object, or a list of objects, got [1, 2, 3, 4]"),
        ("prices", [OLD | {"kind": "unknown"}], "the model does not take these values: Found unknown categories"),
        ("prices", [[1, 2]], "the model does not take these values: Specifying the columns using strings is only"),
        ("text", [["good film"], 5], "instances[0][0]: expected rows of text or numbers, got 'good film'"),
    ],
)
def test_rows_that_do_not_fit_are_refused(upstream: dict[str, Server], name: str, rows: object, message: str) -> None:
    answer = upstream[name].predict(rows)
    assert answer.json()["error"].startswith(message)
    assert answer.status_code == 400


def v2_columns(server: Server, *columns: dict[str, object], content_type: str | None = "pd") -> requests.Response:
    body: dict[str, object] = {"inputs": columns}
    if content_type:
        body["parameters"] = {"content_type": content_type}
    return requests.post(f"{server.url}/v2/models/model/infer", json=body, timeout=30)


def column(name: str, datatype: str, data: list[Any], shape: list[int] | None = None) -> dict[str, object]:
    return {"name": name, "datatype": datatype, "data": data, "shape": shape or [len(data)]}


SIZE, KIND = column("size", "INT32", [5, 1]), column("kind", "BYTES", ["old", "new"])


def test_columns_by_name_by_v2(upstream: dict[str, Server]) -> None:
    for columns in ([SIZE, KIND], [column("kind", "BYTES", [["old"], ["new"]], [2, 1]), SIZE]):
        (output,) = v2_columns(upstream["prices"], *columns).json()["outputs"]
        assert (output["datatype"], output["shape"]) == ("FP64", [2])
        assert output["data"] == pytest.approx([50, 110])
    numbers = [column(name, "FP32", [value]) for name, value in swapped(FLOWER).items()]
    (output,) = v2_columns(upstream["columns"], *numbers).json()["outputs"]
    assert output["data"] == pytest.approx(predictions(upstream["columns"], [list(FLOWER.values())])[0], abs=1e-6)


@pytest.mark.parametrize(
    ("columns", "content_type", "message"),
    [
        ([SIZE, KIND], None, 'got 2 tensors; for a tensor a column, say "parameters": {"content_type": "pd"}'),
        ([SIZE, column("kind", "BYTES", ["old"])], "pd", "each a column, got size [2], kind [1]"),
        ([SIZE, SIZE], "pd", "each a column, got size [2], size [2]"),
        ([], "pd", "each a column, got none"),
        ([column("size", "INT32", ["5", "1"]), KIND], "pd", "inputs \"size\": expected INT32, got '5'"),
        ([column("size", "INT32", [5, 1], [1, 2]), KIND], "pd", 'inputs "size": expected a column of shape [rows] or'),
    ],
)
def test_columns_by_v2_are_refused(
    upstream: dict[str, Server], columns: list[dict[str, object]], content_type: str | None, message: str
) -> None:
    answer = v2_columns(upstream["prices"], *columns, content_type=content_type)
    assert message in answer.json()["error"]
    assert answer.status_code == 400


def test_json_of_columns_stays_what_it_is(upstream: dict[str, Server]) -> None:
    """Null is missing in a column of integers, too, and a fraction there is none of an integer."""
    (output,) = v2_columns(upstream["prices"], column("size", "INT32", [5.5, None]), KIND).json()["outputs"]
    assert output["data"] == pytest.approx([55, 125])
    null = v2_columns(upstream["prices"], SIZE, column("kind", "BYTES", ["old", None])).json()
    assert "Found unknown categories [None] in column 0" in null["error"]


def test_null_in_a_column_of_text_is_left_to_the_model(upstream: dict[str, Server]) -> None:
    answer = upstream["prices"].predict([OLD, NEW | {"kind": None}])
    assert "Found unknown categories [None] in column 0" in answer.json()["error"]


def test_true_is_one(upstream: dict[str, Server], servers: dict[str, Server]) -> None:
    flags, server = [[True, False, True, True], [False, True, False, False]], upstream["flags"]
    expected = predictions(server, [[1, 0, 1, 1], [0, 1, 0, 0]])
    assert predictions(server, flags) == expected
    assert predictions(server, [dict(zip("abcd", row, strict=True)) for row in flags]) == expected
    (output,) = infer(server, tensor(flags, datatype="BOOL")).json()["outputs"]
    assert output["data"] == expected
    columns = [
        column(name, "BOOL", list(values)) for name, values in zip("abcd", zip(*flags, strict=True), strict=True)
    ]
    (output,) = v2_columns(server, *columns).json()["outputs"]
    assert output["data"] == expected
    for name in ("sklearn", "lightgbm", "onnx"):
        assert predictions(servers[name], flags) == predictions(servers[name], [[1, 0, 1, 1], [0, 1, 0, 0]])


def test_rows_of_categories(upstream: dict[str, Server]) -> None:
    rows = [["a", "x"], ["b", "unknown"]]
    assert predictions(upstream["categories"], rows) == [0, 1]
    for data in (rows, [value for row in rows for value in row]):
        (output,) = infer(upstream["categories"], tensor(data, shape=(2, 2), datatype="BYTES")).json()["outputs"]
        assert output["data"] == [0, 1]
    answer = infer(upstream["categories"], tensor(["a", "x"], shape=(2, 1), datatype="BYTES"))
    assert answer.json()["error"].endswith("shape [rows, 2], got datatype BYTES of shape [2, 1]")
    assert answer.status_code == 400
    for row in (["a", "x", "y"], ["a", 5]):
        answer = upstream["categories"].predict([row])
        assert answer.json()["error"].startswith("instances[0][0]: expected rows of 2 numbers, got 'a'")
        assert answer.status_code == 400


def test_rows_that_are_numbers(upstream: dict[str, Server]) -> None:
    assert predictions(upstream["one-number"], [1.5, 3]) == [15, 30]
    (output,) = infer(upstream["one-number"], tensor([1.5, 3], shape=(2,))).json()["outputs"]
    assert output["data"] == [15, 30]


def test_a_linear_booster(upstream: dict[str, Server]) -> None:
    virginica, setosa = predictions(upstream["linear"], [list(FLOWER.values()), [5.1, 3.5, 1.4, 0.2]])
    assert virginica > setosa


def test_columns_that_lightgbm_has_by_other_names(upstream: dict[str, Server], servers: dict[str, Server]) -> None:
    spaces = {name.replace("_", " "): value for name, value in swapped(FLOWER).items()}
    assert predictions(upstream["columns"], [spaces]) == predictions(upstream["columns"], [FLOWER])
    # Fitted without names, for which LightGBM makes some up; those may be asked for.
    values = list(FLOWER.values())
    made_up = {f"Column_{position}": value for position, value in reversed(list(enumerate(values)))}
    for row in (FLOWER, made_up):
        assert predictions(servers["lightgbm"], [row]) == predictions(servers["lightgbm"], [values])


def test_null_is_no_text(upstream: dict[str, Server]) -> None:
    answer = infer(upstream["text"], tensor(["good film", None], shape=(2,), datatype="BYTES"))
    assert answer.json() == {"error": 'inputs[0] "flowers": expected text, got null'}
    assert answer.status_code == 400


def test_text(upstream: dict[str, Server]) -> None:
    expected = ["blame", "praise"]
    assert predictions(upstream["text"], FILMS) == expected
    assert predictions(upstream["text"], FILMS, key="inputs") == expected
    (output,) = infer(upstream["text"], tensor(FILMS, shape=(2,), datatype="BYTES")).json()["outputs"]
    assert output["data"] == expected
    metadata = requests.get(f"{upstream['text'].url}/v2/models/model", timeout=10).json()
    assert metadata["inputs"] == [{"name": "input-0", "datatype": "BYTES", "shape": [-1]}]


def test_text_and_columns_by_tritons_clients(upstream: dict[str, Server], python: Path) -> None:
    text = [
        question(upstream["text"], "triton-http", FILMS, datatype="BYTES", binary_in=binary, binary_out=binary)
        for binary in (True, False)
    ]
    columns = {"rows": [["old", 5], ["new", 1]], "columns": {"kind": "BYTES", "size": "INT32"}}
    table = [question(upstream["prices"], client, **columns) for client in ("triton-http", "triton-grpc")]
    answers = ask(python, [*text, question(upstream["text"], "triton-grpc", FILMS, datatype="BYTES"), *table])
    assert [answer["predictions"] for answer in answers[:3]] == [["blame", "praise"]] * 3
    assert [answer["predictions"] for answer in answers[3:]] == [pytest.approx([50, 110])] * 2


def test_columns_by_the_grpc_client_of_kserves_sdk(upstream: dict[str, Server], python: Path) -> None:
    columns = {"rows": [["old", 5], ["new", 1]], "columns": {"kind": "BYTES", "size": "INT32"}}
    (answer,) = ask(python, [question(upstream["prices"], "kserve-grpc", **columns)])
    assert answer["predictions"] == pytest.approx([50, 110])


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_compressed_bodies(servers: dict[str, Server], demo: Demo, python: Path, compression: str) -> None:
    asked = [
        question(servers["sklearn"], client, demo.instances, binary_in=binary, compression=compression)
        for client in ("triton-http", "triton-aio")
        for binary in (True, False)
    ]
    assert [answer["predictions"] for answer in ask(python, asked)] == [[1, 0]] * 4
    compress = gzip.compress if compression == "gzip" else zlib.compress
    body = compress(json.dumps({"instances": demo.instances}).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": compression}
    url = f"{servers['sklearn'].url}/v1/models/model:predict"
    assert requests.post(url, data=body, headers=headers, timeout=10).json() == {"predictions": [1, 0]}
    broken = requests.post(url, data=b"{}", headers=headers, timeout=10)
    assert broken.status_code == 400
    assert broken.json()["error"].startswith(f"body: not {compression}, which its Content-Encoding says")


def test_unknown_compression_is_refused(servers: dict[str, Server]) -> None:
    url = f"{servers['sklearn'].url}/v1/models/model:predict"
    answer = requests.post(url, data=b"{}", headers={"Content-Encoding": "br"}, timeout=10)
    assert answer.status_code == 415
    assert answer.json() == {"error": "Content-Encoding: expected one of gzip, deflate, got br"}


def test_json_from_the_asynchronous_client_of_triton(servers: dict[str, Server], demo: Demo, python: Path) -> None:
    asked = [
        question(servers["onnx"], "triton-aio", demo.instances, binary_in=False, binary_out=out)
        for out in (True, False)
    ]
    assert [answer["predictions"] for answer in ask(python, asked)] == [[1, 0]] * 2


@pytest.mark.parametrize(("program", "folder"), [("sklearnserver", "text"), ("onnxserver", "onnx")])
def test_workers_answer_side_by_side(
    program: str, folder: str, more_models: Path, demo: Demo, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    directory, rows, expected = {
        "text": (more_models, FILMS, ["blame", "praise"]),
        "onnx": (demo.directory, demo.instances, [1, 0]),
    }[folder]
    log = tmp_path / "log"
    with started(request.getfixturevalue(program), directory / folder, "--workers=2", log=log) as server:
        server.wait_ready()
        # Requests of connections of their own, until both have answered; the 500th has failed before.
        for _ in range(500):
            assert predictions(server, rows) == expected
            if len(pids := processes_that_answered(log)) == 2:
                break
        assert len(pids) == 2
        assert server.process.pid not in pids
        body = v2_columns(server).json()  # our own errors, too
        assert "error" in body
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0


def processes_that_answered(log: Path) -> set[int]:
    """Process ids in the lines about the latency of requests, as KServe's own tests read them."""
    words = [line.split() for line in log.read_text().splitlines()]
    return {int(line[2]) for line in words if len(line) > 4 and line[3] == "kserve.trace"}


def test_arguments_of_the_sdk(xgbserver: Program, demo: Demo, tmp_path: Path) -> None:
    arguments = (
        *("--enable_grpc=false", "--enable_docs_url=true", "--enable_latency_logging=false", "--max_threads=1"),
        *("--access_log_format=answered %(s)s", "--event-loop=uvloop", "--unknown=1", "--timeout-keep-alive", "5"),
    )
    log = tmp_path / "log"
    with started(xgbserver, demo.directory / "xgboost", *arguments, log=log) as server:
        server.wait_ready()
        assert requests.get(f"{server.url}/docs", timeout=10).status_code == 200
        assert server.predict(demo.instances).status_code == 200
        assert "gRPC" not in log.read_text()
        assert "preprocess_ms" not in log.read_text()
        assert "answered 200" in log.read_text()
        assert "unknown arguments, which do nothing: --unknown=1" in log.read_text()


def test_models_that_come_later(sklearnserver: Program, demo: Demo, more_models: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(more_models / "text", models / "here-before")
    shutil.copytree(more_models / "unfitted", models / "broken")
    with started(sklearnserver, models, log=tmp_path / "log") as server:
        server.wait_listening()
        assert requests.get(f"{server.url}/v1/models", timeout=10).json() == {"models": ["here-before"]}
        shutil.copytree(demo.directory / "sklearn", models / "flowers")
        loaded = requests.post(f"{server.url}/v2/repository/models/flowers/load", timeout=30)
        assert loaded.json() == {"name": "flowers", "load": True}
        url = f"{server.url}/v1/models/flowers:predict"
        assert requests.post(url, json={"instances": demo.instances}, timeout=10).json() == {"predictions": [1, 0]}
        broken = requests.post(f"{server.url}/v2/repository/models/broken/load", timeout=30)
        assert "a LogisticRegression that is not fitted" in broken.json()["error"]
        assert broken.status_code == 503
        assert requests.post(f"{server.url}/v2/repository/models/flowers/unload", timeout=10).status_code == 200
        assert requests.post(url, json={"instances": demo.instances}, timeout=10).status_code == 404
