"""What a release consists of: chart sources, serving runtimes, and the versions of each part of the platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from releases.existing import KSERVE_0_20_EXISTING, VersionRange

GRPC_V2 = "grpc-v2"
OPENAI = "openai"

# Helm values that a release adds to those that every release gets.
Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class OciChart:
    """A chart in an OCI registry: `repository`/`name`:`version`, where `repository` is `host/path`."""

    name: str
    version: str
    repository: str


@dataclass(frozen=True, kw_only=True)
class ChartArchive:
    """A packaged chart (.tgz) at a URL."""

    name: str
    version: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Plain Kubernetes objects (YAML) at a URL. A mirror has them as a chart called `name`."""

    name: str
    version: str
    url: str


@dataclass(frozen=True, kw_only=True)
class MirroredChart:
    """A chart that nobody publishes: only a mirror has it."""

    name: str
    version: str


Source = OciChart | ChartArchive | Manifest | MirroredChart


Version = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class TagOfChart:
    """An image tag that is a value in a file of a chart.

    Attributes:
        file: path of a YAML file in the chart, as `values.yaml`.
        path: keys that lead to the value.
        prefix: what the chart puts before it.

    """

    chart: Source
    file: str
    path: tuple[str, ...]
    prefix: str = ""

    def __str__(self) -> str:
        return f"<{'.'.join(self.path)} of chart {self.chart.name} {self.chart.version}>"


@dataclass(frozen=True, kw_only=True)
class ReleaseImage:
    """An image that pods of a release run.

    Attributes:
        name: in a mirror, without a tag.
        tag: in a mirror.
        published: where its publisher has it, without a tag; None for an image that only a mirror has.
        digest: to take instead of the tag, where upstream's manifests name one.
        is_optional: whether a mirror may lack it, because not every stack needs it.

    """

    name: str
    tag: str | TagOfChart
    published: str | None = None
    digest: str | None = None
    is_optional: bool = False


@dataclass(frozen=True, kw_only=True)
class KubernetesRange:
    """The Kubernetes versions that a release works with, as (major, minor), both ends included.

    Attributes:
        oldest_with_knative: the oldest one if Knative is installed, whose controllers exit on an older one.
        newest: the newest one that the publishers of the release's parts name.
        tested: those that the tests of this project ran on.

    """

    oldest: Version
    oldest_with_knative: Version
    newest: Version
    tested: tuple[Version, ...] = ()

    def __str__(self) -> str:
        """The range with Knative, and where it begins without."""
        whole = f"{version_text(self.oldest_with_knative)} to {version_text(self.newest)}"
        return (
            whole
            if self.oldest == self.oldest_with_knative
            else f"{whole}, without Knative from {version_text(self.oldest)}"
        )


def version_text(version: Version) -> str:
    """A version as Kubernetes writes it: 1.34."""
    return f"{version[0]}.{version[1]}"


@dataclass(frozen=True, kw_only=True)
class ModelFormat:
    """A model format and version that a serving runtime supports.

    Without `auto_select`, KServe uses the runtime only for a model that names it.
    """

    name: str
    version: str
    auto_select: bool = True


@dataclass(frozen=True, kw_only=True)
class ServingRuntime:
    """A serving runtime of the whole cluster (ClusterServingRuntime).

    Attributes:
        values_key: its key in the values of KServe's chart; None for a runtime that this program declares itself.
        image: name of its image in a mirror.
        protocols: the protocols in its `protocolVersions`. KServe has no value for `openai`.
        grpc_port: port where it serves grpc-v2, whether or not `protocols` has it; None where it does not.
        reports_loaded: whether the v1 or v2 readiness path of a model, called by the InferenceService's name, returns
            an error until the model is loaded.
        name_argument: argument of its server that gives the model its name; None where it has no such argument.

    """

    name: str
    values_key: str | None
    image: str
    formats: tuple[ModelFormat, ...]
    protocols: tuple[str, ...]
    grpc_port: int | None = None
    reports_loaded: bool = False
    name_argument: str | None = None

    @property
    def tells_when_loaded(self) -> bool:
        """Whether its servers are ready only once the model is loaded."""
        return self.reports_loaded

    @property
    def served_protocols(self) -> tuple[str, ...]:
        """Every protocol that it serves, including gRPC where it does not declare gRPC to KServe."""
        has_undeclared_grpc = self.grpc_port is not None and GRPC_V2 not in self.protocols
        return (*self.protocols, GRPC_V2) if has_undeclared_grpc else self.protocols

    def protocol_version(self, protocol: str) -> str | None:
        """Value of an InferenceService's `protocolVersion`, which KServe compares with the runtime's own."""
        if protocol == OPENAI:
            return None
        return protocol if protocol in self.protocols else "v2"

    def serves(self, *, format_name: str, version: str | None, protocol: str) -> bool:
        """Whether it serves such a model when the model names it."""
        return protocol in self.served_protocols and any(
            f.name == format_name and version in {None, f.version} for f in self.formats
        )

    def auto_selects(self, *, format_name: str, version: str | None, protocol: str) -> bool:
        """Whether KServe may select it for such a model when the model names no runtime."""
        return protocol in self.served_protocols and any(
            f.name == format_name and version in {None, f.version} and f.auto_select for f in self.formats
        )


@dataclass(frozen=True, kw_only=True)
class DeclaredRuntime(ServingRuntime):
    """A serving runtime that the release's KServe does not have: each model that needs it gets one in its namespace.

    `reports_loaded` is of the protocol's own path of readiness.

    Attributes:
        extra: what the local cluster calls its image and its models to try it with.
        tag: of its image.
        command: instead of the image's own.
        arguments: of its server; `{{.Name}}` is the InferenceService's name.
        environment: name and value of each variable; `{{.Name}}` as in the arguments.
        protocol_variable: tells the server the model's protocol, where it speaks only one at a time.
        metrics_port: of Prometheus's metrics, at `metrics_path`; None where it has none.
        ready_path: of HTTP, where the protocol's own does not tell: it gives an error until the model is loaded.

    """

    values_key: str | None = None
    extra: str
    tag: str
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    protocol_variable: str | None = None
    metrics_port: int | None = None
    metrics_path: str = "/metrics"
    ready_path: str | None = None

    @property
    def tells_when_loaded(self) -> bool:
        """Whether its servers are ready only once the model is loaded."""
        return self.reports_loaded or self.ready_path is not None


@dataclass(frozen=True, kw_only=True)
class CertManagerRelease:
    """cert-manager's chart, CRDs included."""

    chart: Source
    values: Values


@dataclass(frozen=True, kw_only=True)
class IstioRelease:
    """Istio's charts; `values` are istiod's."""

    version: str
    base: Source
    istiod: Source
    gateway: Source
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NetIstio:
    """Knative's ingress by Istio's own objects. The Knative operator installs it."""


@dataclass(frozen=True, kw_only=True)
class NetGatewayApi:
    """Knative's ingress by Gateway API objects, which Istio implements."""

    chart: Source
    version: str


@dataclass(frozen=True, kw_only=True)
class KnativeRelease:
    """The chart of the Knative operator, the version of Serving that it installs, and a chart of Serving's CRDs."""

    version: str
    operator: Source
    serving_crds: Source
    ingress: NetIstio | NetGatewayApi


@dataclass(frozen=True, kw_only=True)
class KServeRelease:
    """KServe's charts and serving runtimes.

    Attributes:
        rbac_proxy: image tag of kube-rbac-proxy.
        disabled_runtimes: keys of the runtimes in the chart's values that the release does not install.

    """

    version: str
    crds: Source
    resources: Source
    runtime_configs: Source
    rbac_proxy: str
    runtimes: tuple[ServingRuntime, ...]
    disabled_runtimes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MonitoringCharts:
    """The charts of Prometheus (kube-state-metrics included) and Grafana."""

    prometheus: Source
    grafana: Source


@dataclass(frozen=True, kw_only=True)
class PlainMonitoring:
    """Prometheus and kube-state-metrics without a chart, by their image tags; no Grafana."""

    prometheus: str
    kube_state_metrics: str


@dataclass(frozen=True, kw_only=True)
class Release:
    """A named and tested set of versions.

    Attributes:
        existing: versions of parts that a cluster may have already, by the part's name in the settings.
        images: every image that pods of the platform and of KServe's serving runtimes run.
        on_demand: images that the local cluster builds only when they are needed: image name → the extra that
            `python -m cluster add` builds it with.
        more_runtimes: for formats that its KServe has no serving runtime for.

    """

    name: str
    kubernetes: KubernetesRange
    cert_manager: CertManagerRelease
    gateway_api: Source
    istio: IstioRelease
    knative: KnativeRelease
    kserve: KServeRelease
    monitoring: MonitoringCharts | PlainMonitoring
    existing: Mapping[str, VersionRange] = field(default_factory=lambda: KSERVE_0_20_EXISTING)
    images: tuple[ReleaseImage, ...] = ()
    on_demand: Mapping[str, str] = field(default_factory=dict)
    more_runtimes: tuple[DeclaredRuntime, ...] = ()

    @property
    def runtimes(self) -> tuple[ServingRuntime, ...]:
        """The serving runtimes that KServe offers, and those that models get in their namespaces."""
        return (*self.kserve.runtimes, *self.more_runtimes)

    @property
    def needs_mirror(self) -> bool:
        """Whether some chart is in a mirror only."""
        return any(isinstance(source, MirroredChart) for source in self.sources)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every chart."""
        return tuple(self._sources())

    def _sources(self) -> Iterator[Source]:
        yield from (self.cert_manager.chart, self.gateway_api)
        yield from (self.istio.base, self.istio.istiod, self.istio.gateway)
        yield from (self.knative.operator, self.knative.serving_crds)
        yield from (self.kserve.crds, self.kserve.resources, self.kserve.runtime_configs)
        if isinstance(self.knative.ingress, NetGatewayApi):
            yield self.knative.ingress.chart
        if isinstance(self.monitoring, MonitoringCharts):
            yield from (self.monitoring.prometheus, self.monitoring.grafana)
