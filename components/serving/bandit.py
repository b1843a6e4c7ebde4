"""A service that divides requests between a model's two versions by their rewards.

It reaches each version by the host name that Knative gives it, so the InferenceService stays as it is declared. A
bandit that changed `canaryTrafficPercent` instead would change what Pulumi declares: every `pulumi up` would undo the
change, every refresh would report it as drift, and every reward would make Knative program its routes again.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.objects import custom_resource, retry_on_webhook_error
from components.settings.resource_profiles import PodResources

PORT = 8080
RESOURCES = PodResources(requests={"cpu": "20m", "memory": "64Mi"}, limits={"cpu": "1", "memory": "256Mi"})


@dataclass(frozen=True, kw_only=True)
class BanditArgs:
    """A model with a canary, and its bandit.

    Attributes:
        model: name of the model.
        host: host name of the bandit at the gateway.
        gateway: namespace and name of the Istio Gateway of KServe's own routes.
        predict_path: path of the model's predictions.
        versions: identifies the two versions; when it changes, the rewards start again.
        epsilon: share of the requests that goes to either version at random, from 0 to 1.
        timeout: seconds a prediction may take.
        pull_secrets: names of the Secrets that its pod pulls the image with.

    """

    model: str
    namespace: str
    host: str
    gateway: str
    predict_path: str
    versions: str
    epsilon: float
    timeout: int
    image: str
    pull_secrets: tuple[str, ...] = ()


class Bandit(pulumi.ComponentResource):
    """The service behind the gateway. It is done when its pod is ready.

    It has one pod; while a new pod replaces the old one, both add to the same rewards. The bandit keeps them in a
    ConfigMap that it creates itself, and that Kubernetes deletes with the bandit's service account.
    """

    def __init__(self, name: str, *, args: BanditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:serving:Bandit", name, {}, opts)
        self._name, self._args = name, args
        self._inside = pulumi.ResourceOptions(parent=self)
        account = k8s.core.v1.ServiceAccount(name, metadata=self._metadata(), opts=self._inside)
        allowed = self._grant_access_to_rewards(account)
        deployment = self._deployment(account, opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed]))
        service = k8s.core.v1.Service(
            name,
            metadata=self._metadata(),
            spec=k8s.core.v1.ServiceSpecArgs(
                type="ClusterIP",
                selector=self._labels(),
                ports=[k8s.core.v1.ServicePortArgs(name="http", port=80, target_port=PORT)],
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        self._route(service)
        self.register_outputs({})

    def _metadata(self) -> k8s.meta.v1.ObjectMetaArgs:
        return k8s.meta.v1.ObjectMetaArgs(name=self._name, namespace=self._args.namespace)

    def _labels(self) -> dict[str, str]:
        return {"app.kubernetes.io/name": "bandit", "app.kubernetes.io/instance": self._name}

    def _grant_access_to_rewards(self, account: k8s.core.v1.ServiceAccount) -> pulumi.Resource:
        role = k8s.rbac.v1.Role(
            self._name,
            metadata=self._metadata(),
            rules=[
                # RBAC cannot restrict the creation of objects by name.
                k8s.rbac.v1.PolicyRuleArgs(api_groups=[""], resources=["configmaps"], verbs=["create"]),
                k8s.rbac.v1.PolicyRuleArgs(
                    api_groups=[""], resources=["configmaps"], verbs=["get", "update"], resource_names=[self._name]
                ),
            ],
            opts=self._inside,
        )
        return k8s.rbac.v1.RoleBinding(
            self._name,
            metadata=self._metadata(),
            role_ref=k8s.rbac.v1.RoleRefArgs(
                api_group="rbac.authorization.k8s.io", kind="Role", name=role.metadata.name
            ),
            subjects=[
                k8s.rbac.v1.SubjectArgs(
                    kind="ServiceAccount", name=account.metadata.name, namespace=self._args.namespace
                )
            ],
            opts=self._inside,
        )

    def _deployment(self, account: k8s.core.v1.ServiceAccount, *, opts: pulumi.ResourceOptions) -> pulumi.Resource:
        labels = self._labels()
        probe = k8s.core.v1.ProbeArgs(
            http_get=k8s.core.v1.HTTPGetActionArgs(path="/healthz", port=PORT), period_seconds=2, timeout_seconds=5
        )
        container = k8s.core.v1.ContainerArgs(
            name="bandit",
            image=self._args.image,
            args=self._arguments(account),
            ports=[k8s.core.v1.ContainerPortArgs(container_port=PORT)],
            readiness_probe=probe,
            resources=k8s.core.v1.ResourceRequirementsArgs(requests=RESOURCES.requests, limits=RESOURCES.limits),
        )
        return k8s.apps.v1.Deployment(
            self._name,
            metadata=self._metadata(),
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=1,
                selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels),
                template=k8s.core.v1.PodTemplateSpecArgs(
                    metadata=k8s.meta.v1.ObjectMetaArgs(labels=labels),
                    spec=k8s.core.v1.PodSpecArgs(
                        service_account_name=account.metadata.name,
                        enable_service_links=False,
                        image_pull_secrets=[
                            k8s.core.v1.LocalObjectReferenceArgs(name=name) for name in self._args.pull_secrets
                        ]
                        or None,
                        containers=[container],
                    ),
                ),
            ),
            opts=opts,
        )

    def _arguments(self, account: k8s.core.v1.ServiceAccount) -> list[pulumi.Input[str]]:
        args = self._args
        options: dict[str, pulumi.Input[str]] = {
            "latest": self._url("latest"),
            "prev": self._url("prev"),
            "versions": args.versions,
            "epsilon": str(args.epsilon),
            "timeout": str(args.timeout),
            "namespace": args.namespace,
            "state": self._name,
            "owner": self._name,
            "owner-uid": account.metadata.uid,
        }
        return [argument for option, value in options.items() for argument in (f"--{option}", value)]

    def _url(self, version: str) -> str:
        """URL of a version inside the cluster: Knative puts the version's tag before the model's name."""
        host = f"{version}-{self._args.model}-predictor.{self._args.namespace}.svc.cluster.local"
        return f"http://{host}{self._args.predict_path}"

    def _route(self, service: k8s.core.v1.Service) -> None:
        """Route from the gateway of KServe's own routes to models."""
        destination = {"host": f"{self._name}.{self._args.namespace}.svc.cluster.local", "port": {"number": 80}}
        custom_resource(
            self._name,
            api_version="networking.istio.io/v1",
            kind="VirtualService",
            name=self._name,
            namespace=self._args.namespace,
            spec={
                "hosts": [self._args.host],
                "gateways": [self._args.gateway],
                "http": [{"route": [{"destination": destination}]}],
            },
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[service], hooks=retry_on_webhook_error(f"bandit-{self._name}")
            ),
        )
