from typing import Any

import pytest
from pydantic import JsonValue, ValidationError

from endpoints.endpoint import parse_endpoints
from tests.unit.predict.conftest import described

GATEWAY = "http://198.19.0.2:31080"


def test_the_map_and_the_whole_outputs_read_alike() -> None:
    endpoints: JsonValue = {"sklearn-model": described(GATEWAY)}
    read = parse_endpoints(endpoints)
    assert parse_endpoints({"endpoints": endpoints, "gateway": {"address": GATEWAY}}) == read
    assert read["sklearn-model"].check is not None
    assert read["sklearn-model"].check.expected == [1, 0]


def test_a_model_may_be_called_endpoints() -> None:
    assert list(parse_endpoints({"endpoints": described(GATEWAY, "endpoints")})) == ["endpoints"]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        (
            {"protocol": "grpc"},
            "sklearn-model.protocol",
            "Input should be 'v1', 'v2', 'grpc-v2', 'openai' or 'graph'",
        ),
        ({"gateway_address": "198.19.0.2:31080"}, "sklearn-model.gateway_address", "should match pattern"),
        ({"gateway_address": "http://198.19.0.2/x"}, "sklearn-model.gateway_address", "should match pattern"),
        ({"predict_path": "v1/models/m:predict"}, "sklearn-model.predict_path", "should match pattern"),
        ({"host": ""}, "sklearn-model.host", "at least 1 character"),
        ({"chekc": None}, "sklearn-model.chekc", "Extra inputs are not permitted"),
        ({"check": {"instances": [], "predictions": [1]}}, "sklearn-model.check.instances", "at least 1 item"),
        ({"check": {"instances": [1], "predictions": 1}}, "sklearn-model.check.predictions", "valid list"),
        (
            {"check": {"instances": [1], "predictions": [1], "tolerance": -1}},
            "sklearn-model.check.tolerance",
            "greater than or equal to 0",
        ),
        (
            {"protocol": "v2", "check": {"instances": [[1, 2], [3]], "predictions": [1]}},
            "sklearn-model",
            "one FP64 tensor",
        ),
        ({"protocol": "v2", "check": {"instances": [["a"]], "predictions": [1]}}, "sklearn-model", "numbers only"),
        ({"name": "other-model"}, "", "the endpoint under 'sklearn-model' has the name 'other-model'"),
    ],
)
def test_bad_fields_are_named(changes: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        parse_endpoints({"sklearn-model": {**described(GATEWAY), **changes}})
    errors = {".".join(map(str, error["loc"])): error["msg"] for error in refused.value.errors()}
    assert message in errors[field]


def test_a_missing_field_is_named() -> None:
    incomplete = described(GATEWAY)
    del incomplete["host"]
    with pytest.raises(ValidationError, match=r"sklearn-model\.host\n\s+Field required"):
        parse_endpoints({"sklearn-model": incomplete})


@pytest.mark.parametrize("document", [{}, {"endpoints": {}}])
def test_a_stack_may_have_no_models(document: Any) -> None:
    assert parse_endpoints(document) == {}


@pytest.mark.parametrize("document", [[], "endpoints", None])
def test_no_endpoints_at_all(document: Any) -> None:
    with pytest.raises(ValidationError):
        parse_endpoints(document)
