"""Settings of models: formats, versions and protocols without a serving runtime."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings.errors import SettingsError
from components.settings.stack import parse
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import Release
from tests.unit.components.settings.stack_settings import problems, settings, sklearn, the_problem


@pytest.mark.parametrize(
    ("release", "settings", "message"),
    [
        (
            OFFICIAL_0_20,
            {"format": "mlflow"},
            "'mlflow' with protocol v1 has no serving runtime in release \"0.20\"; it has",
        ),
        (OFFICIAL_0_20, {"format": "mlflow", "protocol": "grpc-v2"}, "mlflow 1 (v2), mlflow 2 (v2)"),
        (OFFICIAL_0_20, {"format": "tensorrt", "version": "7", "protocol": "v2"}, "tensorrt 8 (v2, grpc-v2)"),
        (OFFICIAL_0_20, {"format": "vLLM"}, "'vLLM' with protocol v1 has no serving runtime"),
        (OFFICIAL_0_20, {"format": "vLLM"}, "vLLM 1 (openai)"),
        (
            LOCAL,
            {"format": "huggingface"},
            "it has sklearn 1 (v1, v2, grpc-v2), xgboost 2 (v1, v2, grpc-v2), lightgbm 4 (v1, v2, ",
        ),
    ],
)
@pytest.mark.feature("a format, version or protocol without a runtime", mode="both", proof="refused")
def test_a_model_that_no_runtime_serves_is_refused_with_what_they_serve(
    release: Release, settings: dict[str, Any], message: str
) -> None:
    model = {"name": "iris", "storage_uri": "s3://models/iris", **settings}
    mirror = {"charts": "oci://registry.example/charts", "images": "registry.example"}
    with pytest.raises(SettingsError) as refused:
        parse({"release": release.name, "mirror": mirror, "models": [model]})
    assert message in str(refused.value)
    assert "models[0].format" in str(refused.value)


def test_a_server_of_the_local_cluster_needs_its_mirror() -> None:
    """Where KServe is there already, nothing else asks for the mirror, and the pods would wait for the image."""
    mirror = {"charts": "oci://localhost:5001/charts", "images": "localhost:5001", "plain_http": True}
    model = sklearn("iris") | {"format": "tensorflow"}
    document = settings(model, release="local", platform={"existing": "all"})
    assert the_problem(document) == (
        "models[0].format: needs `mirror`: the image of its server, kserve-multi-model/tfserving, is in the local "
        "cluster's registry only"
    )
    assert problems(document | {"mirror": mirror}) == ()
    assert problems(document | {"release": "0.20"}) == ()
    assert problems(document | {"models": [sklearn("iris")]}) == ()
