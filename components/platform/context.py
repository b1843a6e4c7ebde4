"""What every part of the platform is made of: charts, images, and how much of the cluster it may take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.charts.deploy import Charts
from components.charts.sources import ChartMirror, ChartStore, ImageMirror
from components.settings.resource_profiles import Footprint
from components.settings.stack import Settings

CHARTS_FOLDER = Path("build/charts")


@dataclass(frozen=True, kw_only=True)
class Supply:
    """Charts, images (None: those the charts name), footprint."""

    charts: Charts
    images: ImageMirror | None
    footprint: Footprint

    @classmethod
    def of(cls, settings: Settings) -> Supply:
        """What a stack's settings say."""
        mirror = settings.mirror
        chart_mirror = None
        if mirror:
            repository = mirror.charts.removeprefix("oci://")
            chart_mirror = ChartMirror(repository=repository, plain_http=mirror.plain_http)
        return cls(
            charts=Charts(
                store=ChartStore(folder=CHARTS_FOLDER, mirror=chart_mirror),
                kubeconfig=settings.cluster.kubeconfig,
                context=settings.cluster.context,
            ),
            images=ImageMirror(repository=mirror.images) if mirror else None,
            footprint=settings.footprint,
        )
