"""Creates a node, starts it again after it ended, and removes it with everything it left on the machine."""

from __future__ import annotations

import configparser
import json
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

import httpx2 as httpx
import tenacity
from lightkube import ApiError, Client, KubeConfig
from lightkube.core.exceptions import ConfigError
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.resources.apps_v1 import DaemonSet, Deployment
from lightkube.resources.core_v1 import Node as NodeResource
from rich.console import Console

from cluster import catalog, host
from cluster.artifacts import Cache, digest, locked, remove_tree, write_whole
from cluster.build import Build
from cluster.errors import ClusterError
from cluster.locations import PROJECT, TOOLS, cache_dir, state_dir
from cluster.node.container import Bind, NodeContainer
from cluster.node.metrics import metrics_server_objects
from cluster.node.network import Network
from cluster.processes import output
from cluster.registry import CONTENT
from cluster.registry import PORT as REGISTRY_PORT

S3_PORT = 9000
S3_REGION = "us-east-1"
IMAGE_REPOSITORY = f"localhost:{REGISTRY_PORT}"
IMAGE_STORE = "image-store"
PROGRAMS = ("containerd", "kubelet", "registry", "s3")
SUPERVISOR = ("supervisorctl", "-c", "/etc/supervisor/node.conf")
# Seconds after which a command in the node counts as hung; kubeadm itself waits up to four minutes.
PROBE_TIMEOUT = 15
KUBEADM_TIMEOUT = 600
UNPACK_TIMEOUT = 600
COPY_TIMEOUT = 1800
# Short, because it is also part of an interface's name, which may have 15 letters.
NAME = re.compile("[a-z0-9]([-a-z0-9]{0,9}[a-z0-9])?")
# Cache entries that are mounted into a node, and where.
ENTRIES = {
    catalog.KUBERNETES_PART.name: "/opt/kubernetes",
    catalog.REGISTRY_PART.name: "/opt/registry",
    catalog.VERSITYGW_PART.name: "/opt/versitygw",
}
# Templates of files in the node's root filesystem.
ROOT_FILES = Path(__file__).parent / "root"
# Files in a node's directory.
INITIALISED_FILE = "initialised"
ENTRIES_FILE = "entries.json"
SUBNET_FILE = "subnet"
EXTRAS_FILE = "extras.json"
HOST_SETTINGS_FILE = "host-settings.json"
# The kubelet changes these for the whole machine; `down` restores them.
HOST_SETTINGS = tuple(
    Path("/proc/sys") / name
    for name in (
        *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
        *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
    )
)


def nodes(states: Path) -> list[Path]:
    """The directories in `states` of this machine's nodes, including those of an interrupted `up` or `down`."""
    return sorted({file.parent for name in (ENTRIES_FILE, INITIALISED_FILE) for file in states.glob(f"*/{name}")})


def recorded_entries(directory: Path) -> dict[str, str]:
    """Name → key of the cache entries that the node in that directory was started from; empty when unknown."""
    return _read_texts(directory / ENTRIES_FILE)


def node_entries(build: Build) -> dict[str, str]:
    """Name → key of the cache entries that a new node is started from."""
    return build.keys((catalog.NODE_FILESYSTEM.name, *ENTRIES, CONTENT))


def image_store_key(build: Build) -> str:
    """The key of the cache entry with containerd's store of all images, unpacked."""
    images = [image.key(build.cache) for image in build.content.images]
    return digest(images, catalog.NODE_FILESYSTEM.key, IMAGE_REPOSITORY)


@dataclass(frozen=True)
class Health:
    """Which parts of a node work."""

    running: bool
    stopped: tuple[str, ...] = ()
    api: bool = False
    node_ready: bool = False
    dns: bool = False

    @property
    def ready(self) -> bool:
        """Whether all parts work."""
        return self.running and self.api and self.node_ready and self.dns and not self.stopped

    def __str__(self) -> str:
        if not self.running:
            return "not running"
        faults = [f"{program} is down" for program in self.stopped]
        faults += [] if self.api else ["the API server does not answer"]
        faults += [] if self.node_ready or not self.api else ["the node is not Ready"]
        faults += [] if self.dns or not self.api else ["DNS is not Ready"]
        return ", ".join(faults) or "ready"


@dataclass(frozen=True)
class Node:
    """A local cluster's node; all its files are in `directory`.

    Raises:
        ClusterError: the name is not allowed.
    """

    name: str
    directory: Path
    network: Network
    cache: Cache

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or self.name == TOOLS:
            raise ClusterError(
                f"--name {self.name!r}: not a name for a local cluster",
                hint=f"Use 1 to 11 of a-z, 0-9 and inner hyphens, but not {TOOLS!r}.",
            )

    @classmethod
    def named(cls, name: str, *, subnet: str, cache: Cache) -> Node:
        """The node of that name: on its own subnet when it exists, else on `subnet`.

        Raises:
            ClusterError: the name or the subnet is not allowed.
        """
        directory = state_dir(name)
        saved = directory / SUBNET_FILE
        # An interrupted start does not count; that node is created anew.
        known = (directory / INITIALISED_FILE).exists() and saved.exists()
        network = Network(name=name, subnet=saved.read_text() if known else subnet)
        return cls(name=name, directory=directory, network=network, cache=cache)

    @property
    def initialised(self) -> bool:
        """Whether its creation was completed, so that it can be started again."""
        return self._initialised.exists()

    @property
    def entries(self) -> dict[str, str]:
        """Name → key of the cache entries it was started from; empty when unknown."""
        return recorded_entries(self.directory)

    @property
    def root_filesystem(self) -> Path:
        """The cache entry with its root filesystem."""
        name = catalog.NODE_FILESYSTEM.name
        return self.cache.path(name, self.entries.get(name, ""))

    def lost_entries(self) -> list[str]:
        """Names of the entries it was started from that the cache no longer has."""
        return [name for name, key in self.entries.items() if not self.cache.has(name, key)]

    def outdated(self, build: Build) -> bool:
        """Whether it exists and was started from other cache entries than those of `build`."""
        return self.initialised and self.entries != node_entries(build)

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the cluster's administrator."""
        return self.directory / "kubeconfig"

    @property
    def credentials(self) -> Path:
        """The S3 keys in an AWS shared credentials file, under the profile `kserve-multi-model`."""
        return self.directory / "aws-credentials"

    @property
    def s3_endpoint(self) -> str:
        """The URL of the S3 server, for pods and for the host."""
        return f"http://{self.network.node}:{S3_PORT}"

    @property
    def logs(self) -> Path:
        """The folder with the logs of the node's programs."""
        return self.directory / "var" / "log"

    @property
    def _log(self) -> Path:
        return self.logs / "node.log"

    @property
    def _initialised(self) -> Path:
        return self.directory / INITIALISED_FILE

    @property
    def container(self) -> NodeContainer:
        """The container that the node runs in."""
        return NodeContainer(name=self.name, directory=self.directory / "container")

    @property
    def _registry(self) -> Path:
        """The registry's storage: the initial content and the extras added later, hard-linked from the cache."""
        return self.directory / "registry"

    @property
    def extras(self) -> dict[str, str]:
        """Name → key of the cache entries that were added to its registry."""
        return _read_texts(self.directory / EXTRAS_FILE)

    def add_extra(self, build: Build, name: str) -> bool:
        """Add the images of an extra that was built to its registry; returns False if they were there already."""
        entry = build.entries[build.extras[name].entry]
        if self.extras.get(entry.name) == entry.key:
            return False
        _link_tree(self.cache.path(entry.name, entry.key), self._registry)
        write_whole(self.directory / EXTRAS_FILE, json.dumps(self.extras | {entry.name: entry.key}))
        return True

    @property
    def _data(self) -> tuple[Bind, ...]:
        """The directories that are kept when the container ends."""
        var = self.directory / "var"
        return (
            Bind(self.directory / "s3", "/srv/s3", writable=True),
            Bind(self._registry, "/srv/registry"),
            *(Bind(var / name, f"/var/lib/{name}", writable=True) for name in ("containerd", "kubelet", "etcd")),
            Bind(self.logs, "/var/log", writable=True),
        )

    def client(self) -> Client:
        """A Kubernetes client of the cluster."""
        # Without the environment's proxies: the node is on this machine, and an unknown kind of proxy is an exception.
        return Client(config=KubeConfig.from_file(self.kubeconfig), timeout=httpx.Timeout(10), trust_env=False)

    def health(self) -> Health:
        """Find out which parts work now."""
        if self.container.pid() is None:
            return Health(running=False)
        try:
            listed = self.container.execute(*SUPERVISOR, "status", timeout=PROBE_TIMEOUT, check=False)
        except ClusterError:
            listed = ""
        running = {line.split()[0] for line in listed.splitlines() if "RUNNING" in line}
        stopped = tuple(program for program in PROGRAMS if program not in running)
        try:
            client = self.client()
            node = client.get(NodeResource, self.name)
            dns = client.get(Deployment, "coredns", namespace="kube-system")
        except (httpx.HTTPError, ApiError, ConfigError, OSError):
            # ConfigError: the start was interrupted before there was a kubeconfig.
            return Health(running=True, stopped=stopped)
        conditions = (node.status.conditions if node.status else None) or []
        ready = any(condition.type == "Ready" and condition.status == "True" for condition in conditions)
        replicas = dns.status.readyReplicas if dns.status else None
        return Health(running=True, stopped=stopped, api=True, node_ready=ready, dns=bool(replicas))

    def up(self, console: Console, *, build: Build) -> bool:
        """Create the node from `build`, or start it again; returns False when it works already.

        Raises:
            ClusterError: it did not become ready; the text names the part.
        """
        if self.initialised:
            if self.health().ready:
                return False
            self._wait_ready_or_restart(console)
            return True
        if self.directory.exists():
            console.print(f"  removing what an interrupted start of {self.name} left")
            self.down()
        self._create(console, build)
        return True

    def down(self) -> None:
        """End the node and remove everything it owns; the cache stays."""
        # First, so that an interruption leaves nothing that looks like a node to start again.
        self._initialised.unlink(missing_ok=True)
        self.container.delete()
        self.network.disconnect()
        self._restore_host_settings()
        if self.directory.exists():
            remove_tree(self.directory)

    @property
    def _host_settings(self) -> Path:
        return self.directory / HOST_SETTINGS_FILE

    @property
    def _host_settings_lock(self) -> Path:
        return cache_dir() / "locks" / "host-settings"

    def _save_host_settings(self) -> None:
        """Save the settings that the kubelet changes, unless another node saved them before it changed them."""
        with locked(self._host_settings_lock):
            # The end of another node may have unloaded the modules while this one was built.
            host.load_modules()
            if not any(self.directory.parent.glob(f"*/{HOST_SETTINGS_FILE}")):
                settings = {str(path): path.read_text() for path in HOST_SETTINGS if path.exists()}
                write_whole(self._host_settings, json.dumps(settings))

    def _restore_host_settings(self) -> None:
        """Restore settings and unload modules, or leave both to another node that still runs."""
        with locked(self._host_settings_lock):
            heirs = [node for node in nodes(self.directory.parent) if node != self.directory]
            if not heirs:
                saved = _read_texts(self._host_settings)
                for path in HOST_SETTINGS:
                    if str(path) in saved:
                        path.write_text(saved[str(path)])
                host.unload_modules()
            elif self._host_settings.exists() and not any((heir / HOST_SETTINGS_FILE).exists() for heir in heirs):
                self._host_settings.rename(heirs[0] / HOST_SETTINGS_FILE)
            self._host_settings.unlink(missing_ok=True)

    def _wait_ready_or_restart(self, console: Console) -> None:
        """Wait for supervisor and kubelet to restart what failed; start the container again when that is not enough."""
        if self.container.pid() is not None:
            console.print(f"  {self.name}: {self.health()}; waiting for it to recover")
            try:
                self._wait_ready(seconds=60)
            except ClusterError:
                console.print(f"  {self.name}: {self.health()}; starting it again")
            else:
                return
        lost = self.lost_entries() if self.entries else ["what it was started from"]
        if lost:
            raise ClusterError(
                f"the node {self.name} cannot be started again: the cache no longer has {', '.join(lost)}",
                hint="python -m cluster down, then up makes a new one.",
            )
        self.container.delete()
        self.network.disconnect()
        with console.status(f"starting the node {self.name} again"):
            self._boot()
            self._wait_ready(seconds=180)
        console.print(f"  [green]✓[/] node {self.name} started again")

    def _create(self, console: Console, build: Build) -> None:
        self.network.check_free()
        self.directory.mkdir(parents=True, mode=0o700)
        write_whole(self.directory / SUBNET_FILE, self.network.subnet)
        write_whole(self.directory / ENTRIES_FILE, json.dumps(node_entries(build)))
        self._save_host_settings()
        for bind in self._data:
            bind.source.mkdir(parents=True)
        for name in ("iam", "data"):
            (self.directory / "s3" / name).mkdir()
        self._write_files()
        key = image_store_key(build)
        stored = self.cache.has(IMAGE_STORE, key)
        if stored:
            _link_tree(self.cache.path(IMAGE_STORE, key), self._containerd)
        with console.status(f"starting the node {self.name}") as status:
            self._boot()
            if not stored:
                status.update("unpacking the images")
                self._unpack_images(build, key)
            status.update("starting Kubernetes")
            self._initialise()
            self._install_metrics_server(build)
            self._wait_ready(seconds=180)
        self._initialised.touch()
        console.print(f"  [green]✓[/] node {self.name}: Kubernetes {catalog.KUBERNETES} at {self.network.node}")

    @property
    def _containerd(self) -> Path:
        return self.directory / "var" / "containerd"

    def _write_files(self) -> None:
        keys = {"aws_access_key_id": secrets.token_hex(10), "aws_secret_access_key": secrets.token_hex(20)}
        profile = configparser.ConfigParser()
        profile[PROJECT] = keys
        self.credentials.touch(mode=0o600)
        with self.credentials.open("w") as file:
            profile.write(file)
        upper = self.container.upper
        values = {
            "name": self.name,
            "host_address": self.network.host,
            "node_address": self.network.node,
            "pod_subnet": self.network.pods,
            "node_pod_subnet": self.network.node_pods,
            "service_subnet": self.network.services,
            "kubernetes_version": catalog.KUBERNETES,
            "pause_version": catalog.PAUSE,
            "image_repository": IMAGE_REPOSITORY,
            "s3_port": str(S3_PORT),
            "s3_access_key_id": keys["aws_access_key_id"],
            "s3_secret_access_key": keys["aws_secret_access_key"],
        }
        write_root_files(upper, values)
        for program in ("kubeadm", "kubelet", "kubectl"):
            (upper / "usr/local/bin" / program).symlink_to(f"/opt/kubernetes/{program}")

    def _boot(self) -> None:
        built = {name: self.cache.path(name, key) for name, key in self.entries.items()}
        programs = [Bind(built[name], target) for name, target in ENTRIES.items()]
        if not any(self._registry.glob("*")):
            _link_tree(built[CONTENT], self._registry)
        lower = built[catalog.NODE_FILESYSTEM.name]
        self.network.connect(self.container.start(lower=lower, binds=(*programs, *self._data), log=self._log))
        self._wait_containerd()

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(ClusterError),
        wait=tenacity.wait_fixed(0.1),
        stop=tenacity.stop_after_delay(30),
        reraise=True,
    )
    def _wait_containerd(self) -> None:
        self.container.execute("ctr", "version", timeout=PROBE_TIMEOUT)

    def _initialise(self) -> None:
        """Run kubeadm; start CoreDNS after kube-proxy has written its rules, or its first connection hangs for 30 s."""

        def kubeadm(*arguments: str) -> None:
            command = ("kubeadm", "init", *arguments, "--config", "/etc/kubernetes/kubeadm.yaml")
            self.container.execute(*command, log=self._log, what="kubeadm init", timeout=KUBEADM_TIMEOUT)

        kubeadm("--skip-phases=addon/coredns")
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text((self.container.upper / "etc/kubernetes/admin.conf").read_text())
        self._wait_kube_proxy()
        kubeadm("phase", "addon", "coredns")
        self.client().patch(
            Deployment.Scale,
            "coredns",
            Deployment.Scale(spec=ScaleSpec(replicas=1)),
            namespace="kube-system",
        )

    def _install_metrics_server(self, build: Build) -> None:
        """Install metrics-server for autoscalers. Nothing waits for it: it has no numbers for its first half minute."""
        image = build.catalog.metrics_server
        client = self.client()
        manifests = build.catalog.metrics_server_manifests
        for item in metrics_server_objects(manifests, image=f"{IMAGE_REPOSITORY}/{image.name}:{image.tag}"):
            client.create(item)

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type((httpx.HTTPError, ApiError, ClusterError)),
        wait=tenacity.wait_fixed(0.2),
        stop=tenacity.stop_after_delay(120),
        reraise=True,
    )
    def _wait_kube_proxy(self) -> None:
        status = self.client().get(DaemonSet, "kube-proxy", namespace="kube-system").status
        if status is None or not status.numberReady:
            raise ClusterError("kube-proxy is not ready", log=self._log)
        if "default/kubernetes:https" not in self.container.execute(
            "iptables-nft-save", "-t", "nat", timeout=PROBE_TIMEOUT
        ):
            raise ClusterError("kube-proxy has not written its rules", log=self._log)

    def _wait_ready(self, *, seconds: float) -> None:
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda health: not health.ready),
            wait=tenacity.wait_fixed(0.3),
            stop=tenacity.stop_after_delay(seconds),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        health = attempts(self.health)
        if not health.ready:
            raise ClusterError(
                f"the node {self.name} did not become ready in {seconds:.0f} s: {health}",
                log=self.logs / "kubelet.log",
                hint="python -m cluster logs shows the rest; down, then up starts over.",
            )

    def _unpack_images(self, build: Build, key: str) -> None:
        """Pull all images, and keep containerd's store in the cache for later nodes."""
        for image in build.content.images:
            name = f"{IMAGE_REPOSITORY}/{image.name}:{image.tag}"
            self.container.execute(
                *("ctr", "--namespace", "k8s.io", "images", "pull", "--plain-http", name),
                log=self._log,
                what=f"unpacking the image {image.name}",
                timeout=UNPACK_TIMEOUT,
            )
        self.container.execute(*SUPERVISOR, "stop", "containerd")
        self.cache.get(IMAGE_STORE, key, lambda directory: _link_tree(self._containerd, directory))
        self.container.execute(*SUPERVISOR, "start", "containerd")
        self._wait_containerd()


def write_root_files(root: Path, values: Mapping[str, str]) -> None:
    """Fill in the templates of ROOT_FILES and write them to `root`; most are private, because one has the S3 keys.

    Raises:
        KeyError: a template names a value that is not in `values`.
    """
    for source in sorted(path for path in ROOT_FILES.rglob("*") if path.is_file()):
        target = root / source.relative_to(ROOT_FILES)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = Template(source.read_text()).substitute(values)
        target.touch(mode=0o600)
        target.write_text(text)
        public = target.parent == root / "etc"
        target.chmod(0o755 if text.startswith("#!") else 0o644 if public else 0o600)


def _read_texts(file: Path) -> dict[str, str]:
    """Read a JSON object of texts; the result is empty when the file is missing or damaged."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(text) for name, text in found.items()} if isinstance(found, dict) else {}


def _link_tree(source: Path, target: Path) -> None:
    """Add a store of images to `target`: layers are hard-linked, as nobody writes to them; databases are copied."""
    command = ["cp", "--archive", "--force", "--no-target-directory"]
    linked = subprocess.run([*command, "--link", source, target], capture_output=True, text=True, check=False)
    if linked.returncode != 0:
        # Hard links do not cross file systems.
        output([*command, "--remove-destination", source, target], what=f"copying {source}", timeout=COPY_TIMEOUT)
    for database in source.rglob("*.db"):
        copy = target / database.relative_to(source)
        copy.unlink()
        shutil.copy2(database, copy)
