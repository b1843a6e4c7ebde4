"""Deploy Helm charts. Every chart of the program is installed through `Charts`."""

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

from components.charts.helm_records import ReleaseMark, delete_lost_records
from components.charts.sources import ChartStore
from releases.types import Source

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
RELEASE_TIMEOUT = 600
# Helm's errors about a release whose last operation was killed.
LOCKED = re.compile(r"cannot re-use a name that is still in use|another operation .* is in progress")

# The program reads no object of a chart. Without this setting the SDK fetches each of them from the engine.
os.environ.setdefault("PULUMI_DISABLE_RESOURCE_REFERENCES", "true")


def merge_values(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge chart values, nested mappings included; where two layers set the same value, the later one wins."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            both = isinstance(value, Mapping) and isinstance(below, Mapping)
            result[key] = merge_values(below, value) if both else value  # type: ignore[arg-type]
    return result


@dataclass(frozen=True, kw_only=True)
class Charts:
    """Deploys charts to one cluster.

    Attributes:
        store: fetches the charts.
        mark: tells Helm's records of the stack's releases from others.
        kubeconfig: file to connect with; None for kubectl's default.
        context: its context; None for the current one.
        pull_secrets: names of the Secrets that the pods of `workloads` pull images with.

    """

    store: ChartStore
    mark: ReleaseMark
    kubeconfig: Path | None = None
    context: str | None = None
    pull_secrets: tuple[str, ...] = ()

    def workloads(
        self,
        name: str,
        source: Source,
        *,
        namespace: pulumi.Input[str],
        values: Mapping[str, Any],
        opts: pulumi.ResourceOptions,
        graceful_shutdown: bool = False,
        await_deletion: bool = False,
        without: Sequence[str] = (),
        webhook_hooks: pulumi.ResourceHookBinding | None = None,
    ) -> k8s.helm.v4.Chart:
        """Deploy a chart object by object; done when its workloads are ready and its webhooks have their CA.

        Args:
            name: of the Pulumi resource and of the Helm release.
            source: where the chart is published.
            namespace: the namespace the chart is released into.
            values: the chart's values.
            opts: options of the Pulumi resource.
            graceful_shutdown: let pods finish the requests they are serving before they stop.
            await_deletion: let the deletion of a workload wait until its pods are gone.
            without: kinds to leave out, because the program declares those objects itself.
            webhook_hooks: hooks for the chart's custom resources, which webhooks of other components check.

        """
        if webhook_hooks:
            opts = pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(transforms=[_with_hooks_on_custom_resources(webhook_hooks)])
            )
        flags = {"--graceful-shutdown": graceful_shutdown, "--await-deletion": await_deletion}
        options = [
            *(flag for flag, given in flags.items() if given),
            *(f"--without={kind}" for kind in without),
            *(f"--image-pull-secret={secret}" for secret in self.pull_secrets),
        ]
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
        """Deploy a chart as one Helm release; for charts that are mostly CustomResourceDefinitions.

        Object by object, their schemas would be nine tenths of the stack's state, and the provider would fetch the
        cluster's whole API description again after each of them.
        """
        hooks = pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(f"{name}-locked", self._unlock)])
        return k8s.helm.v3.Release(
            name,
            name=name,
            chart=self.store.path(source),
            namespace=namespace,
            values=dict(values),
            # Relative to the project, because the path becomes part of the stack's state.
            postrender=f"./{HERE.relative_to(PROJECT)}/release_postrender.py",
            timeout=RELEASE_TIMEOUT,
            description=self.mark.description,
            disable_openapi_validation=True,
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=hooks)),
        )

    def _unlock(self, failure: pulumi.ErrorHookArgs) -> bool:
        """Unlock a release that a killed run left locked, once; Helm then adopts the objects that the run made.

        Returns whether the engine is to try again.
        """
        if len(failure.errors) != 1 or not LOCKED.search(failure.errors[0]) or not failure.new_inputs:
            return False
        return delete_lost_records(
            failure.name,
            namespace=failure.new_inputs["namespace"],
            mark=self.mark,
            kubeconfig=self.kubeconfig,
            context=self.context,
        )


def _with_hooks_on_custom_resources(hooks: pulumi.ResourceHookBinding) -> pulumi.ResourceTransform:
    """Return a transform that adds hooks to a chart's custom resources; a chart takes no hooks for its objects."""

    def add(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        # kubernetes:serving.kserve.io/v1alpha1:ServingRuntime, but not kubernetes:rbac.authorization.k8s.io/v1:Role
        group = args.type_.partition(":")[2].partition("/")[0]
        if not args.custom or "." not in group or group.endswith(".k8s.io"):
            return None
        args.opts.hooks = hooks
        return pulumi.ResourceTransformResult(props=args.props, opts=args.opts)

    return add
