"""Prometheus and kube-state-metrics object by object, where there is no chart of them.

Names, labels and ports are those the charts give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.platform.monitoring.kube_state import COLLECTED, COLLECTORS, CUSTOM_RESOURCES, DEFINITIONS, LABELS, Rule
from components.platform.monitoring.scraping import CONFIG_FILE, CONFIG_FOLDER
from components.settings.resource_profiles import PodResources

USER = 65532
DATA_FOLDER = "/data"
KUBE_STATE_CONFIG_FOLDER = "/etc/customresourcestate"
KUBE_STATE_CONFIG_FILE = "config.yaml"
PROMETHEUS_PORT = 9090
KUBE_STATE_PORT = 8080
PROBE_PERIOD = 2
# Neither has anything to finish that is longer than writing what it has to disk.
GRACE = 10


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One pod of one container, kept running.

    Attributes:
        folders: where ConfigMaps appear in it, path → the ConfigMap's name.
        rules: what its service account may list and watch; `urls` what it may get of the API server and its like.
        data: what is mounted at /data, if anything.

    """

    name: str
    part: str
    image: str
    arguments: Sequence[str]
    port: int
    ready_path: str
    resources: PodResources | None
    folders: Mapping[str, pulumi.Input[str]]
    rules: Sequence[Rule]
    urls: Sequence[str] = ()
    data: k8s.core.v1.VolumeArgs | None = None


def prometheus_arguments(*, retention: int) -> list[str]:
    """Prometheus's command line; `retention` in days."""
    return [
        f"--config.file={CONFIG_FOLDER}/{CONFIG_FILE}",
        f"--storage.tsdb.path={DATA_FOLDER}",
        f"--storage.tsdb.retention.time={retention}d",
        *(f"--{flag}" for flag in RELOADING),
    ]


# It looks by itself whether its configuration changed: no container beside it has to.
RELOADING = ("config.auto-reload", "config.auto-reload-interval=10s")


def kube_state_arguments() -> list[str]:
    """kube-state-metrics' command line."""
    return [
        f"--port={KUBE_STATE_PORT}",
        f"--resources={','.join(COLLECTORS)}",
        f"--metric-labels-allowlist={LABELS}",
        f"--custom-resource-state-config-file={KUBE_STATE_CONFIG_FOLDER}/{KUBE_STATE_CONFIG_FILE}",
    ]


PROMETHEUS_RULES: tuple[Rule, ...] = (("", ("pods", "nodes", "nodes/metrics")),)
KUBE_STATE_RULES: tuple[Rule, ...] = (*COLLECTED, CUSTOM_RESOURCES, DEFINITIONS)


def run(
    workload: Workload, *, namespace: pulumi.Input[str], service_port: int, parent: pulumi.Resource
) -> k8s.apps.v1.Deployment:
    """Declare a workload with its service account, its rights and its Service; done when it is ready."""
    inside = pulumi.ResourceOptions(parent=parent)
    labels = {"app.kubernetes.io/name": workload.part, "app.kubernetes.io/part-of": "kserve-multi-model"}
    # The Deployment is what is waited for.
    meta = k8s.meta.v1.ObjectMetaArgs(name=workload.name, namespace=namespace, labels=labels)
    account = k8s.core.v1.ServiceAccount(workload.name, metadata=meta, opts=inside)
    role = k8s.rbac.v1.ClusterRole(
        workload.name,
        metadata=k8s.meta.v1.ObjectMetaArgs(name=f"kserve-multi-model-{workload.name}", labels=labels),
        rules=[
            *(
                k8s.rbac.v1.PolicyRuleArgs(api_groups=[group], resources=[*resources], verbs=["get", "list", "watch"])
                for group, resources in workload.rules
            ),
            *(k8s.rbac.v1.PolicyRuleArgs(non_resource_urls=[url], verbs=["get"]) for url in workload.urls),
        ],
        opts=inside,
    )
    binding = k8s.rbac.v1.ClusterRoleBinding(
        workload.name,
        metadata=k8s.meta.v1.ObjectMetaArgs(name=f"kserve-multi-model-{workload.name}", labels=labels),
        role_ref=k8s.rbac.v1.RoleRefArgs(
            api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=role.metadata.name
        ),
        subjects=[k8s.rbac.v1.SubjectArgs(kind="ServiceAccount", name=account.metadata.name, namespace=namespace)],
        opts=inside,
    )
    k8s.core.v1.Service(
        workload.name,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=workload.name, namespace=namespace, labels=labels, annotations={"pulumi.com/skipAwait": "true"}
        ),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="ClusterIP",
            selector=labels,
            ports=[k8s.core.v1.ServicePortArgs(name="http", port=service_port, target_port=workload.port)],
        ),
        opts=inside,
    )
    return k8s.apps.v1.Deployment(
        workload.name,
        metadata=meta,
        spec=k8s.apps.v1.DeploymentSpecArgs(
            replicas=1,
            strategy=k8s.apps.v1.DeploymentStrategyArgs(type="Recreate"),  # two would not share a volume
            selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels),
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=k8s.meta.v1.ObjectMetaArgs(labels=labels),
                spec=_pod(workload, service_account=account.metadata.name),
            ),
        ),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[binding]),
    )


def _pod(workload: Workload, *, service_account: pulumi.Input[str]) -> k8s.core.v1.PodSpecArgs:
    volumes = [
        k8s.core.v1.VolumeArgs(name=f"config-{number}", config_map=k8s.core.v1.ConfigMapVolumeSourceArgs(name=name))
        for number, name in enumerate(workload.folders.values())
    ]
    mounts = [
        k8s.core.v1.VolumeMountArgs(name=f"config-{number}", mount_path=path, read_only=True)
        for number, path in enumerate(workload.folders)
    ]
    if workload.data:
        volumes.append(workload.data)
        mounts.append(k8s.core.v1.VolumeMountArgs(name=workload.data.name, mount_path=DATA_FOLDER))
    return k8s.core.v1.PodSpecArgs(
        service_account_name=service_account,
        termination_grace_period_seconds=GRACE,
        security_context=k8s.core.v1.PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=USER,
            fs_group=USER,
            seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
        ),
        containers=[
            k8s.core.v1.ContainerArgs(
                name=workload.part,
                image=workload.image,
                args=[*workload.arguments],
                ports=[k8s.core.v1.ContainerPortArgs(name="http", container_port=workload.port)],
                readiness_probe=k8s.core.v1.ProbeArgs(
                    http_get=k8s.core.v1.HTTPGetActionArgs(path=workload.ready_path, port=workload.port),
                    period_seconds=PROBE_PERIOD,
                ),
                resources=_resources(workload.resources),
                security_context=k8s.core.v1.SecurityContextArgs(
                    allow_privilege_escalation=False,
                    read_only_root_filesystem=True,
                    capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
                ),
                volume_mounts=mounts,
            )
        ],
        volumes=volumes,
    )


def _resources(resources: PodResources | None) -> k8s.core.v1.ResourceRequirementsArgs | None:
    if resources is None:
        return None
    return k8s.core.v1.ResourceRequirementsArgs(requests=dict(resources.requests), limits=dict(resources.limits))
