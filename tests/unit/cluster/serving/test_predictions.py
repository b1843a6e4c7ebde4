import pytest
import requests

from .conftest import Demo
from .programs import Server

# Model folder -> name in expected.json.
MODELS = {
    "sklearn": "sklearn-model",
    "xgboost": "xgboost-model",
    "xgboost-json": "xgboost-model",
    "lightgbm": "lightgbm-model",
    "onnx": "onnx-model",
}
DATATYPES = {"sklearn": "INT64", "xgboost": "FP32", "xgboost-json": "FP32", "lightgbm": "FP64", "onnx": "INT64"}


def infer(server: Server, *tensors: dict[str, object]) -> requests.Response:
    return requests.post(f"{server.url}/v2/models/model/infer", json={"id": "7", "inputs": tensors}, timeout=10)


def tensor(data: object, *, shape: tuple[int, ...] = (2, 4), datatype: str = "FP64") -> dict[str, object]:
    return {"name": "flowers", "shape": shape, "datatype": datatype, "data": data}


def test_demo_answers_what_is_recorded_in_the_stack(demo: Demo) -> None:
    assert demo.instances == [[6.5, 3.0, 5.5, 2.0], [5.9, 2.8, 4.3, 1.3]]
    assert demo.predictions == {
        "sklearn-model": [1, 0],
        "xgboost-model": pytest.approx([0.8319113, 0.1669796], abs=1e-6),
        "sklearn-model-v2": [0, 1],
        "xgboost-model-v2": pytest.approx([0.0274945, 0.9652202], abs=1e-6),
        "lightgbm-model": pytest.approx([0.8561997, 0.1443187], abs=1e-6),
        "onnx-model": [1, 0],
        "paddle-model": [pytest.approx([0.9610391], abs=1e-6), pytest.approx([0.0330883], abs=1e-6)],
        "pmml-model": [
            {"species": "virginica", "probability": pytest.approx(0.9610391, abs=1e-6)},
            {"species": "versicolor", "probability": pytest.approx(0.0330883, abs=1e-6)},
        ],
    }


@pytest.mark.format("sklearn", "xgboost", "lightgbm", "onnx", server="ours", protocols=["v1"], proof="process")
@pytest.mark.parametrize("folder", MODELS)
def test_v1_answers_what_training_recorded(servers: dict[str, Server], demo: Demo, folder: str) -> None:
    answer = servers[folder].predict(demo.instances)
    assert answer.status_code == 200
    assert answer.json() == {"predictions": pytest.approx(demo.predictions[MODELS[folder]], abs=1e-7)}


@pytest.mark.format("sklearn", "xgboost", "lightgbm", "onnx", server="ours", protocols=["v2"], proof="process")
@pytest.mark.parametrize("folder", MODELS)
@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
def test_v2_answers_what_training_recorded(servers: dict[str, Server], demo: Demo, folder: str, datatype: str) -> None:
    answer = infer(servers[folder], tensor(demo.instances, datatype=datatype)).json()
    (output,) = answer["outputs"]
    assert (answer["model_name"], answer["id"]) == ("model", "7")
    assert output["shape"] == [2]
    assert output["datatype"] == DATATYPES[folder]
    assert output["data"] == pytest.approx(demo.predictions[MODELS[folder]], abs=1e-6)


def test_v2_takes_flat_data(servers: dict[str, Server], demo: Demo) -> None:
    flat = [value for row in demo.instances for value in row]
    (output,) = infer(servers["sklearn"], tensor(flat)).json()["outputs"]
    assert output["data"] == [1, 0]


@pytest.mark.parametrize("server", ["sklearn-proba", "onnx-proba"])
def test_a_classifier_answers_rows_of_probabilities_when_told_to(
    servers: dict[str, Server], demo: Demo, server: str
) -> None:
    rows = servers[server].predict(demo.instances).json()["predictions"]
    assert [sum(row) for row in rows] == pytest.approx([1, 1])
    assert [row.index(max(row)) for row in rows] == [1, 0]
    (output,) = infer(servers[server], tensor(demo.instances)).json()["outputs"]
    assert output["shape"] == [2, 2]


def test_outputs_with_other_numbers_of_classes_are_answered_one_by_one(servers: dict[str, Server], demo: Demo) -> None:
    species, long = servers["two-outputs-proba"].predict(demo.instances).json()["predictions"]
    assert species == [[0, 0, 1], [0, 1, 0]]
    assert long == [[0, 1], [0, 1]]
    refused = infer(servers["two-outputs-proba"], tensor(demo.instances))
    assert refused.status_code == 400
    assert "their shapes are [2, 3], [2, 2]; ask by v1" in refused.json()["error"]


def test_softprob_answers_a_row_of_probabilities(servers: dict[str, Server], demo: Demo) -> None:
    rows = servers["softprob"].predict(demo.instances).json()["predictions"]
    assert [sum(row) for row in rows] == pytest.approx([1, 1], abs=1e-6)
    assert [row.index(max(row)) for row in rows] == [2, 1]


def test_labels_may_be_text(servers: dict[str, Server], demo: Demo) -> None:
    assert servers["names"].predict(demo.instances).json() == {"predictions": ["virginica", "versicolor"]}
    (output,) = infer(servers["names"], tensor(demo.instances)).json()["outputs"]
    assert (output["datatype"], output["data"]) == ("BYTES", ["virginica", "versicolor"])


def test_null_is_a_missing_value(servers: dict[str, Server], demo: Demo) -> None:
    without_petals = [[length, width, None, None] for length, width, *_ in demo.instances]
    answer = servers["xgboost"].predict(without_petals)
    assert answer.status_code == 200
    assert answer.json()["predictions"] != pytest.approx(demo.predictions["xgboost-model"], abs=1e-3)
    (output,) = infer(servers["xgboost"], tensor(without_petals)).json()["outputs"]
    assert output["data"] == answer.json()["predictions"]


def test_metadata_gives_the_number_of_features(servers: dict[str, Server]) -> None:
    metadata = requests.get(f"{servers['xgboost'].url}/v2/models/model", timeout=10).json()
    assert metadata["inputs"] == [{"name": "input-0", "datatype": "FP64", "shape": [-1, 4]}]


GOOD_ROW = [6.5, 3.0, 5.5, 2.0]
BAD_V1_BODIES = [
    ('{"instances": [[1, 2]]}', "instances[0]: expected 4 features, got 2"),
    ('{"instances": [[1, 2, 3, 4, 5]]}', "instances[0]: expected 4 features, got 5"),
    ('{"instances": [[1, 2, 3, 4], [1, 2, 3]]}', "instances[1]: expected 4 features, got 3"),
    ('{"instances": [[1, 2, 3, 4], []]}', "instances[1]: expected 4 features, got 0"),
    ('{"instances": [[1, 2, 3, "4"]]}', "instances[0][3]: expected rows of 4 numbers, got '4'"),
    ('{"instances": [[1, 2, 3, [4]]]}', "instances[0][3]: expected rows of 4 numbers, got [4]"),
    ('{"instances": [1, 2, 3, 4]}', "instances[0]: expected rows of 4 numbers, got 1"),
    ('{"instances": [{"petal": 1}]}', "instances[0]: expected rows of 4 numbers, got {'petal': 1}"),
    ('{"instances": "flowers"}', "instances: expected rows of 4 numbers, got 'flowers'"),
    ('{"instances": []}', '"instances": expected at least one row of 4 numbers, got none'),
    ('{"instance": [[1, 2, 3, 4]]}', '"instances": missing, expected a list of rows of 4 numbers; got "instance"'),
    ("{}", '"instances": missing, expected a list of rows of 4 numbers; got an empty object'),
    ("[[1, 2, 3, 4]]", 'body: expected a JSON object with "instances", got [[1, 2, 3, 4]]'),
    ("5", 'body: expected a JSON object with "instances", got 5'),
    ('{"instances": [[1, 2', "Unrecognized request format"),
    ("", "Unrecognized request format"),
]


@pytest.mark.parametrize("folder", ["sklearn", "xgboost", "lightgbm", "onnx"])
@pytest.mark.parametrize(("body", "message"), BAD_V1_BODIES)
def test_v1_refuses(servers: dict[str, Server], folder: str, body: str, message: str) -> None:
    answer = requests.post(
        f"{servers[folder].url}/v1/models/model:predict",
        data=body,
        headers={"Content-Type": "application/json"},
        timeout=10,
    )
    assert answer.json()["error"].startswith(message)
    assert answer.status_code == 400


@pytest.mark.parametrize("folder", ["sklearn", "xgboost", "lightgbm", "onnx"])
@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([tensor([[1, 2]], shape=(1, 2))], "expected one numeric tensor of shape [rows, 4], got shape [1, 2]"),
        ([tensor([1, 2, 3, 4], shape=(4,))], "expected one numeric tensor of shape [rows, 4], got shape [4]"),
        ([tensor([], shape=(0, 2))], "expected one numeric tensor of shape [rows, 4], got shape [0, 2]"),
        ([tensor([GOOD_ROW], shape=(2, 4))], "cannot reshape array of size 4 into shape (2,4)"),
        ([tensor([GOOD_ROW, [1, 2]])], "inhomogeneous"),
        ([tensor([["1", "2", "3", "4"]], shape=(1, 4))], "datatype FP64 with values that are not numbers"),
        ([tensor([["a", "b", "c", "d"]], shape=(1, 4), datatype="BYTES")], "datatype BYTES with values that are not"),
        ([tensor([[1, 2, None, "4"]], shape=(1, 4))], "datatype FP64 with values that are not numbers"),
        ([tensor([GOOD_ROW], shape=(1, 4), datatype="NUMBER")], "datatype NUMBER: invalid datatype"),
        ([], "expected one numeric tensor of shape [rows, 4], got 0 tensors"),
        ([tensor([GOOD_ROW], shape=(1, 4))] * 2, "expected one numeric tensor of shape [rows, 4], got 2 tensors"),
        ([{"name": "flowers"}], "Field required"),
    ],
)
def test_v2_refuses(servers: dict[str, Server], folder: str, tensors: list[dict[str, object]], message: str) -> None:
    answer = infer(servers[folder], *tensors)
    assert message in answer.json()["error"]
    assert answer.status_code == 400


def test_v2_without_rows_is_left_to_the_model(servers: dict[str, Server]) -> None:
    """As upstream's servers do: XGBoost, LightGBM and ONNX answer nothing, scikit-learn refuses it."""
    columns = [tensor([], shape=(0,)) | {"name": name} for name in "abcd"]
    for folder in ("xgboost", "lightgbm", "onnx"):
        for body in ({"inputs": [tensor([], shape=(0, 4))]}, {"inputs": columns, "parameters": {"content_type": "pd"}}):
            answer = requests.post(f"{servers[folder].url}/v2/models/model/infer", json=body, timeout=10)
            (output,) = answer.json()["outputs"]
            assert (output["shape"], output["datatype"], output["data"]) == ([0], DATATYPES[folder], [])
    refused = infer(servers["sklearn"], tensor([], shape=(0, 4)))
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("the model does not take these values: Found array with 0 sample(s)")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("v1/models/model:predict", "application/x-www-form-urlencoded"),
        ("v1/models/model:predict", "text/plain"),
        ("v2/models/model/infer", "application/x-www-form-urlencoded"),
        ("v2/models/model/infer", "text/plain"),
        ("v2/models/model/infer", None),
    ],
)
def test_other_content_types_are_refused(servers: dict[str, Server], path: str, content_type: str | None) -> None:
    body = '{"instances": [[6.5, 3.0, 5.5, 2.0]], "inputs": []}'
    headers = {"Content-Type": content_type} if content_type else {}
    answer = requests.post(f"{servers['sklearn'].url}/{path}", data=body.encode(), headers=headers, timeout=10)
    assert answer.json()["error"]
    assert answer.status_code == 400


def test_v1_names_the_content_type(servers: dict[str, Server]) -> None:
    url = f"{servers['sklearn'].url}/v1/models/model:predict"
    body = b'{"instances": [[6.5, 3.0, 5.5, 2.0]]}'
    answer = requests.post(url, data=body, headers={"Content-Type": "text/plain"}, timeout=10)
    assert answer.json() == {"error": "Content-Type: expected application/json, got text/plain"}


def test_v1_without_a_content_type_is_json_as_kserves_batcher_sends_it(servers: dict[str, Server]) -> None:
    url = f"{servers['sklearn'].url}/v1/models/model:predict"
    answer = requests.post(url, data=b'{"instances": [[6.5, 3.0, 5.5, 2.0]]}', timeout=10)
    assert answer.json() == {"predictions": [1]}


def test_json_may_have_a_charset(servers: dict[str, Server]) -> None:
    url = f"{servers['sklearn'].url}/v1/models/model:predict"
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = requests.post(url, data=b'{"instances": [[6.5, 3.0, 5.5, 2.0]]}', headers=headers, timeout=10)
    assert answer.json() == {"predictions": [1]}
    broken = requests.post(url, data=b'{"instances": [[6.5', headers=headers, timeout=10)
    assert broken.json()["error"].startswith("body: not JSON: ")
    assert broken.status_code == 400


def test_values_the_model_does_not_take_are_refused(servers: dict[str, Server]) -> None:
    answer = servers["sklearn"].predict([[6.5, 3.0, 5.5, None]])
    assert answer.json() == {"error": "the model does not take these values: Input X contains NaN."}
    assert answer.status_code == 400


def test_another_model_is_not_found(servers: dict[str, Server]) -> None:
    answer = requests.get(f"{servers['sklearn'].url}/v1/models/other", timeout=10)
    assert answer.status_code == 404
    assert answer.json() == {"error": "Model with name other does not exist."}
