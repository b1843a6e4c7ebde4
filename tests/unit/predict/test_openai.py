"""OpenAI's completions, as vLLM serves them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.predict.conftest import check, endpoint
from tests.unit.predict.server import Reply, Server

HOST = "sklearn-model.default.example.com"
PROMPTS = ["1, 2,", "a, b,"]


def answered(gateway: Server, answer: Any) -> Any:
    gateway.on(HOST, "GET /v1/models", Reply({"object": "list", "data": [{"id": "sklearn-model"}]}))
    gateway.on(HOST, "POST /v1/completions", Reply(answer))
    return check(
        endpoint(
            gateway,
            protocol="openai",
            metadata_path="/v1/models",
            predict_path="/v1/completions",
            check={"instances": PROMPTS, "predictions": [" 3", " c"]},
        )
    )


def test_texts_are_compared(gateway: Server) -> None:
    assert answered(gateway, {"choices": [{"text": " 3"}, {"text": " c"}]}).verdict == "ok"
    assert gateway.requests[-1].body == {"model": "sklearn-model", "prompt": PROMPTS, "temperature": 0}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"choices": [{"text": " 3"}, {"text": " d"}]}, "wrong-value"),
        ({"choices": "none"}, "error-in-answer"),
        ({"choices": [{}, {}]}, "error-in-answer"),
        ({"id": "1"}, "error-in-answer"),
    ],
    ids=str,
)
def test_other_answers(gateway: Server, answer: Any, verdict: str) -> None:
    assert answered(gateway, answer).verdict == verdict
