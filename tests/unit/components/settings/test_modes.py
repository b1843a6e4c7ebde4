"""Settings in KServe's two modes, and which part of the platform a mode needs."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings.errors import SettingsError
from components.settings.stack import Settings, parse

REFUSED = [
    ("Standard", {"replicas": {"min": 0}}, "replicas: min 0 needs mode Knative: in mode Standard nothing scales"),
    (
        "Standard",
        {"concurrency": 4},
        "concurrency: needs mode Knative: in mode Standard nothing limits the requests at a time",
    ),
    ("Standard", {"canary": {"traffic": 20}}, "canary: needs mode Knative: in mode Standard KServe does not split req"),
    (
        "Standard",
        {"labels": {"app": "iris"}},
        "labels: app is reserved for KServe in mode Standard: it selects the pod",
    ),
    ("Standard", {"scale": {"window": 30}}, "scale: window needs mode Knative: in mode Standard the cluster decides"),
    (
        "Standard",
        {"scale": {"target_utilization_percentage": 80}},
        "scale: target_utilization_percentage needs mode Knative: in mode Standard",
    ),
    (
        "Standard",
        {"scale": {"initial_scale": 1}},
        "scale: initial_scale needs mode Knative: in mode Standard the clust",
    ),
    (
        "Standard",
        {"scale": {"scale_to_zero_pod_retention_period": 60}},
        "scale: scale_to_zero_pod_retention_period needs mode Knative: in mode",
    ),
    ("Knative", {"scale": {"initial_scale": 2}}, "scale: initial_scale 2 is more than replicas.max, 1; lower it, or r"),
    (
        "Knative",
        {"scale": {"scale_to_zero_pod_retention_period": 60}},
        "scale: scale_to_zero_pod_retention_period has no effect: with replicas.min 1 nothing scales to zero",
    ),
    ("Standard", {"scale": {"metric": "rps"}}, "scale: metric rps needs mode Knative; in mode Standard it is cpu or "),
    (
        "Standard",
        {"scale": {"metric": "concurrency"}},
        "scale: metric concurrency needs mode Knative; in mode Standard",
    ),
    ("Standard", {"scale": {"target": 101}}, "scale: target 101 is more than 100: in mode Standard it is per cent of"),
    (
        "Standard",
        {"scale": {"metric": "memory"}},
        "scale: target is missing: metric memory has no default; give a per cent",
    ),
    ("Standard", {"scale": {"metric": "cpu"}}, "scale: has no effect: replicas.min and replicas.max are both 1; raise"),
    (
        "Standard",
        {"scale": {"target": 50}},
        "scale: has no effect: replicas.min and replicas.max are both 1; raise max",
    ),
    (
        "Knative",
        {"scale": {"metric": "cpu"}},
        "scale: metric cpu needs mode Standard; in mode Knative it is concurrenc",
    ),
    (
        "Knative",
        {"scale": {"metric": "memory", "target": 50}},
        "scale: metric memory needs mode Standard; in mode Knat",
    ),
]


def stack(*models: dict[str, Any], **settings: Any) -> Settings:
    mirror = {"charts": "oci://registry.example/charts", "images": "registry.example"}
    listed = [
        {"name": f"model-{i}", "format": "sklearn", "storage_uri": "s3://models/m", **model}
        for i, model in enumerate(models)
    ]
    return parse({"release": "local", "mirror": mirror, "models": listed, **settings})


@pytest.mark.feature("scale to zero", mode="Standard", proof="refused")
@pytest.mark.feature("a limit of requests at a time", mode="Standard", proof="refused")
@pytest.mark.feature("canary", mode="Standard", proof="refused")
@pytest.mark.feature("scaling by requests", mode="Standard", proof="refused")
@pytest.mark.feature("scaling by cpu or memory", mode="Knative", proof="refused")
@pytest.mark.parametrize(("mode", "model", "problem"), REFUSED, ids=[problem[:40] for *_, problem in REFUSED])
@pytest.mark.parametrize("set_by", ["the model", "the stack"])
def test_settings_that_a_mode_ignores_are_refused(mode: str, model: dict[str, Any], problem: str, set_by: str) -> None:
    with pytest.raises(SettingsError) as refused:
        _ = stack({"mode": mode, **model}) if set_by == "the model" else stack(model, mode=mode)
    (found,) = refused.value.problems
    assert found.startswith(f"models[0].{problem}")


@pytest.mark.parametrize("key", ["serving.kserve.io/deploymentMode", "serving.kserve.io/autoscalerClass"])
def test_annotations_that_set_a_mode_are_refused(key: str) -> None:
    with pytest.raises(SettingsError, match=f"{key} is reserved for KServe; use "):
        stack({"annotations": {key: "Standard"}})


def test_a_model_without_a_mode_has_the_mode_of_the_stack() -> None:
    assert [model.mode for model in stack({}, {"mode": "Standard"}).models] == ["Knative", "Standard"]
    assert [model.mode for model in stack({}, {"mode": "Knative"}, mode="Standard").models] == ["Standard", "Knative"]


def test_an_unknown_mode_of_the_stack_is_one_problem() -> None:
    with pytest.raises(SettingsError) as refused:
        stack({}, mode="Serverless")
    assert refused.value.problems == ("mode: must be 'Knative' or 'Standard'",)


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        (stack(), True),
        (stack(mode="Standard"), False),
        (stack({}), True),
        (stack({}, mode="Standard"), False),
        (stack({"mode": "Standard"}), False),
        (stack({"mode": "Standard"}, {"mode": "Knative"}, mode="Standard"), True),
    ],
)
def test_the_platform_has_knative_when_a_model_may_need_it(settings: Settings, *, needs: bool) -> None:
    assert settings.needs_knative is needs


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        (stack({"replicas": {"max": 2}}), False),
        (stack({}, mode="Standard"), False),
        (stack({"replicas": {"max": 2}}, mode="Standard"), True),
    ],
)
def test_only_scaled_deployments_need_metrics(settings: Settings, *, needs: bool) -> None:
    assert settings.needs_metrics is needs
