from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.charts import deploy
from components.charts.deploy import merge_values
from components.platform.context import InstallContext
from releases.types import ChartArchive
from tests.unit.components.recording import Recording, record

CHART = ChartArchive(name="istiod", version="1.0.0", url="http://127.0.0.1:1/never-asked")


def deployed(
    install: InstallContext, *, graceful_shutdown: bool = False, await_deletion: bool = False, hooks: bool = False
) -> Recording:
    def program() -> None:
        retry = pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook("retry", lambda _: False)])
        install.charts.workloads(
            "istiod",
            CHART,
            namespace="istio-system",
            values={"a": 1},
            opts=pulumi.ResourceOptions(),
            graceful_shutdown=graceful_shutdown,
            await_deletion=await_deletion,
            webhook_hooks=retry if hooks else None,
        )
        install.charts.definitions("crds", CHART, namespace="default", values={"b": 2}, opts=pulumi.ResourceOptions())

    return record(program)


def test_a_chart_is_rendered_from_the_downloaded_archive(install: InstallContext) -> None:
    chart = deployed(install).the(":Chart", "istiod").plain
    assert Path(chart["chart"]).is_file()
    assert chart["values"] == {"a": 1}
    arguments = chart["postRenderer"]["args"]
    assert Path(chart["postRenderer"]["command"]).exists()
    assert Path(arguments[0]).name == "postrender.py"
    assert arguments[1:] == ["--namespace", "istio-system"]


def test_graceful_shutdown_is_an_option_of_the_post_renderer(install: InstallContext) -> None:
    args = deployed(install, graceful_shutdown=True).the(":Chart", "istiod").plain["postRenderer"]["args"]
    assert args[-1] == "--graceful-shutdown"


def test_waiting_for_deletion_is_an_option_of_the_post_renderer(install: InstallContext) -> None:
    args = deployed(install, await_deletion=True).the(":Chart", "istiod").plain["postRenderer"]["args"]
    assert args[-1] == "--await-deletion"


def test_definitions_are_one_release_that_pulumi_waits_for(install: InstallContext) -> None:
    release = deployed(install).the(":Release", "crds").plain
    assert Path(release["chart"]).is_file()
    assert release["name"] == "crds"
    assert release["timeout"] > 0
    assert "skipAwait" not in release
    assert release["description"] == "made by kserve-multi-model, stack organization/kserve-multi-model/dev"
    assert (Path(__file__).parents[4] / release["postrender"]).stat().st_mode & 0o111


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
def test_hooks_are_added_to_custom_resources_only(install: InstallContext, type_: str, hooked: bool) -> None:
    (transform,) = deployed(install, hooks=True).the(":Chart", "istiod").transforms
    args = pulumi.ResourceTransformArgs(
        custom=True, type_=type_, name="n", props={"spec": {}}, opts=pulumi.ResourceOptions(retain_on_delete=True)
    )
    result = transform(args)
    assert (result is not None) == hooked
    if result:
        assert result.props == {"spec": {}}
        assert result.opts.retain_on_delete
        assert result.opts.hooks
        assert [hook.name for hook in result.opts.hooks.on_error or []] == ["retry"]


@pytest.mark.parametrize(
    ("error", "locked"),
    [
        ("cannot re-use a name that is still in use", True),
        ("another operation (install/upgrade/rollback) is in progress", True),
        ("timed out waiting for the condition", False),
        ("", False),
    ],
)
def test_a_locked_release_is_unlocked_once(
    install: InstallContext, monkeypatch: pytest.MonkeyPatch, error: str, locked: bool
) -> None:
    unlocked: list[str] = []

    def delete_lost_records(release: str, **where: object) -> bool:
        unlocked.append(f"{release} {where}")
        return True

    monkeypatch.setattr(deploy, "delete_lost_records", delete_lost_records)
    charts = replace(install.charts, kubeconfig=Path("file"), context="here")

    def program() -> None:
        charts.definitions("crds", CHART, namespace="there", values={}, opts=pulumi.ResourceOptions())

    recording = record(program)
    (hook,) = recording.hooks.values()
    inputs = recording.the(":Release", "crds").plain
    create = partial(
        pulumi.ErrorHookArgs, urn="u", id="", name="crds", type="t", failed_operation="create", new_inputs=inputs
    )
    assert hook(create(errors=[error])) is locked
    assert hook(create(errors=[error] * 2)) is False
    where = {"namespace": "there", "mark": charts.mark, "kubeconfig": Path("file"), "context": "here"}
    assert unlocked == ([f"crds {where}"] if locked else [])


values = st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3))
mappings = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@given(mappings, mappings)
def test_merged_values_keep_everything_and_the_later_layer_wins(lower: dict[str, Any], upper: dict[str, Any]) -> None:
    both = merge_values(lower, upper)
    assert both.keys() == lower.keys() | upper.keys()
    for key, value in both.items():
        if isinstance(lower.get(key), dict) and isinstance(upper.get(key), dict):
            assert value == merge_values(lower[key], upper[key])
        else:
            assert value == upper.get(key, lower.get(key))


@given(mappings)
def test_merging_does_not_change_its_arguments(layer: dict[str, Any]) -> None:
    before = json.dumps(layer)
    merge_values(layer, {"a": {"b": 1}})
    assert json.dumps(layer) == before
    assert merge_values(layer) == layer
