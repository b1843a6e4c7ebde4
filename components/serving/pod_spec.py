"""Fields of a pod that a model, a transformer and an explainer have in common, as Kubernetes writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.settings.environment import SecretVariable
from components.settings.model import Model
from components.settings.pods import (
    Affinity,
    DisruptionBudget,
    NodeRequirement,
    PodAffinity,
    PodTerm,
    TopologySpread,
    Volume,
)
from components.settings.server import PORT, Component, Toleration

# A server is ready at most 2 s after its model is loaded, and unready 20 s after it is gone. A server that is busy with
# a request and answers nothing else has ten times 30 s for it, which is what Knative gives a request.
PROBE = {"periodSeconds": 2, "timeoutSeconds": 30, "failureThreshold": 10}


def drop_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def probe(path: str, *, port: int = PORT) -> dict[str, Any]:
    """Readiness probe of a server that answers at a path without an error once its model is loaded."""
    return {"httpGet": {"path": path, "port": port}, **PROBE}


def server_labels(model: str, component: str) -> dict[str, str]:
    """Labels by which KServe marks the pods of one server, in both modes."""
    return {"serving.kserve.io/inferenceservice": model, "component": component}


def pod_fields(settings: Model | Component, *, labels: Mapping[str, str]) -> dict[str, Any]:
    """Fields of the pods; None where the settings have none. `labels` are those of the pods of the same server."""
    return {
        "nodeSelector": settings.node_selector or None,
        "tolerations": [toleration_spec(toleration) for toleration in settings.tolerations] or None,
        "affinity": _affinity(settings.affinity, labels=labels) if settings.affinity else None,
        "topologySpreadConstraints": [_spread(spread, labels=labels) for spread in settings.topology_spread] or None,
        "priorityClassName": settings.priority_class,
        "volumes": [_volume(volume) for volume in settings.volumes] or None,
    }


def mounts(volumes: Iterable[Volume]) -> list[dict[str, Any]] | None:
    """Where a container has the volumes; None where there are none."""
    return [
        drop_none({"name": volume.name, "mountPath": volume.mount_path, "readOnly": volume.read_only or None})
        for volume in volumes
    ] or None


def variables(environment: Mapping[str, str | SecretVariable]) -> list[dict[str, Any]]:
    """Environment variables of a container."""
    return [{"name": name, **_value(variable)} for name, variable in environment.items()]


def _value(variable: str | SecretVariable) -> dict[str, Any]:
    if isinstance(variable, str):
        return {"value": variable}
    return {"valueFrom": {"secretKeyRef": {"name": variable.secret, "key": variable.key}}}


def toleration_spec(toleration: Toleration) -> dict[str, Any]:
    """Toleration as Kubernetes writes it."""
    return drop_none(
        {
            "key": toleration.key,
            "operator": toleration.operator,
            "value": toleration.value,
            "effect": toleration.effect,
            "tolerationSeconds": toleration.seconds,
        }
    )


def budget_spec(budget: DisruptionBudget, *, labels: Mapping[str, str]) -> dict[str, Any]:
    """Spec of a PodDisruptionBudget for the pods with these labels."""
    bounds = {"minAvailable": budget.min_available, "maxUnavailable": budget.max_unavailable}
    amounts = {
        name: int(amount) if amount.isdecimal() else amount for name, amount in bounds.items() if amount is not None
    }
    return {**amounts, "selector": {"matchLabels": dict(labels)}}


def _volume(volume: Volume) -> dict[str, Any]:
    claim, read_only = volume.persistent_volume_claim, volume.read_only or None
    empty = volume.empty_dir
    return drop_none(
        {
            "name": volume.name,
            "persistentVolumeClaim": drop_none({"claimName": claim, "readOnly": read_only}) if claim else None,
            "emptyDir": drop_none({"medium": empty.medium, "sizeLimit": empty.size_limit}) if empty else None,
            "secret": {"secretName": volume.secret} if volume.secret else None,
            "configMap": {"name": volume.config_map} if volume.config_map else None,
        }
    )


def _affinity(affinity: Affinity, *, labels: Mapping[str, str]) -> dict[str, Any]:
    return drop_none(
        {
            "nodeAffinity": _node_affinity(affinity),
            "podAffinity": _pod_affinity(affinity.pod_affinity, labels=labels),
            "podAntiAffinity": _pod_affinity(affinity.pod_anti_affinity, labels=labels),
        }
    )


def _node_affinity(affinity: Affinity) -> dict[str, Any] | None:
    nodes = affinity.node_affinity
    if nodes is None:
        return None
    return {
        **_if_any("requiredDuringSchedulingIgnoredDuringExecution", _required_nodes(nodes.required)),
        **_if_any(
            "preferredDuringSchedulingIgnoredDuringExecution",
            [{"weight": each.weight, "preference": _node_term(each.requirements)} for each in nodes.preferred],
        ),
    }


def _required_nodes(requirements: tuple[NodeRequirement, ...]) -> dict[str, Any] | None:
    return {"nodeSelectorTerms": [_node_term(requirements)]} if requirements else None


def _node_term(requirements: Iterable[NodeRequirement]) -> dict[str, Any]:
    return {
        "matchExpressions": [
            drop_none({"key": each.key, "operator": each.operator, "values": list(each.values) or None})
            for each in requirements
        ]
    }


def _pod_affinity(pods: PodAffinity | None, *, labels: Mapping[str, str]) -> dict[str, Any] | None:
    if pods is None:
        return None
    return {
        **_if_any(
            "requiredDuringSchedulingIgnoredDuringExecution",
            [_pod_term(term, labels=labels) for term in pods.required],
        ),
        **_if_any(
            "preferredDuringSchedulingIgnoredDuringExecution",
            [{"weight": term.weight, "podAffinityTerm": _pod_term(term, labels=labels)} for term in pods.preferred],
        ),
    }


def _pod_term(term: PodTerm, *, labels: Mapping[str, str]) -> dict[str, Any]:
    return {"labelSelector": {"matchLabels": dict(term.labels or labels)}, "topologyKey": term.topology_key}


def _spread(spread: TopologySpread, *, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "maxSkew": spread.max_skew,
        "topologyKey": spread.topology_key,
        "whenUnsatisfiable": spread.when_unsatisfiable,
        "labelSelector": {"matchLabels": dict(labels)},
    }


def _if_any(name: str, terms: Any) -> dict[str, Any]:
    return {name: terms} if terms else {}
