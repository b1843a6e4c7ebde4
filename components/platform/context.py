"""What every component of the platform is installed with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pulumi
import pulumi_kubernetes as k8s

from components.charts.deploy import Charts
from components.charts.helm_records import ReleaseMark
from components.charts.sources import ChartMirror, ChartStore, ImageMirror
from components.objects import declare_namespace
from components.ownership.stack_identity import Identity
from components.platform.pull_secrets import PullSecrets
from components.settings.resource_profiles import Footprint
from components.settings.stack import Settings
from components.teardown.part_guard import PartGuards

CHARTS_FOLDER = Path("build/charts")


@dataclass(frozen=True, kw_only=True)
class InstallContext:
    """Where charts and images come from, and what the pods may request.

    Attributes:
        charts: deploys charts to the cluster.
        guards: declares what keeps a namespace, or definitions, in which others have something.
        images: where all images come from; None for the images that the charts name.
        footprint: resource requests and limits of the pods.
        pull_secrets: what the pods pull images with.
        pod_features: fields of pods that Knative has to accept.
        unresolved_registries: registries whose image tags Knative must not resolve.

    """

    charts: Charts
    guards: PartGuards
    images: ImageMirror | None
    footprint: Footprint
    pull_secrets: PullSecrets = field(default_factory=PullSecrets)
    pod_features: tuple[str, ...] = ()
    unresolved_registries: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, settings: Settings, *, identity: Identity) -> Self:
        """Read the install context from the settings of the stack with this identity."""
        mirror = settings.mirror
        chart_mirror = None
        if mirror:
            repository = mirror.charts.removeprefix("oci://")
            chart_mirror = ChartMirror(repository=repository, plain_http=mirror.plain_http)
        pull_secrets = PullSecrets.from_settings(settings, stack=identity.stack)
        return cls(
            charts=Charts(
                store=ChartStore(folder=CHARTS_FOLDER, mirror=chart_mirror, logins=settings.logins),
                mark=ReleaseMark(identity=identity.text, deployed_before=identity.deployed_before),
                kubeconfig=settings.cluster.kubeconfig,
                context=settings.cluster.context,
                pull_secrets=pull_secrets.names,
            ),
            guards=PartGuards(
                identity=identity,
                context=settings.cluster.context,
                pull_secrets=settings.image_pull_secrets,
            ),
            images=ImageMirror(repository=mirror.images) if mirror else None,
            footprint=settings.footprint,
            pull_secrets=pull_secrets,
            pod_features=settings.pod_features,
            unresolved_registries=settings.knative.registries_skipping_tag_resolving if settings.knative else (),
        )

    def guarded_by(self, parent: pulumi.Resource) -> Self:
        """The same context, whose guards are below this resource."""
        return replace(self, guards=replace(self.guards, parent=parent))

    def declare_namespace(
        self, name: str, *, opts: pulumi.ResourceOptions
    ) -> tuple[k8s.core.v1.Namespace, pulumi.Output[str]]:
        """Declare a namespace of the platform, its guard, and the pull secret in it.

        Returns it, and its name for what needs the pull secret there.
        """
        namespace = declare_namespace(name, opts=opts)
        self.guards.namespace(namespace)
        return namespace, self.pull_secrets.put_into(namespace, opts=opts)
