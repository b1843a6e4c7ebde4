"""cert-manager: makes the certificates of other parts' webhooks."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.charts.deploy import merged
from components.platform.context import Supply
from releases.types import CertManagerRelease

NAME = "cert-manager"


@dataclass(frozen=True, kw_only=True)
class CertManagerArgs:
    """The version and where it comes from."""

    supply: Supply
    release: CertManagerRelease


class CertManager(pulumi.ComponentResource):
    """cert-manager, done when its pods are ready.

    Its webhook gets its CA a moment later: what it looks at is declared with `patient` hooks.

    Attributes:
        namespace: where it runs.

    """

    namespace: pulumi.Output[str]

    def __init__(self, name: str, *, args: CertManagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:CertManager", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        namespace = k8s.core.v1.Namespace(NAME, metadata=k8s.meta.v1.ObjectMetaArgs(name=NAME), opts=inside)
        self.namespace = namespace.metadata.name
        args.supply.charts.definitions(
            NAME,
            args.release.chart,
            namespace=self.namespace,
            values=merged(
                {
                    "startupapicheck": {"enabled": False},
                    # In kube-system, where it is by default, the lease of an earlier installation holds up the next.
                    "global": {"leaderElection": {"namespace": NAME}},
                },
                self._images(args),
                args.release.values,
            ),
            opts=inside,
        )
        self.register_outputs({"namespace": self.namespace})

    @staticmethod
    def _images(args: CertManagerArgs) -> dict[str, object]:
        if not args.supply.images:
            return {}
        image = args.supply.images.image
        return {
            "image": {"repository": image("cert-manager/cert-manager-controller")},
            "webhook": {"image": {"repository": image("cert-manager/cert-manager-webhook")}},
            "cainjector": {"image": {"repository": image("cert-manager/cert-manager-cainjector")}},
        }
