"""The outcome of a check in words; tests/unit/locales checks the texts themselves."""

import pytest

from locales.language import load
from predict.words import display_name


@pytest.mark.parametrize(
    ("model", "shown"),
    [("sklearn-model", "Sklearn"), ("xgboost-model", "XGBoost"), ("iris-v2", "Iris V2"), ("onnx", "ONNX")],
)
def test_display_name(model: str, shown: str) -> None:
    assert display_name(model) == shown


def test_a_failed_check_in_chinese() -> None:
    said = load("zh").text("failed", name="sklearn-model", display="Sklearn", waited=1.5, cause="…")
    assert said == "Sklearn 模型未通过核对（1.5 秒）: …"
