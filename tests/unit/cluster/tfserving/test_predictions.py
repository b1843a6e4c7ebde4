"""What is answered to requests, beside what TensorFlow Serving's documentation of its REST protocol says."""

import base64
import gzip
import math
from typing import Any

import pytest
import requests

from .conftest import Demo
from .programs import Server

SIGNATURES = (
    '"double", "half", "half_plus_two", "imaginary", "logarithm", "mean", "positive", "serving_default", "several", '
    '"text", "whole"'
)
GIVEN = 'body: expected one of "instances" (rows) and "inputs" (columns), got '
HELLO = {"b64": base64.b64encode(b"hello").decode()}


@pytest.fixture(scope="session")
def functions(servers: dict[str, Server]) -> Server:
    return servers["functions"]


def row(**changed: Any) -> dict[str, Any]:
    return {"tag": "foo", "signal": [1, 2.5, 3], "count": 2, "negate": False, **changed}


@pytest.mark.format("tensorflow", server="ours", protocols=["v1"], proof="process")
def test_rows_of_the_only_input_are_answered_one_by_one(servers: dict[str, Server], demo: Demo) -> None:
    answer = servers["demo"].predict({"instances": demo.instances})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"predictions": pytest.approx(demo.predictions, abs=1e-6)}
    assert [round(probability) for probability in demo.predictions] == [1, 0]


def test_columns_are_answered_as_outputs(servers: dict[str, Server], demo: Demo) -> None:
    for inputs in (demo.instances, {"measures": demo.instances}):
        assert servers["demo"].predict({"inputs": inputs}).json() == {
            "outputs": pytest.approx(demo.predictions, abs=1e-6)
        }


def test_rows_of_the_only_input_may_be_objects(servers: dict[str, Server], demo: Demo) -> None:
    named = [{"measures": measures} for measures in demo.instances]
    answer = servers["demo"].predict({"instances": named})
    assert answer.json() == {"predictions": pytest.approx(demo.predictions, abs=1e-6)}


@pytest.mark.parametrize("path", ["model/versions/1:predict", "model/versions/01:PREDICT", "m%6Fdel:predict"])
def test_the_version_may_be_named_and_the_name_encoded(servers: dict[str, Server], demo: Demo, path: str) -> None:
    assert servers["demo"].predict({"instances": demo.instances}, path=path).status_code == 200


def test_a_body_may_be_compressed_and_of_any_type(servers: dict[str, Server]) -> None:
    body = gzip.compress(b'{"instances": [[5.9, 2.8, 4.3, 1.3]]}')
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/octet-stream"}
    answer = requests.post(f"{servers['demo'].url}/model:predict", data=body, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text


def test_a_model_of_tensorflow_1_is_served(servers: dict[str, Server]) -> None:
    assert servers["graph"].predict({"instances": [[1.0], [2.0], [5.0]]}).json() == {
        "predictions": [[3.5], [4.0], [5.5]]
    }


def test_a_shape_of_another_number_of_dimensions_is_left_to_the_graph(
    servers: dict[str, Server], functions: Server
) -> None:
    # As in TensorFlow Serving's own documentation: the signature says [1] there, or [?, 1].
    assert servers["graph"].predict({"instances": [1.0, 2.0, 5.0]}).json() == {"predictions": [3.5, 4.0, 5.5]}
    assert functions.asked("half_plus_two", instances=[1.0, 2.0, 5.0]) == {"predictions": [2.5, 3.0, 4.5]}


def test_rows_of_several_inputs_are_objects_and_so_are_the_answers(functions: Server) -> None:
    answer = functions.predict({"instances": [row(), row(tag="bar", signal=[1, 1, 1], count=-3, negate=True)]})
    assert answer.json() == {
        "predictions": [{"label": "foo", "more": 3, "total": 6.5}, {"label": "foo", "more": -2, "total": -3.0}]
    }


def test_columns_of_several_inputs_are_an_object_and_so_is_the_answer(functions: Server) -> None:
    inputs = {"tag": ["é"], "signal": [[1, 2, 3]], "count": [0], "negate": [False], "another": 1}
    assert functions.predict({"inputs": inputs}).json() == {"outputs": {"label": ["é"], "more": [1], "total": [6.0]}}


def test_bytes_go_in_and_out_in_base_64(functions: Server) -> None:
    expected = {"image_bytes": {"b64": base64.b64encode(b"hello\xff").decode()}, "text": "HELLO"}
    for instances in ([HELLO], [{"text": HELLO}], ["hello"], [{"b64": HELLO["b64"].rstrip("=")}]):
        assert functions.asked("text", instances=instances) == {"predictions": [expected]}
    columns = {name: [value] for name, value in expected.items()}
    assert functions.asked("text", inputs=[HELLO]) == {"outputs": columns}


def test_base_64_may_have_line_breaks(functions: Server) -> None:
    # As the program base64 and Python's encodebytes write it.
    lines = base64.encodebytes(b"a" * 100).decode()
    assert lines.count("\n") == 2
    assert functions.asked("text", inputs=[{"b64": lines}])["outputs"]["text"] == ["A" * 100]


def test_a_string_without_dimensions_goes_in_and_out(functions: Server) -> None:
    expected = {"image_bytes": {"b64": base64.b64encode(b"hello\xff").decode()}, "text": "HELLO"}
    for inputs in (HELLO, "hello", {"text": HELLO}):
        assert functions.asked("text", inputs=inputs) == {"outputs": expected}


def test_text_that_is_not_utf_8_goes_out_as_it_is(functions: Server) -> None:
    body = {"signature_name": "text", "instances": [{"b64": base64.b64encode(b"\xe9").decode()}]}
    assert b'"text": "\xe9"' in functions.predict(body).content


def test_nan_and_infinity_go_in_and_out_as_tokens(functions: Server) -> None:
    body = b'{"signature_name": "logarithm", "instances": [NaN, Infinity, 0.0, -1, 1]}'
    answer = requests.post(f"{functions.url}/model:predict", data=body, timeout=30)
    assert answer.content == b'{"predictions": [NaN, Infinity, -Infinity, NaN, 0.0]}'
    short = requests.post(f"{functions.url}/model:predict", data=body.replace(b"Infinity", b"Inf"), timeout=30)
    assert short.content == answer.content
    nan, infinity, *_ = answer.json()["predictions"]
    assert math.isnan(nan)
    assert infinity == math.inf


def test_text_with_the_word_for_infinity_stays(functions: Server) -> None:
    body = b'{"signature_name": "text", "instances": ["a \\"Inf\\" b", "Inf"]}'
    answer = requests.post(f"{functions.url}/model:predict", data=body, timeout=30)
    assert [row["text"] for row in answer.json()["predictions"]] == ['A "INF" B', "INF"]


def test_floats_have_the_digits_that_say_them(functions: Server) -> None:
    answer = functions.predict({"signature_name": "positive", "instances": [0.2, 1e-7, 16777215, 3.4e38, 1 / 3]})
    assert answer.json() == {"predictions": [0.2, 1e-07, 16777215.0, 3.4e38, 0.333333343]}
    assert functions.asked("double", instances=[1.0]) == {"predictions": [1 / 3]}


def test_whole_numbers_keep_all_their_digits(functions: Server) -> None:
    greatest = 2**63 - 1
    answer = functions.asked("whole", instances=[{"x": 255, "big": greatest}, {"x": 0, "big": 7}])
    assert answer["predictions"] == [
        {"big": greatest, "unsigned": greatest, "x": 255},
        {"big": 7, "unsigned": 7, "x": 0},
    ]


def test_outputs_without_rows_are_answered_to_columns_alone(functions: Server) -> None:
    assert functions.asked("mean", inputs=[[1, 3]]) == {"outputs": {"count": 1, "mean": 2.0}}
    assert functions.refused("mean", instances=[[1, 3]]) == (
        'the outputs have no common number of rows: "count" [], "mean" []; ask with "inputs" instead of "instances"'
    )


@pytest.mark.parametrize(
    ("signature", "given", "words"),
    [
        (
            "half_plus_two",
            {"instances": ["1"]},
            """instances[0]: expected numbers for input "x" of float32 [1], got '1'""",
        ),
        (
            "half_plus_two",
            {"instances": [True]},
            'instances[0]: expected numbers for input "x" of float32 [1], got True',
        ),
        (
            "half_plus_two",
            {"instances": [1, None]},
            'instances[1]: expected numbers for input "x" of float32 [1], got None',
        ),
        (
            "half_plus_two",
            {"instances": [16777217]},
            "instances[0]: 16777217 cannot be converted to float32 without loss of precision",
        ),
        (
            "half_plus_two",
            {"inputs": {"x": [1e39]}},
            'inputs["x"][0]: 1e+39 cannot be converted to float32 without loss of precision',
        ),
        (
            "half_plus_two",
            {"instances": [[1], [1, 2]]},
            "instances[1]: expected a list of 1, as those before it; got one of 2; "
            'input "x" of float32 [1] is one tensor',
        ),
        (
            "half_plus_two",
            {"instances": [1, [1]]},
            'instances[1]: expected numbers for input "x" of float32 [1], got [1]',
        ),
        (
            "half_plus_two",
            {"instances": [1, {"x": 1}]},
            "instances[1]: expected a value as in instances[0], got {'x': 1}",
        ),
        ("half_plus_two", {"instances": [{"y": 1}]}, """instances[0]: expected an object with "x", got {'y': 1}"""),
        ("half_plus_two", {"instances": []}, '"instances": expected a list with at least one row, got []'),
        ("half_plus_two", {"instances": 1}, '"instances": expected a list with at least one row, got 1'),
        ("mean", {"inputs": [[1, 2, 3]]}, 'inputs: expected shape [?, 2] for input "x" of float32 [?, 2], got [1, 3]'),
        (
            "text",
            {"instances": [1]},
            'instances[0]: expected strings, or bytes as {"b64": "…"} for input "text" of string [?], got 1',
        ),
        ("text", {"instances": [{"b64": "*"}]}, 'instances[0]["b64"]: not base 64: Only base64 data is allowed'),
        (
            "several",
            {"instances": [[1]]},
            'instances[0]: expected an object with "count", "negate", "signal", "tag", got [1]',
        ),
        (
            "several",
            {"inputs": {"tag": ["a"]}},
            '"inputs": expected an object with "count", "negate", "signal", "tag", got "tag"',
        ),
        (
            "several",
            {"inputs": [[1]]},
            '"inputs": expected an object with "count", "negate", "signal", "tag", got [[1]]',
        ),
        (
            "several",
            {"instances": [row(count=1.5)]},
            'instances[0]["count"]: expected whole numbers for input "count" of int32 [?], got 1.5',
        ),
        (
            "several",
            {"instances": [row(), row(negate=0)]},
            'instances[1]["negate"]: expected true or false for input "negate" of bool [?], got 0',
        ),
        (
            "several",
            {"instances": [row(signal=[1, 2])]},
            'instances: expected shape [?, 3] for input "signal" of float32 [?, 3], got [1, 2]',
        ),
        (
            "several",
            {"instances": [row(), row(signal=[1, 2, "3"])]},
            """instances[1]["signal"][2]: expected numbers for input "signal" of float32 [?, 3], got '3'""",
        ),
        (
            "whole",
            {"instances": [{"x": 256, "big": 1}]},
            'instances[0]["x"]: expected 0 to 255 for input "x" of uint8 [?], got 256',
        ),
        ("imaginary", {"instances": [1]}, 'output "z": a tensor of complex64 cannot be written as JSON'),
        (
            "unknown",
            {"instances": [1]},
            '"signature_name": the model has no signature "unknown" to ask; it has ' + SIGNATURES,
        ),
        (
            "__saved_model_init_op",
            {"instances": [1]},
            '"signature_name": the model has no signature "__saved_model_init_op" to ask; it has ' + SIGNATURES,
        ),
        (1, {"instances": [1]}, '"signature_name": expected a string, got 1'),
        ("mean", {}, GIVEN + '"signature_name"'),
        ("mean", {"inputs": 1, "instances": 1}, GIVEN + '"signature_name", "inputs", "instances"'),
    ],
)
def test_what_does_not_fit_the_signature_is_refused_with_what_does(
    functions: Server, signature: str, given: dict[str, Any], words: str
) -> None:
    assert functions.refused(signature, **given) == words


def test_what_the_graph_refuses_is_a_refusal_with_what_the_signature_takes(
    servers: dict[str, Server], functions: Server
) -> None:
    words = functions.refused("positive", instances=[-1])
    assert "x must be positive" in words
    assert words.endswith('; signature "positive" takes "x" of float32 [?]; got "x" of [1]')
    answer = servers["demo"].predict({"instances": [5.9, 2.8, 4.3, 1.3]})
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(
        'signature "serving_default" takes "measures" of float32 [?, 4]; got "measures" of [4]'
    )


def test_a_type_that_has_no_json_is_not_implemented(functions: Server) -> None:
    answer = functions.predict({"signature_name": "half", "instances": [1.0]})
    assert answer.status_code == 501
    assert answer.json() == {"error": 'input "x" of float16 [?]: JSON values cannot be converted to this type'}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "body: not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"{", "body: not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b"[1]", 'body: expected a JSON object with "instances" or "inputs", got [1]'),
        (b'{"instances": ' + b"[" * 100_000, "body: not JSON: "),
        (
            b'{"signature_name": "mean", "inputs": ' + b"[" * 40 + b"]" * 40 + b"}",
            "inputs" + "[0]" * 32 + ": expected numbers",
        ),
        (b"\xff", "body: not JSON: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_body_that_is_no_request_is_refused(functions: Server, body: bytes, words: str) -> None:
    answer = requests.post(f"{functions.url}/model:predict", data=body, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(words)


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        (
            "POST",
            "/v1/models/other:predict",
            404,
            "Servable not found for request: Latest(other); served is version 7 of model",
        ),
        (
            "POST",
            "/v1/models/model/versions/6:predict",
            404,
            "Servable not found for request: Specific(model, 6); served is version 7 of model",
        ),
        (
            "POST",
            "/v1/models/model/labels/stable:predict",
            400,
            "/v1/models/model/labels/stable:predict: a version has no labels here; ",
        ),
        ("POST", "/v1/models/model:classify", 501, ":classify is not served; ask :predict"),
        (
            "POST",
            "/v1/models/model",
            400,
            "Malformed request: POST /v1/models/model; expected POST /v1/models/<name>[/versions/<n>]:predict, ",
        ),
        ("GET", "/v1/models/model:predict", 400, "Malformed request: GET /v1/models/model:predict; "),
        ("GET", "/v1/models/other", 404, "Could not find any versions of model other; this server has model"),
        (
            "GET",
            "/v1/models/other/metadata",
            404,
            "Servable not found for request: Latest(other); served is version 7 of model",
        ),
        ("GET", "/v1/models/model/versions/6", 404, "Could not find version 6 of model model"),
        ("POST", "/v2/models/model/infer", 404, "Malformed request: POST /v2/models/model/infer; "),
        ("GET", "/", 404, "Malformed request: GET /; "),
    ],
)
def test_another_path_is_refused(functions: Server, method: str, path: str, status: int, words: str) -> None:
    url = functions.url.removesuffix("/v1/models") + path
    answer = requests.request(method, url, json={"instances": [row()]} if method == "POST" else None, timeout=30)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(words)


def test_the_state_is_that_of_the_version(functions: Server) -> None:
    state = {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("model", "model/versions/7"):
        assert requests.get(f"{functions.url}/{path}", timeout=30).json() == {"model_version_status": [state]}


def test_the_metadata_are_the_signatures(functions: Server, servers: dict[str, Server]) -> None:
    asked = requests.get(f"{functions.url}/model/versions/7/metadata", timeout=30).json()
    assert asked["model_spec"] == {"name": "model", "signature_name": "", "version": "7"}
    assert set(asked["metadata"]["signature_def"]["signature_def"]) >= {"serving_default", "__saved_model_init_op"}
    asked = requests.get(f"{servers['graph'].url}/model/metadata", timeout=30).json()
    signature = asked["metadata"]["signature_def"]["signature_def"]["serving_default"]
    shape = {"dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}], "unknown_rank": False}
    assert signature == {
        "inputs": {"x": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "x:0"}},
        "outputs": {"y": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "y:0"}},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }


def test_a_signature_that_cannot_be_run_is_refused_and_the_others_are_answered(servers: dict[str, Server]) -> None:
    assert servers["graph"].predict({"instances": [[2.0]]}).json() == {"predictions": [[4.0]]}
    words = '"signature_name": the signature "through" cannot be run: x:0 is both fed and fetched.'
    assert servers["graph"].refused("through", instances=[[2.0]]) == words


def test_many_rows_are_answered_as_few(servers: dict[str, Server], demo: Demo) -> None:
    answer = servers["demo"].predict({"instances": demo.instances * 5000})
    few = servers["demo"].predict({"instances": demo.instances})
    # The last bit depends on where TensorFlow divides the rows among its threads.
    assert answer.json()["predictions"] == pytest.approx(few.json()["predictions"] * 5000, rel=1e-6)
