"""PodDisruptionBudgets of a model's servers, where its settings ask for them."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s

from components.serving.pod_spec import budget_spec, server_labels
from components.settings.model import Model
from components.settings.server import COMPONENT_TYPES


def declare_disruption_budgets(model: Model, *, namespace: str, opts: pulumi.ResourceOptions) -> None:
    """Declare the budget of each server of a model that has one. Warns where one can block the drain of a node."""
    servers = {"predictor": model, **{str(kind): model.component(kind) for kind in COMPONENT_TYPES}}
    for component, settings in servers.items():
        if settings is None or settings.disruption_budget is None:
            continue
        key = f"{model.name}-{component}"
        if settings.disruption_budget.blocks_at_minimum(settings.replicas):
            pulumi.log.warn(
                f"the disruption budget of {key} allows no eviction while it has only replicas.min, "
                f"{settings.replicas.min}: until it is scaled up, the nodes of its pods cannot be drained"
            )
        k8s.policy.v1.PodDisruptionBudget(
            key,
            metadata=k8s.meta.v1.ObjectMetaArgs(name=f"{model.service}-{component}", namespace=namespace),
            spec=budget_spec(settings.disruption_budget, labels=server_labels(model.service, component)),
            opts=opts,
        )
