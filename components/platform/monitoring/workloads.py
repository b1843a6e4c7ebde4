"""Prometheus and kube-state-metrics as Deployments, for a release without their charts.

Names, labels and ports are those that the charts give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.platform.monitoring.scraping import (
    COLLECTORS,
    CONFIG_FILE,
    CONFIG_FOLDER,
    CUSTOM_RESOURCES_FILE,
    LABELS,
)
from components.settings.resource_profiles import PodResources

USER = 65532
DATA_FOLDER = "/data"
CUSTOM_RESOURCES_FOLDER = "/etc/customresourcestate"
PROMETHEUS_PORT = 9090
KUBE_STATE_PORT = 8080
PROBE_PERIOD = 2
# In seconds. Prometheus has to write its data to disk, kube-state-metrics has nothing to finish.
GRACE_PERIOD = 10
# Flags with which Prometheus reloads its changed configuration itself, without a sidecar.
RELOAD_FLAGS = ("config.auto-reload", "config.auto-reload-interval=10s")


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A Deployment of one pod with one container.

    Attributes:
        app: name of the container, and value of the label `app.kubernetes.io/name`.
        config_maps: names of the mounted ConfigMaps by their path in the container.
        read: resources that its ServiceAccount may get, list and watch, by API group.
        read_urls: paths of the API server, and of servers that ask it for permission, that it may get.
        data: volume that is mounted at DATA_FOLDER, if any.

    """

    name: str
    app: str
    image: str
    arguments: Sequence[str]
    port: int
    service_port: int
    ready_path: str
    resources: PodResources | None
    config_maps: Mapping[str, pulumi.Input[str]]
    read: Mapping[str, Sequence[str]]
    read_urls: Sequence[str] = ()
    data: k8s.core.v1.VolumeArgs | None = None


def prometheus(
    name: str,
    *,
    image: str,
    resources: PodResources | None,
    config_map: pulumi.Input[str],
    retention: int,
    data: k8s.core.v1.VolumeArgs,
    service_port: int,
) -> Workload:
    """Return Prometheus's workload; `retention` is in days."""
    return Workload(
        name=name,
        app="prometheus",
        image=image,
        arguments=[
            f"--config.file={CONFIG_FOLDER}/{CONFIG_FILE}",
            f"--storage.tsdb.path={DATA_FOLDER}",
            f"--storage.tsdb.retention.time={retention}d",
            *(f"--{flag}" for flag in RELOAD_FLAGS),
        ],
        port=PROMETHEUS_PORT,
        service_port=service_port,
        ready_path="/-/ready",
        resources=resources,
        config_maps={CONFIG_FOLDER: config_map},
        read={"": ("pods", "nodes", "nodes/metrics")},
        read_urls=("/metrics",),
        data=data,
    )


def kube_state_metrics(
    name: str, *, image: str, resources: PodResources | None, config_map: pulumi.Input[str]
) -> Workload:
    """Return kube-state-metrics' workload."""
    return Workload(
        name=name,
        app="kube-state-metrics",
        image=image,
        arguments=[
            f"--port={KUBE_STATE_PORT}",
            f"--resources={','.join(COLLECTORS)}",
            f"--metric-labels-allowlist={LABELS}",
            f"--custom-resource-state-config-file={CUSTOM_RESOURCES_FOLDER}/{CUSTOM_RESOURCES_FILE}",
        ],
        port=KUBE_STATE_PORT,
        service_port=KUBE_STATE_PORT,
        ready_path="/healthz",
        resources=resources,
        config_maps={CUSTOM_RESOURCES_FOLDER: config_map},
        read={
            "": ("pods",),
            "apps": ("deployments",),
            "autoscaling": ("horizontalpodautoscalers",),
            "serving.kserve.io": ("inferenceservices",),
            "apiextensions.k8s.io": ("customresourcedefinitions",),
        },
    )


def declare_workload(
    workload: Workload,
    *,
    namespace: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
    pull_secrets: Sequence[str] = (),
) -> None:
    """Declare a workload with its ServiceAccount, the account's permissions and a Service; done when it is ready."""
    labels = {"app.kubernetes.io/name": workload.app, "app.kubernetes.io/part-of": "kserve-multi-model"}
    metadata = k8s.meta.v1.ObjectMetaArgs(name=workload.name, namespace=namespace, labels=labels)
    account = k8s.core.v1.ServiceAccount(workload.name, metadata=metadata, opts=opts)
    role = k8s.rbac.v1.ClusterRole(
        workload.name,
        metadata=k8s.meta.v1.ObjectMetaArgs(name=f"kserve-multi-model-{workload.name}", labels=labels),
        rules=[
            *(
                k8s.rbac.v1.PolicyRuleArgs(api_groups=[group], resources=[*resources], verbs=["get", "list", "watch"])
                for group, resources in workload.read.items()
            ),
            *(k8s.rbac.v1.PolicyRuleArgs(non_resource_urls=[url], verbs=["get"]) for url in workload.read_urls),
        ],
        opts=opts,
    )
    binding = k8s.rbac.v1.ClusterRoleBinding(
        workload.name,
        metadata=k8s.meta.v1.ObjectMetaArgs(name=f"kserve-multi-model-{workload.name}", labels=labels),
        role_ref=k8s.rbac.v1.RoleRefArgs(
            api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=role.metadata.name
        ),
        subjects=[k8s.rbac.v1.SubjectArgs(kind="ServiceAccount", name=account.metadata.name, namespace=namespace)],
        opts=opts,
    )
    # Without a wait for its endpoints: Pulumi waits for the Deployment instead.
    k8s.core.v1.Service(
        workload.name,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=workload.name, namespace=namespace, labels=labels, annotations={"pulumi.com/skipAwait": "true"}
        ),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="ClusterIP",
            selector=labels,
            ports=[k8s.core.v1.ServicePortArgs(name="http", port=workload.service_port, target_port=workload.port)],
        ),
        opts=opts,
    )
    k8s.apps.v1.Deployment(
        workload.name,
        metadata=metadata,
        spec=k8s.apps.v1.DeploymentSpecArgs(
            replicas=1,
            strategy=k8s.apps.v1.DeploymentStrategyArgs(type="Recreate"),  # two pods cannot share the volume
            selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels),
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=k8s.meta.v1.ObjectMetaArgs(labels=labels),
                spec=_pod(workload, service_account=account.metadata.name, pull_secrets=pull_secrets),
            ),
        ),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[binding])),
    )


def _pod(
    workload: Workload, *, service_account: pulumi.Input[str], pull_secrets: Sequence[str]
) -> k8s.core.v1.PodSpecArgs:
    volumes = [
        k8s.core.v1.VolumeArgs(name=f"config-{number}", config_map=k8s.core.v1.ConfigMapVolumeSourceArgs(name=name))
        for number, name in enumerate(workload.config_maps.values())
    ]
    mounts = [
        k8s.core.v1.VolumeMountArgs(name=f"config-{number}", mount_path=path, read_only=True)
        for number, path in enumerate(workload.config_maps)
    ]
    if workload.data:
        volumes.append(workload.data)
        mounts.append(k8s.core.v1.VolumeMountArgs(name=workload.data.name, mount_path=DATA_FOLDER))
    return k8s.core.v1.PodSpecArgs(
        service_account_name=service_account,
        image_pull_secrets=[k8s.core.v1.LocalObjectReferenceArgs(name=name) for name in pull_secrets] or None,
        termination_grace_period_seconds=GRACE_PERIOD,
        security_context=k8s.core.v1.PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=USER,
            fs_group=USER,
            seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
        ),
        containers=[
            k8s.core.v1.ContainerArgs(
                name=workload.app,
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
