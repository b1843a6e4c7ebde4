from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.charts import helm_records
from components.charts.deploy import Charts, merged
from components.platform.context import Supply
from releases.types import ChartArchive
from tests.unit.components.recording import Recording, record

CHART = ChartArchive(name="istiod", version="1.0.0", url="http://127.0.0.1:1/never-asked")


def deployed(supply: Supply, *, drains: bool = False, end_awaited: bool = False, hooks: bool = False) -> Recording:
    def program() -> None:
        patience = pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook("patience", lambda _: False)])
        supply.charts.workloads(
            "istiod",
            CHART,
            namespace="istio-system",
            values={"a": 1},
            opts=pulumi.ResourceOptions(),
            drains=drains,
            end_awaited=end_awaited,
            webhook_hooks=patience if hooks else None,
        )
        supply.charts.definitions("crds", CHART, namespace="default", values={"b": 2}, opts=pulumi.ResourceOptions())

    return record(program)


def test_a_chart_is_rendered_from_the_fetched_archive(supply: Supply) -> None:
    chart = deployed(supply).the(":Chart", "istiod").plain
    assert Path(chart["chart"]).is_file()
    assert chart["values"] == {"a": 1}
    arguments = chart["postRenderer"]["args"]
    assert Path(chart["postRenderer"]["command"]).exists()
    assert Path(arguments[0]).name == "postrender.py"
    assert arguments[1:] == ["--namespace", "istio-system"]


def test_a_gateway_drains(supply: Supply) -> None:
    assert deployed(supply, drains=True).the(":Chart", "istiod").plain["postRenderer"]["args"][-1] == "--drains"


def test_the_end_of_a_charts_pods_is_waited_for(supply: Supply) -> None:
    args = deployed(supply, end_awaited=True).the(":Chart", "istiod").plain["postRenderer"]["args"]
    assert args[-1] == "--end-awaited"


def test_definitions_are_one_resource_that_is_waited_for(supply: Supply) -> None:
    release = deployed(supply).the(":Release", "crds").plain
    assert Path(release["chart"]).is_file()
    assert release["name"] == "crds"
    assert release["timeout"] > 0
    assert "skipAwait" not in release
    assert (Path(__file__).parents[3] / release["postrender"]).stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("type_", "hooked"),
    [
        ("kubernetes:networking.istio.io/v1:Gateway", True),
        ("kubernetes:serving.kserve.io/v1alpha1:ClusterServingRuntime", True),
        ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", False),
        ("kubernetes:apps/v1:Deployment", False),
        ("kubernetes:core/v1:Secret", False),
    ],
)
def test_hooks_reach_what_webhooks_look_at(supply: Supply, type_: str, hooked: bool) -> None:
    (transform,) = deployed(supply, hooks=True).the(":Chart", "istiod").transforms
    args = pulumi.ResourceTransformArgs(
        custom=True, type_=type_, name="n", props={"spec": {}}, opts=pulumi.ResourceOptions(retain_on_delete=True)
    )
    result = transform(args)
    assert (result is not None) == hooked
    if result:
        assert result.props == {"spec": {}}
        assert result.opts.retain_on_delete
        assert result.opts.hooks
        assert [hook.name for hook in result.opts.hooks.on_error or []] == ["patience"]


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        ("cannot re-use a name that is still in use", True),
        ("another operation (install/upgrade/rollback) is in progress", True),
        ("timed out waiting for the condition", False),
        ("", False),
    ],
)
def test_a_locked_release_is_freed_once(
    supply: Supply, monkeypatch: pytest.MonkeyPatch, error: str, asked: bool
) -> None:
    freed: list[str] = []

    def delete_lost_records(release: str, **where: object) -> bool:
        freed.append(f"{release} {where}")
        return True

    monkeypatch.setattr(helm_records, "delete_lost_records", delete_lost_records)
    charts = Charts(store=supply.charts.store, kubeconfig=Path("file"), context="here")

    def program() -> None:
        charts.definitions("crds", CHART, namespace="there", values={}, opts=pulumi.ResourceOptions())

    recording = record(program)
    (hook,) = recording.hooks.values()
    inputs = recording.the(":Release", "crds").plain
    create = partial(
        pulumi.ErrorHookArgs, urn="u", id="", name="crds", type="t", failed_operation="create", new_inputs=inputs
    )
    assert hook(create(errors=[error])) is asked
    assert hook(create(errors=[error] * 2)) is False
    where = {"namespace": "there", "ours": inputs["description"], "kubeconfig": Path("file"), "context": "here"}
    assert freed == ([f"crds {where}"] if asked else [])


values = st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3))
mappings = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@given(mappings, mappings)
def test_of_two_layers_the_later_wins_and_nothing_is_lost(lower: dict[str, Any], upper: dict[str, Any]) -> None:
    both = merged(lower, upper)
    assert both.keys() == lower.keys() | upper.keys()
    for key, value in both.items():
        if isinstance(lower.get(key), dict) and isinstance(upper.get(key), dict):
            assert value == merged(lower[key], upper[key])
        else:
            assert value == upper.get(key, lower.get(key))


@given(mappings)
def test_layers_stay_as_they_are(layer: dict[str, Any]) -> None:
    before = json.dumps(layer)
    merged(layer, {"a": {"b": 1}})
    assert json.dumps(layer) == before
    assert merged(layer) == layer
