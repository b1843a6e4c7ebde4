"""What Knative has to accept in the pods of models, and on whose platform."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings.stack import parse
from tests.unit.components.settings.stack_settings import problems, settings, sklearn

CLAIM = {"name": "data", "mount_path": "/data", "persistent_volume_claim": "data"}
NEEDS: list[tuple[dict[str, Any], str, list[str]]] = [
    (
        {"affinity": {"node_affinity": {"required": [{"key": "a", "operator": "Exists"}]}}},
        "affinity",
        ["podspec-affinity"],
    ),
    ({"topology_spread": [{"topology_key": "zone"}]}, "topology_spread", ["podspec-topologyspreadconstraints"]),
    ({"priority_class": "urgent"}, "priority_class", ["podspec-priorityclassname"]),
    ({"volumes": [{**CLAIM, "read_only": True}]}, "volumes", ["podspec-persistent-volume-claim"]),
    ({"volumes": [CLAIM]}, "volumes", ["podspec-persistent-volume-claim", "podspec-persistent-volume-write"]),
]
ids = ["affinity", "spread", "priority", "claim", "written claim"]


@pytest.mark.parametrize(("model", "field", "features"), NEEDS, ids=ids)
def test_features_of_the_stacks_own_models_are_enabled(model: dict[str, Any], field: str, features: list[str]) -> None:
    del field
    assert [*parse(settings(sklearn("iris", **model))).pod_features] == features
    inside = sklearn("iris", transformer={"image": "a", **model})
    assert [*parse(settings(inside)).pod_features] == features
    assert parse(settings(sklearn("iris", mode="Standard", **model))).pod_features == ()


@pytest.mark.parametrize(("model", "field", "features"), NEEDS, ids=ids)
def test_a_model_on_another_platform_needs_its_features_there(
    model: dict[str, Any], field: str, features: list[str]
) -> None:
    on_platform = settings(sklearn("plain"), sklearn("iris", **model), platform="base")
    (problem,) = problems(on_platform)
    needed = " and ".join(features)
    assert problem.startswith(f"models[1].{field}: needs {needed}, which the platform's Knative may not have enabled; ")
    assert "knative.pod_features of stack 'base'" in problem
    assert problems({**on_platform, "knative": {"pod_features": features}}) == ()


@pytest.mark.parametrize(
    ("existing", "refused"), [("all", True), (["knative", "istio"], True), (["istio"], False), ("auto", False)]
)
def test_a_knative_that_is_there_already_must_have_the_features(existing: Any, *, refused: bool) -> None:
    there = settings(sklearn("iris", priority_class="urgent"), platform={"existing": existing})
    found = [problem for problem in problems(there) if problem.startswith("models[0].priority_class: ")]
    assert bool(found) == refused
    assert all("config-features" in problem for problem in found)
    there["knative"] = {"pod_features": ["podspec-priorityclassname"]}
    assert not [problem for problem in problems(there) if problem.startswith("models[0]")]


def test_the_platforms_output_has_all_that_is_enabled() -> None:
    knative = {"pod_features": ["podspec-affinity"], "registries_skipping_tag_resolving": ["registry.example:5000"]}
    stack = parse(settings(sklearn("iris", priority_class="urgent"), knative=knative))
    assert stack.shared["knative"] == {
        "pod_features": ["podspec-affinity", "podspec-priorityclassname"],
        "registries_skipping_tag_resolving": ["registry.example:5000"],
    }
    assert "knative" not in parse(settings(sklearn("iris"))).shared


@pytest.mark.parametrize(
    ("knative", "problem"),
    [
        ({"pod_features": ["affinity"]}, "knative.pod_features[0]: must be 'podspec-affinity'"),
        (
            {"registries_skipping_tag_resolving": ["https://a/b"]},
            "knative.registries_skipping_tag_resolving[0]: 'https://a/b' is not a valid registry: write its host",
        ),
    ],
)
def test_wrong_settings_of_knative_are_refused(knative: dict[str, Any], problem: str) -> None:
    (found,) = problems(settings(knative=knative))
    assert found.startswith(problem)
