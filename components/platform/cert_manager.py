"""cert-manager: issues the certificate of KServe's webhooks."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.charts.deploy import merge_values
from components.platform.context import InstallContext
from releases.namespaces import CERT_MANAGER_NAMESPACE
from releases.types import CertManagerRelease

# Name of the Helm release, too.
NAME = CERT_MANAGER_NAMESPACE


@dataclass(frozen=True, kw_only=True)
class CertManagerArgs:
    """What cert-manager is installed with, and its chart."""

    install: InstallContext
    release: CertManagerRelease


class CertManager(pulumi.ComponentResource):
    """cert-manager, done when its pods are ready.

    Its webhook gets its CA a moment later, so the objects it checks are declared with `retry_on_webhook_error`.

    Attributes:
        namespace: the namespace it runs in.

    """

    namespace: pulumi.Output[str]

    def __init__(self, name: str, *, args: CertManagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:CertManager", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        _, self.namespace = args.install.declare_namespace(NAME, opts=inside)
        release = args.install.charts.definitions(
            NAME,
            args.release.chart,
            namespace=self.namespace,
            values=merge_values(
                {
                    "startupapicheck": {"enabled": False},
                    # The default is kube-system, where the lease of an earlier installation would delay the next one.
                    "global": {"leaderElection": {"namespace": NAME}},
                },
                self._images(args),
                self._pull_secrets(args),
                args.release.values,
            ),
            opts=inside,
        )
        args.install.guards.definitions(release, NAME, releases=(f"{NAME}/{NAME}",))
        self.register_outputs({"namespace": self.namespace})

    @staticmethod
    def _pull_secrets(args: CertManagerArgs) -> dict[str, object]:
        references = args.install.pull_secrets.references
        return {"global": {"imagePullSecrets": references}} if references else {}

    @staticmethod
    def _images(args: CertManagerArgs) -> dict[str, object]:
        if not args.install.images:
            return {}
        image = args.install.images.image
        return {
            "image": {"repository": image("cert-manager/cert-manager-controller")},
            "webhook": {"image": {"repository": image("cert-manager/cert-manager-webhook")}},
            "cainjector": {"image": {"repository": image("cert-manager/cert-manager-cainjector")}},
        }
