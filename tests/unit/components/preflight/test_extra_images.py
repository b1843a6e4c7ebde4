"""Images that are built on demand: a stack is refused at preview while the registry lacks one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from components.preflight.extra_images import require_extra_images
from components.settings.errors import SettingsError
from components.settings.stack import Settings, parse
from releases.local import LOCAL
from tests.unit.predict.server import Reply, serving

ONNX = {"name": "a", "format": "onnx", "storage_uri": "gs://models/a"}
SKLEARN = ONNX | {"format": "sklearn"}
MLFLOW = {"format": "mlflow", "protocol": "v2"}
TENSORFLOW = {"format": "tensorflow", "protocol": "v1"}
PYTORCH = {"format": "pytorch", "protocol": "v1"}


def settings(address: str, **sections: Any) -> Settings:
    mirror = {"charts": f"oci://{address}/charts", "images": "localhost:5000", "plain_http": True}
    return parse({"release": "local", "mirror": mirror} | sections)


@contextmanager
def registry(*there: str) -> Iterator[str]:
    """A registry with these images; gives its address."""
    with serving() as server:
        address = server.address.removeprefix("http://")
        server.on(address, "GET /v2/")
        for name in there:
            server.on(address, f"GET /v2/{name}/tags/list", Reply({"name": name, "tags": ["v1"]}))
        yield address


@pytest.mark.parametrize(
    ("sections", "place", "image", "extra"),
    [
        ({"models": [SKLEARN | {"name": "b"}, ONNX]}, "models[1].format", "kserve/onnxserver", "onnx"),
        ({"models": [ONNX | {"format": "lightgbm"}]}, "models[0].format", "kserve/lgbserver", "lightgbm"),
        ({"models": [ONNX | MLFLOW]}, "models[0].format", "seldonio/mlserver", "mlflow"),
        ({"models": [ONNX | {"format": "pmml"}]}, "models[0].format", "kserve/pmmlserver", "pmml"),
        ({"models": [ONNX | TENSORFLOW]}, "models[0].format", "kserve-multi-model/tfserving", "tensorflow"),
        ({"models": [ONNX | PYTORCH]}, "models[0].format", "pytorch/torchserve-kfs", "pytorch"),
        (
            {"monitoring": True},
            "monitoring",
            "prometheus/prometheus, kube-state-metrics/kube-state-metrics",
            "monitoring",
        ),
        (
            {"models": [SKLEARN | {"transformer": {"image": "localhost:5000/examples/named-fields:v1"}}]},
            "models[0].transformer.image",
            "examples/named-fields",
            "examples",
        ),
        (
            {"models": [SKLEARN | {"canary": {"traffic": 50, "bandit": {}}}]},
            "models[0].canary.bandit",
            "kserve-multi-model/bandit",
            "bandit",
        ),
    ],
)
def test_missing_images_are_refused_with_the_command_that_builds_them(
    sections: dict[str, Any], place: str, image: str, extra: str
) -> None:
    with registry() as address, pytest.raises(SettingsError) as refused:
        require_extra_images(settings(address, **sections))
    problem = f"{place}: the registry of mirror.charts does not have {image} yet. For the local cluster: "
    assert problem + f"python -m cluster add {extra}" in str(refused.value)
    with registry(*LOCAL.on_demand) as address:
        require_extra_images(settings(address, **sections))


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "foo://x"])
def test_registry_is_asked_directly_where_the_environment_has_an_unknown_kind_of_proxy(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with registry(*LOCAL.on_demand) as address:
        require_extra_images(settings(address, models=[ONNX]))


def test_registry_is_not_asked_for_images_of_every_platform() -> None:
    require_extra_images(settings("127.0.0.1:1", models=[SKLEARN]))


def test_registry_that_does_not_answer_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"mirror\.charts: oci://127\.0\.0\.1:1/charts does not answer"):
        require_extra_images(settings("127.0.0.1:1", models=[ONNX]))


def test_official_release_has_no_images_on_demand() -> None:
    require_extra_images(parse({"release": "0.20", "models": [ONNX | {"format": "lightgbm"}], "monitoring": True}))
