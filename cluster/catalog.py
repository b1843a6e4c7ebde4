"""The local cluster's parts with their versions: Go programs, root filesystems, Python packages, images and charts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from cluster.artifacts import Cache
from cluster.charts import Chart, cert_manager_chart, crds_chart, knative_operator_chart, net_gateway_api_chart
from cluster.debian import RootFilesystem
from cluster.image_python import DEBIAN_PACKAGES
from cluster.images import Image, Layer
from cluster.python_packages import SITE, PythonPackages
from cluster.toolchain import ChangedCopy, GoModule, GoPart, Toolchain, source_path
from releases.local import (
    CERT_MANAGER,
    EXAMPLE,
    GATEWAY_API,
    ISTIO,
    KNATIVE,
    KSERVE,
    KUBE_RBAC_PROXY,
    KUBE_STATE_METRICS,
    NET_GATEWAY_API,
    PROMETHEUS,
)
from releases.more_formats import MLSERVER, PADDLE, PMML, TENSORFLOW, TORCHSERVE
from releases.runtimes import BANDIT_VERSION
from releases.types import DeclaredRuntime

KUBERNETES = "v1.34.3"
ETCD = "3.6.5-0"
COREDNS = "v1.12.1"
PAUSE = "3.10.1"
PULUMI = "3.259.0"
PULUMI_KUBERNETES = "4.25.0"
METRICS_SERVER = "v0.8.0"

SERVING_PROJECT = Path(__file__).parent / "serving"
# Servers that share no packages with those of `serving`: each is a uv project of its own.
MLSERVER_PROJECT = Path(__file__).parent / "mlserver"
MLSERVER_PROGRAM = MLSERVER_PROJECT / "mlserver_start"
TENSORFLOW_PROJECT = Path(__file__).parent / "tfserving"
TENSORFLOW_PROGRAM = TENSORFLOW_PROJECT / "tfserving"
TORCHSERVE_PROJECT = Path(__file__).parent / "torchserve"
TORCHSERVE_PROGRAM = TORCHSERVE_PROJECT / "torchserve_image"
BANDIT_PROGRAM = Path(__file__).parent.parent / "bandit"
EXAMPLES = Path(__file__).parent.parent / "examples"
# Examples that have an image, and the module that it runs.
EXAMPLE_PROGRAMS = {
    "named-fields": "named_fields",
    "feature-importance": "feature_importance",
    "custom-model": "text_length",
}

_PULUMI_SDK = "github.com/pulumi/pulumi/sdk/v3@v3.259.0"
_PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_PROVIDER_FILES = "cmd/pulumi-resource-kubernetes"
_PROVIDER_SCHEMAS = ("schema.json", "terraform-mapping.json")
_CERT_MANAGER = "github.com/cert-manager/cert-manager"
_ISTIO = "istio.io/istio"
_ISTIO_BOOTSTRAP = "tools/packaging/common/envoy_bootstrap.json"
_OPERATOR = "knative.dev/operator"
_OPERATOR_CHART = "config/charts/knative-operator"
_SERVING_DATA = f"cmd/operator/kodata/knative-serving/{KNATIVE}"
# The operator reads every kind's folder when it starts, so one version of each is kept.
_OPERATOR_DATA = (_SERVING_DATA, "cmd/operator/kodata/knative-eventing/1.21.0", "cmd/operator/kodata/ingress/1.21")
_NET_GATEWAY_API = "knative.dev/net-gateway-api"
_KSERVE = "github.com/kserve/kserve"
_KSERVE_CHARTS = ("kserve-crd", "kserve-crd-minimal", "kserve-resources", "kserve-runtime-configs")
# KServe and Knative are compiled with 1.4.1; the CRDs installed are those that Istio requires.
_GATEWAY_API = f"sigs.k8s.io/gateway-api@v{GATEWAY_API}"
_GATEWAY_API_CRDS = "config/crd/standard"
_METRICS_SERVER = "sigs.k8s.io/metrics-server"
_METRICS_SERVER_MANIFESTS = "manifests/base"


def _commands(prefix: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}/{name}" for name in names)


CORE = GoModule(
    name="core",
    seconds=600,
    apart=True,
    copies=(
        ChangedCopy(
            name="provider",
            module=_PROVIDER,
            version="v4.0.0-20260115033456-f47bc2d6f199",
            keep=("go.mod", "pkg", *(f"{_PROVIDER_FILES}/{name}" for name in _PROVIDER_SCHEMAS)),
            # The field became a pointer in Pulumi's package schema of 3.230, which is newer than the provider.
            edits=(("pkg/gen/schema.go", "Provider: pschema.ResourceSpec{", "Provider: &pschema.ResourceSpec{"),),
            lends=tuple((f"{_PROVIDER_FILES}/{name}", f"provider/{name}") for name in _PROVIDER_SCHEMAS),
        ),
        # The provider needs only the Helm chart's types of the generated SDK. The other 60 packages, the Go types of
        # all kinds of objects, would take longer to compile than the provider itself.
        ChangedCopy(
            name="sdk",
            module="github.com/pulumi/pulumi-kubernetes/sdk/v4",
            version="v4.24.0",
            keep=(
                *("go.mod", "go/kubernetes/customPulumiTypes.go", "go/kubernetes/utilities"),
                "go/kubernetes/helm/v4/pulumiTypes.go",
            ),
        ),
        ChangedCopy(
            name="kube-rbac-proxy",
            module="github.com/brancz/kube-rbac-proxy",
            version=KUBE_RBAC_PROXY,
            keep=("go.mod", "cmd", "pkg"),
            # The field became a pointer in Kubernetes 1.34; nil means what false meant.
            edits=(("pkg/authn/delegating.go", "Anonymous: false,", "Anonymous: nil,"),),
        ),
    ),
)
CERT_MANAGER_MODULE = GoModule(name="cert-manager", seconds=110)
ISTIO_MODULE = GoModule(name="istio", seconds=130)
PULUMI_PYTHON_MODULE = GoModule(name="pulumi-language-python", seconds=20)
MONITORING_MODULE = GoModule(name="monitoring", seconds=130)

PAUSE_PART = GoPart(name="pause", module=CORE, packages=("./pause",), seconds=1)
KUBERNETES_PART = GoPart(
    name="kubernetes",
    module=CORE,
    packages=_commands(
        "k8s.io/kubernetes/cmd",
        *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubeadm", "kubectl"),
    ),
    variables=(
        f"k8s.io/component-base/version.gitVersion={KUBERNETES}",
        "k8s.io/component-base/version.gitMajor=1",
        "k8s.io/component-base/version.gitMinor=34",
    ),
    seconds=12,
)
ETCD_PART = GoPart(name="etcd", module=CORE, packages=("go.etcd.io/etcd/server/v3",), seconds=2)
REGISTRY_PART = GoPart(
    name="registry",
    module=CORE,
    packages=("./registry", "github.com/google/go-containerregistry/cmd/crane"),
    seconds=2,
)
COREDNS_PART = GoPart(name="coredns", module=CORE, packages=("./coredns",), seconds=3)
HELM_PART = GoPart(name="helm", module=CORE, packages=("helm.sh/helm/v3/cmd/helm",), seconds=3)
VERSITYGW_PART = GoPart(
    name="versitygw", module=CORE, packages=("github.com/versity/versitygw/cmd/versitygw",), seconds=3
)
KUBE_RBAC_PROXY_PART = GoPart(
    name="kube-rbac-proxy",
    module=CORE,
    packages=("github.com/brancz/kube-rbac-proxy/cmd/kube-rbac-proxy",),
    seconds=3,
)
METRICS_SERVER_PART = GoPart(
    name="metrics-server",
    module=CORE,
    packages=(f"{_METRICS_SERVER}/cmd/metrics-server",),
    sources=((_METRICS_SERVER, _METRICS_SERVER_MANIFESTS),),
    seconds=3,
)
PULUMI_PART = GoPart(
    name="pulumi",
    for_host=True,
    module=CORE,
    packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
    variables=(f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI}",),
    seconds=5,
)
PULUMI_PYTHON_PART = GoPart(
    name="pulumi-language-python",
    for_host=True,
    module=PULUMI_PYTHON_MODULE,
    packages=("github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",),
    sources=(
        (_PULUMI_SDK, "python/cmd/pulumi-language-python-exec"),
        (_PULUMI_SDK, "python/dist/pulumi-resource-pulumi-python"),
    ),
)
PROVIDER_PART = GoPart(
    name="provider",
    for_host=True,
    module=CORE,
    packages=("./provider",),
    variables=(f"{_PROVIDER}/pkg/version.Version={PULUMI_KUBERNETES}",),
)
CERT_MANAGER_PART = GoPart(
    name="cert-manager",
    module=CERT_MANAGER_MODULE,
    packages=_commands(f"{_CERT_MANAGER}/cmd", "controller", "webhook", "cainjector"),
    sources=((_CERT_MANAGER, "deploy"),),
)
KNATIVE_SERVING_PART = GoPart(
    name="knative-serving",
    module=CORE,
    packages=(
        *_commands("knative.dev/serving/cmd", "controller", "webhook", "activator", "autoscaler"),
        *_commands("knative.dev/serving/cmd", "autoscaler-hpa", "queue"),
        "knative.dev/serving/pkg/cleanup/cmd/cleanup",
        "knative.dev/pkg/apiextensions/storageversion/cmd/migrate",
    ),
    seconds=15,
)
KNATIVE_OPERATOR_PART = GoPart(
    name="knative-operator",
    module=CORE,
    packages=_commands(f"{_OPERATOR}/cmd", "operator", "webhook"),
    sources=((_OPERATOR, _OPERATOR_CHART), *((_OPERATOR, data) for data in _OPERATOR_DATA)),
)
NET_GATEWAY_API_PART = GoPart(
    name="net-gateway-api",
    module=CORE,
    packages=_commands(f"{_NET_GATEWAY_API}/cmd", "controller", "webhook"),
    sources=((_NET_GATEWAY_API, "config"),),
)
KSERVE_PART = GoPart(
    name="kserve",
    module=CORE,
    packages=_commands(f"{_KSERVE}/cmd", "manager", "agent", "router"),
    sources=(*((_KSERVE, f"charts/{name}") for name in _KSERVE_CHARTS), (_GATEWAY_API, _GATEWAY_API_CRDS)),
    seconds=8,
)
ISTIO_PART = GoPart(
    name="istio",
    module=ISTIO_MODULE,
    packages=_commands(f"{_ISTIO}/pilot/cmd", "pilot-discovery", "pilot-agent"),
    sources=(
        (_ISTIO, "manifests/charts/base"),
        (_ISTIO, "manifests/charts/istio-control/istio-discovery"),
        (_ISTIO, "manifests/charts/gateway"),
        (_ISTIO, _ISTIO_BOOTSTRAP),
    ),
)
_PROMETHEUS = "github.com/prometheus/prometheus"
_KUBE_STATE_METRICS = "k8s.io/kube-state-metrics/v2"
PROMETHEUS_PART = GoPart(
    name="prometheus",
    module=MONITORING_MODULE,
    packages=(f"{_PROMETHEUS}/cmd/prometheus",),
    variables=(f"github.com/prometheus/common/version.Version={PROMETHEUS}",),
    # Without the discovery of targets in other systems than Kubernetes.
    tags="remove_all_sd,enable_kubernetes_sd",
)
KUBE_STATE_METRICS_PART = GoPart(
    name="kube-state-metrics",
    module=MONITORING_MODULE,
    packages=(_KUBE_STATE_METRICS,),
    variables=(f"github.com/prometheus/common/version.Version={KUBE_STATE_METRICS}",),
    # Without a meaning here, but with the same tags packages are compiled once for both.
    tags="remove_all_sd,enable_kubernetes_sd",
)
# In the order in which the images need them.
GO_PARTS = (
    *(HELM_PART, REGISTRY_PART, KUBERNETES_PART, ETCD_PART, COREDNS_PART, PAUSE_PART, VERSITYGW_PART),
    *(KNATIVE_SERVING_PART, NET_GATEWAY_API_PART, KNATIVE_OPERATOR_PART, KSERVE_PART),
    *(KUBE_RBAC_PROXY_PART, METRICS_SERVER_PART, PULUMI_PART, PROVIDER_PART),
    # Compiled while the programs of the core module are linked.
    PULUMI_PYTHON_PART,
    *(ISTIO_PART, CERT_MANAGER_PART, PROMETHEUS_PART, KUBE_STATE_METRICS_PART),
)

NODE_FILESYSTEM = RootFilesystem(
    name="rootfs-node",
    variant="essential",
    packages=(
        *("containerd", "runc", "containernetworking-plugins", "iptables", "ebtables", "conntrack", "iproute2"),
        *("socat", "ethtool", "kmod", "procps", "mount", "util-linux", "ca-certificates", "tini", "supervisor"),
    ),
    seconds=50,
)
PYTHON_FILESYSTEM = RootFilesystem(
    name="rootfs-python",
    packages=("python3-minimal", "libpython3-stdlib", "libgomp1", "libstdc++6", "ca-certificates", "netbase"),
    bytecode="usr/lib/python3.11",
)
# For PMML, whose library is Java's.
JAVA_FILESYSTEM = RootFilesystem(
    name="rootfs-java",
    packages=(*PYTHON_FILESYSTEM.packages, "openjdk-17-jre-headless"),
    links=(("usr/bin/java", "/usr/lib/jvm/java-17-openjdk-amd64/bin/java"),),
    bytecode=PYTHON_FILESYSTEM.bytecode,
    seconds=30,
)
# For Paddle, which runs shell commands when it is imported.
SHELL_FILESYSTEM = RootFilesystem(
    name="rootfs-shell",
    packages=(*PYTHON_FILESYSTEM.packages, "coreutils", "dash", "grep"),
    bytecode=PYTHON_FILESYSTEM.bytecode,
)
KUBE_PROXY_FILESYSTEM = RootFilesystem(
    name="rootfs-kube-proxy",
    packages=("iptables", "conntrack"),
    links=tuple(
        (f"usr/sbin/{family}{action}", "xtables-nft-multi")
        for family in ("iptables", "ip6tables")
        for action in ("", "-save", "-restore")
    ),
)
# For Envoy, the only binary that is linked dynamically.
LIBC_FILESYSTEM = RootFilesystem(name="rootfs-libc", packages=("libc6",))
# PyPI's PyTorch needs CUDA's libraries, of gigabytes; Debian's is built without. That of Debian 12 is of 2022.
TORCH_FILESYSTEM = RootFilesystem(
    name="rootfs-torch",
    suite="trixie",
    packages=(
        *("python3-minimal", "libpython3-stdlib", "ca-certificates", "netbase"),
        *("python3-torch", "openjdk-21-jre-headless"),
    ),
    links=(
        # Of base-files, which is one of Debian's essential packages.
        *(("lib", "usr/lib"), ("lib64", "usr/lib64"), ("bin", "usr/bin")),
        *((f"usr/lib/x86_64-linux-gnu/lib{name}.so.3", f"{name}/lib{name}.so.3") for name in ("blas", "lapack")),
    ),
    bytecode="usr/lib",
    seconds=120,
)
TORCH_PYTHON = "3.13"
JAVA_HOME = "/usr/lib/jvm/java-21-openjdk-amd64"
# What PyTorch does without on CPUs: its tests and headers, and the libraries of plugins for AMD's GPUs.
TORCH_UNUSED = (
    *("/usr/lib/libtorch-test/", "/usr/include/", f"/{DEBIAN_PACKAGES}/torch/bin/*[Tt]est*"),
    *("libLLVM*", "libamd_comgr*", "libamdhip64*", "libhsa-runtime64*", "libze_*"),
)
ROOT_FILESYSTEMS = (
    *(NODE_FILESYSTEM, PYTHON_FILESYSTEM, JAVA_FILESYSTEM, KUBE_PROXY_FILESYSTEM, LIBC_FILESYSTEM),
    *(SHELL_FILESYSTEM, TORCH_FILESYSTEM),
)

ENVOY_PACKAGES = PythonPackages(group="envoy")
SERVER_PACKAGES = PythonPackages(group="server", project=SERVING_PROJECT, python=PYTHON_FILESYSTEM)


def _format_packages(group: str) -> PythonPackages:
    return PythonPackages(
        group=group, project=SERVING_PROJECT, python=PYTHON_FILESYSTEM, beside=(SERVER_PACKAGES.group,)
    )


# Packages of one model server, on top of those that all servers share.
SKLEARN_PACKAGES = _format_packages("sklearn")
XGBOOST_PACKAGES = _format_packages("xgboost")
LIGHTGBM_PACKAGES = _format_packages("lightgbm")
ONNX_PACKAGES = _format_packages("onnx")
PMML_PACKAGES = _format_packages("pmml")
PADDLE_PACKAGES = _format_packages("paddle")
MODEL_SERVERS = {
    "sklearnserver": SKLEARN_PACKAGES,
    "xgbserver": XGBOOST_PACKAGES,
    "lgbserver": LIGHTGBM_PACKAGES,
    "onnxserver": ONNX_PACKAGES,
    "pmmlserver": PMML_PACKAGES,
    "paddleserver": PADDLE_PACKAGES,
}
TRAINING_PACKAGES = PythonPackages(group="training", project=SERVING_PROJECT, beside=("server", "sklearn"))
STORAGE_PACKAGES = PythonPackages(group="storage", project=SERVING_PROJECT, python=PYTHON_FILESYSTEM)
MLSERVER_PACKAGES = PythonPackages(group="mlserver", project=MLSERVER_PROJECT, python=PYTHON_FILESYSTEM, seconds=30)
TENSORFLOW_PACKAGES = PythonPackages(
    group="tensorflow", project=TENSORFLOW_PROJECT, python=PYTHON_FILESYSTEM, seconds=60
)
TENSORFLOW_TRAINING_PACKAGES = PythonPackages(
    group="tensorflow-training", project=TENSORFLOW_PROJECT, beside=(TENSORFLOW_PACKAGES.group,)
)
TORCHSERVE_PACKAGES = PythonPackages(
    group="torchserve", project=TORCHSERVE_PROJECT, python=TORCH_FILESYSTEM, version=TORCH_PYTHON
)
TORCH_TRAINING_PACKAGES = PythonPackages(
    group="torchserve-training", project=TORCHSERVE_PROJECT, version=TORCH_PYTHON, seconds=20
)
BANDIT_PACKAGES = PythonPackages(group="bandit", python=PYTHON_FILESYSTEM)
PYTHON_PACKAGES = (
    *(ENVOY_PACKAGES, SERVER_PACKAGES, *MODEL_SERVERS.values()),
    *(STORAGE_PACKAGES, TRAINING_PACKAGES, BANDIT_PACKAGES, MLSERVER_PACKAGES),
    *(TENSORFLOW_PACKAGES, TENSORFLOW_TRAINING_PACKAGES, TORCHSERVE_PACKAGES, TORCH_TRAINING_PACKAGES),
)


@dataclass(frozen=True)
class Catalog:
    """Images and charts, by the paths of the cache entries they are made from; those need not exist yet."""

    cache: Cache

    @cached_property
    def toolchain(self) -> Toolchain:
        """Builds the Go parts."""
        return Toolchain(self.cache)

    def part(self, part: GoPart) -> Path:
        """The directory of a Go part's programs, built or not."""
        return self.cache.path(part.name, self.toolchain.key(part))

    def path(self, built: RootFilesystem | PythonPackages) -> Path:
        """The directory of a root filesystem or of packages, built or not."""
        return self.cache.path(built.name, built.key)

    def _source(self, part: GoPart, module: str, path: str) -> Path:
        return source_path(self.part(part), module, path)

    def _program(self, name: str, tag: str, part: GoPart, path: str, *, user: str = "65532") -> Image:
        """An image that runs one program of a Go part, which lies at `path` in the image."""
        files = ((self.part(part) / Path(path).name, path),)
        return Image(name=name, tag=tag, layers=(Layer(files=files),), entrypoint=(path,), user=user)

    def _control_plane(self, name: str, tag: str, part: GoPart, program: str) -> Image:
        """An image of a static pod, without an entry point because kubeadm's manifests name the command."""
        files = ((self.part(part) / program, f"/usr/local/bin/{name}"),)
        return Image(name=name, tag=tag, layers=(Layer(files=files),), user="0")

    def _python(self, name: str, *packages: PythonPackages, filesystem: RootFilesystem = PYTHON_FILESYSTEM) -> Image:
        """An image with a program of `serving/`."""
        program = SERVING_PROJECT / "serving"
        module = f"serving.{name.replace('-', '_')}"
        return self._python_image(
            f"kserve/{name}", KSERVE, *packages, program=program, module=module, filesystem=filesystem
        )

    def _python_image(
        self,
        name: str,
        tag: str,
        *packages: PythonPackages,
        program: Path,
        module: str,
        filesystem: RootFilesystem = PYTHON_FILESYSTEM,
        unused: tuple[str, ...] = (),
        environment: tuple[str, ...] = (),
    ) -> Image:
        """An image with a Python program; the interpreter, each group of packages and the program are layers.

        `unused` are the files of the root filesystem that it does without.
        """
        return Image(
            name=name,
            tag=tag,
            layers=(
                Layer(files=((self.path(filesystem), "/"),), exclude=unused),
                *(Layer(files=((self.path(group), SITE),), exclude=_site_excludes(group)) for group in packages),
                Layer(files=((program, f"/opt/app/{program.name}"),), exclude=("__pycache__/",)),
            ),
            entrypoint=("/usr/bin/python3", "-m", module),
            user="1000",
            environment=(f"PYTHONPATH=/opt/app:{SITE}", "PYTHONUNBUFFERED=1", "HOME=/tmp", *environment),
        )

    def _server_of(
        self,
        runtime: DeclaredRuntime,
        *packages: PythonPackages,
        program: Path,
        filesystem: RootFilesystem = PYTHON_FILESYSTEM,
        unused: tuple[str, ...] = (),
        environment: tuple[str, ...] = (),
    ) -> Image:
        """The image of a format's server that has a uv project of its own; it has modules of `serving`, too."""
        server = self._python_image(
            runtime.image,
            runtime.tag,
            *packages,
            program=program,
            module=program.name,
            filesystem=filesystem,
            unused=unused,
            environment=environment,
        )
        modules = Layer(files=((SERVING_PROJECT / "serving", "/opt/app/serving"),), exclude=("__pycache__/",))
        return replace(server, layers=(*server.layers, modules))

    def _example(self, name: str, *, module: str) -> Image:
        """An image with an example's program, as one more layer on KServe's SDK."""
        server = self._python("with-sdk", SERVER_PACKAGES)
        program = Layer(files=((EXAMPLES / name / f"{module}.py", f"/opt/app/{module}.py"),))
        return replace(
            server,
            name=f"examples/{name}",
            tag=EXAMPLE,
            layers=(*server.layers, program),
            entrypoint=(*server.entrypoint, module),
        )

    def node_images(self) -> list[Image]:
        """Images that kubeadm starts, under the names it expects, and metrics-server's."""
        kube_proxy = Image(
            name="kube-proxy",
            tag=KUBERNETES,
            layers=(
                Layer(files=((self.path(KUBE_PROXY_FILESYSTEM), "/"),)),
                Layer(files=((self.part(KUBERNETES_PART) / "kube-proxy", "/usr/local/bin/kube-proxy"),)),
            ),
            user="0",
        )
        return [
            *(
                self._control_plane(name, KUBERNETES, KUBERNETES_PART, name)
                for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
            ),
            kube_proxy,
            self._control_plane("etcd", ETCD, ETCD_PART, "server"),
            self._program("coredns", COREDNS, COREDNS_PART, "/coredns"),
            self._program("pause", PAUSE, PAUSE_PART, "/pause"),
            self.metrics_server,
        ]

    @property
    def metrics_server(self) -> Image:
        """Measures what pods use; the node installs it from `metrics_server_manifests`."""
        return self._program("metrics-server", METRICS_SERVER, METRICS_SERVER_PART, "/metrics-server")

    @property
    def metrics_server_manifests(self) -> Path:
        """The folder with upstream's manifests of metrics-server."""
        return self._source(METRICS_SERVER_PART, _METRICS_SERVER, _METRICS_SERVER_MANIFESTS)

    def platform_images(self) -> list[Image]:
        """Images that the charts and KServe start, under their upstream names."""
        operator_data = tuple(
            (self._source(KNATIVE_OPERATOR_PART, _OPERATOR, data), data.replace("cmd/operator/kodata", "/var/run/ko"))
            for data in _OPERATOR_DATA
        )
        operator = Image(
            name="knative-operator/operator",
            tag=f"v{KNATIVE}",
            layers=(
                Layer(files=((self.part(KNATIVE_OPERATOR_PART) / "operator", "/ko-app/operator"), *operator_data)),
            ),
            entrypoint=("/ko-app/operator",),
            environment=("KO_DATA_PATH=/var/run/ko",),
        )
        bootstrap = self._source(ISTIO_PART, _ISTIO, _ISTIO_BOOTSTRAP)
        pilot_agent = "/usr/local/bin/pilot-agent"
        proxy = Image(
            name="istio/proxyv2",
            tag=ISTIO,
            layers=(
                Layer(files=((self.path(LIBC_FILESYSTEM), "/"),)),
                Layer(files=((self.path(ENVOY_PACKAGES) / "envoy/_bin/envoy", "/usr/local/bin/envoy"),)),
                Layer(
                    files=(
                        (self.part(ISTIO_PART) / "pilot-agent", pilot_agent),
                        (bootstrap, "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json"),
                    )
                ),
            ),
            entrypoint=(pilot_agent,),
            user="1337:1337",
        )
        pilot, rbac_proxy = "/usr/local/bin/pilot-discovery", "/usr/local/bin/kube-rbac-proxy"
        cert_manager, net_gateway_api = "cert-manager/cert-manager", "knative/net-gateway-api"
        return [
            *(
                self._program(f"{cert_manager}-{name}", CERT_MANAGER, CERT_MANAGER_PART, f"/app/{name}", user="1000")
                for name in _names(CERT_MANAGER_PART)
            ),
            *(
                self._program(f"knative/{name}", f"v{KNATIVE}", KNATIVE_SERVING_PART, f"/ko-app/{name}")
                for name in _names(KNATIVE_SERVING_PART)
            ),
            *(
                self._program(
                    f"{net_gateway_api}-{name}", f"v{NET_GATEWAY_API}", NET_GATEWAY_API_PART, f"/ko-app/{name}"
                )
                for name in _names(NET_GATEWAY_API_PART)
            ),
            operator,
            self._program("knative-operator/webhook", f"v{KNATIVE}", KNATIVE_OPERATOR_PART, "/ko-app/webhook"),
            self._program("istio/pilot", ISTIO, ISTIO_PART, pilot, user="1337:1337"),
            proxy,
            self._program("kserve/kserve-controller", KSERVE, KSERVE_PART, "/manager"),
            self._program("kserve/agent", KSERVE, KSERVE_PART, "/ko-app/agent"),
            self._program("kserve/router", KSERVE, KSERVE_PART, "/ko-app/router"),
            self._program("brancz/kube-rbac-proxy", KUBE_RBAC_PROXY, KUBE_RBAC_PROXY_PART, rbac_proxy),
            *(self._python(name, SERVER_PACKAGES, MODEL_SERVERS[name]) for name in ("sklearnserver", "xgbserver")),
            self._python("storage-initializer", STORAGE_PACKAGES),
        ]

    def extra_images(self) -> dict[str, list[Image]]:
        """Images that are built when a stack, a test or a command first needs them, by the extra's name."""
        prometheus, kube_state_metrics = "prometheus/prometheus", "kube-state-metrics/kube-state-metrics"
        bandit = "kserve-multi-model/bandit"
        return {
            "monitoring": [
                self._program(prometheus, f"v{PROMETHEUS}", PROMETHEUS_PART, "/prometheus"),
                self._program(kube_state_metrics, KUBE_STATE_METRICS, KUBE_STATE_METRICS_PART, "/kube-state-metrics"),
            ],
            "lightgbm": [self._python("lgbserver", SERVER_PACKAGES, LIGHTGBM_PACKAGES)],
            "onnx": [self._python("onnxserver", SERVER_PACKAGES, ONNX_PACKAGES)],
            "bandit": [
                self._python_image(bandit, BANDIT_VERSION, BANDIT_PACKAGES, program=BANDIT_PROGRAM, module="bandit")
            ],
            MLSERVER.extra: [self._server_of(MLSERVER, MLSERVER_PACKAGES, program=MLSERVER_PROGRAM)],
            TENSORFLOW.extra: [self._server_of(TENSORFLOW, TENSORFLOW_PACKAGES, program=TENSORFLOW_PROGRAM)],
            TORCHSERVE.extra: [
                self._server_of(
                    TORCHSERVE,
                    TORCHSERVE_PACKAGES,
                    program=TORCHSERVE_PROGRAM,
                    filesystem=TORCH_FILESYSTEM,
                    unused=TORCH_UNUSED,
                    environment=(f"JAVA_HOME={JAVA_HOME}",),
                )
            ],
            PMML.extra: [self._python("pmmlserver", SERVER_PACKAGES, PMML_PACKAGES, filesystem=JAVA_FILESYSTEM)],
            PADDLE.extra: [self._python("paddleserver", SERVER_PACKAGES, PADDLE_PACKAGES, filesystem=SHELL_FILESYSTEM)],
            "examples": [self._example(name, module=module) for name, module in EXAMPLE_PROGRAMS.items()],
        }

    def charts(self) -> list[Chart]:
        """All charts, under the names and versions that the `local` release asks for."""
        istio = "manifests/charts"
        cert_manager = self._source(CERT_MANAGER_PART, _CERT_MANAGER, "deploy")
        operator = self._source(KNATIVE_OPERATOR_PART, _OPERATOR, _OPERATOR_CHART)
        gateway_api_crds = self._source(KSERVE_PART, _GATEWAY_API, _GATEWAY_API_CRDS)
        serving_crds = self._source(KNATIVE_OPERATOR_PART, _OPERATOR, _SERVING_DATA) / "1-serving-crds.yaml"
        net_gateway_api = self._source(NET_GATEWAY_API_PART, _NET_GATEWAY_API, "config")
        return [
            Chart("cert-manager", CERT_MANAGER, cert_manager, cert_manager_chart),
            Chart("gateway-api-crds", GATEWAY_API, gateway_api_crds, crds_chart),
            Chart("base", ISTIO, self._source(ISTIO_PART, _ISTIO, f"{istio}/base")),
            Chart("istiod", ISTIO, self._source(ISTIO_PART, _ISTIO, f"{istio}/istio-control/istio-discovery")),
            Chart("gateway", ISTIO, self._source(ISTIO_PART, _ISTIO, f"{istio}/gateway")),
            Chart("knative-operator", f"v{KNATIVE}", operator, partial(knative_operator_chart, version=KNATIVE)),
            Chart("knative-serving-crds", KNATIVE, serving_crds, crds_chart),
            Chart("net-gateway-api", NET_GATEWAY_API, net_gateway_api, net_gateway_api_chart),
            *(Chart(name, KSERVE, self._source(KSERVE_PART, _KSERVE, f"charts/{name}")) for name in _KSERVE_CHARTS),
        ]


def _site_excludes(packages: PythonPackages) -> tuple[str, ...]:
    """Patterns of files to leave out of site-packages; bytecode stays, because it was compiled for the image."""
    files = dict.fromkeys(project / "image-excludes.txt" for project in (SERVING_PROJECT, packages.project))
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
    return tuple(line for line in lines if line and not line.startswith("#") and line != "__pycache__/")


def _names(part: GoPart) -> list[str]:
    return [package.rsplit("/", 1)[-1] for package in part.packages]
