"""The one place that deploys charts: where they come from, what is waited for, what a destroy takes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.charts.sources import ChartStore
from releases.types import Source

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
RELEASE_TIMEOUT = 600
# What Helm's records of our releases say, so that they can be told from other people's.
DESCRIPTION = "made by kserve-multi-model"
# What Helm says of a release whose last operation was killed.
LOCKED = re.compile(r"cannot re-use a name that is still in use|another operation .* is in progress")

# Nobody reads a chart's objects here; without this the SDK fetches each of them back from the engine.
os.environ.setdefault("PULUMI_DISABLE_RESOURCE_REFERENCES", "true")


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Chart values laid over each other, mapping by mapping; the later one wins."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            both = isinstance(value, Mapping) and isinstance(below, Mapping)
            result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


@dataclass(frozen=True, kw_only=True)
class Charts:
    """Deploys charts to one cluster; `kubeconfig` and `context` as in the settings."""

    store: ChartStore
    kubeconfig: Path | None = None
    context: str | None = None

    def workloads(
        self,
        name: str,
        source: Source,
        *,
        namespace: pulumi.Input[str],
        values: Mapping[str, Any],
        opts: pulumi.ResourceOptions,
        drains: bool = False,
        end_awaited: bool = False,
        without: Sequence[str] = (),
        webhook_hooks: pulumi.ResourceHookBinding | None = None,
    ) -> k8s.helm.v4.Chart:
        """A chart object by object; done when its workloads are ready and its webhooks have their CA.

        `drains`: its pods serve requests, which they may finish when they end. `end_awaited`: its deletion waits for
        their end. `without`: kinds whose objects the program declares itself. `webhook_hooks` are those of the
        objects in it that other parts' webhooks look at.
        """
        if webhook_hooks:
            opts = pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(transforms=[_with_hooks_on_custom_resources(webhook_hooks)])
            )
        said = {"--drains": drains, "--end-awaited": end_awaited}
        options = [*(option for option, is_said in said.items() if is_said), *(f"--without={kind}" for kind in without)]
        return k8s.helm.v4.Chart(
            name,
            name=name,
            chart=self.store.path(source),
            namespace=namespace,
            values=dict(values),
            post_renderer=k8s.helm.v4.PostRendererArgs(
                command=sys.executable,
                args=[str(HERE / "postrender.py"), "--namespace", namespace, *options],
            ),
            opts=opts,
        )

    def definitions(
        self,
        name: str,
        source: Source,
        *,
        namespace: pulumi.Input[str],
        values: Mapping[str, Any],
        opts: pulumi.ResourceOptions,
    ) -> k8s.helm.v3.Release:
        """A chart as one resource; for charts that are mostly CustomResourceDefinitions.

        Their schemas would be nine tenths of the stack's state, and after each one the provider fetches the cluster's
        whole API description anew.
        """
        hooks = pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(f"{name}-locked", self._free)])
        return k8s.helm.v3.Release(
            name,
            name=name,
            chart=self.store.path(source),
            namespace=namespace,
            values=dict(values),
            # Relative to the project: it becomes part of the stack's state.
            postrender=f"./{HERE.relative_to(PROJECT)}/release_postrender.py",
            timeout=RELEASE_TIMEOUT,
            description=DESCRIPTION,
            disable_openapi_validation=True,
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=hooks)),
        )

    def _free(self, failure: pulumi.ErrorHookArgs) -> bool:
        """Free the release, once, where a killed run left it locked; Helm takes over what that run made."""
        if len(failure.errors) != 1 or not LOCKED.search(failure.errors[0]) or not failure.new_inputs:
            return False

        from components.charts.helm_records import delete_lost_records  # noqa: PLC0415 - seldom needed

        return delete_lost_records(
            failure.name,
            namespace=failure.new_inputs["namespace"],
            ours=DESCRIPTION,
            kubeconfig=self.kubeconfig,
            context=self.context,
        )


def _with_hooks_on_custom_resources(hooks: pulumi.ResourceHookBinding) -> pulumi.ResourceTransform:
    """Hooks reach a chart's objects through a transform only."""

    def add(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        # kubernetes:serving.kserve.io/v1alpha1:ServingRuntime, but not kubernetes:rbac.authorization.k8s.io/v1:Role
        group = args.type_.partition(":")[2].partition("/")[0]
        if not args.custom or "." not in group or group.endswith(".k8s.io"):
            return None
        args.opts.hooks = hooks
        return pulumi.ResourceTransformResult(props=args.props, opts=args.opts)

    return add
