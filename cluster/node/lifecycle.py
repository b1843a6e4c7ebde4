"""A node's life: created once, started again after whatever ended it, removed without a trace."""

from __future__ import annotations

import configparser
import json
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx2 as httpx
import tenacity
from lightkube import ApiError, Client, KubeConfig
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.resources.apps_v1 import DaemonSet, Deployment
from lightkube.resources.core_v1 import Node as NodeResource
from rich.console import Console

from cluster import catalog
from cluster.artifacts import Cache, digest, remove_tree
from cluster.build import Build
from cluster.errors import ClusterError
from cluster.locations import PROJECT
from cluster.node.container import Container
from cluster.node.network import Network
from cluster.node.root_files import write_files
from cluster.registry import PORT as REGISTRY_PORT

S3_PORT = 9000
S3_REGION = "us-east-1"
IMAGE_REPOSITORY = f"localhost:{REGISTRY_PORT}"
IMAGE_STORE = "image-store"
PROGRAMS = ("containerd", "kubelet", "registry", "s3")
# The kubelet sets these for the whole machine; `down` puts them back.
HOST_SETTINGS = tuple(
    Path("/proc/sys") / name
    for name in (
        *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
        *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
    )
)


@dataclass(frozen=True)
class Health:
    """What of a node works; `ready` when all of it does."""

    running: bool
    stopped: tuple[str, ...] = ()
    api: bool = False
    node_ready: bool = False
    dns: bool = False

    @property
    def ready(self) -> bool:
        """Whether everything works."""
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
    """One local cluster; everything it owns lies below `directory`."""

    name: str
    directory: Path
    network: Network
    build: Build

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of the cluster's administrator."""
        return self.directory / "kubeconfig"

    @property
    def credentials(self) -> Path:
        """The S3 keys in an AWS shared credentials file, under the profile `kserve-multi-model`."""
        return self.directory / "aws-credentials"

    @property
    def s3_endpoint(self) -> str:
        """The S3 server, as pods and the host reach it."""
        return f"http://{self.network.node}:{S3_PORT}"

    @property
    def logs(self) -> Path:
        """Logs of the node's programs."""
        return self.directory / "var" / "log"

    @property
    def _log(self) -> Path:
        return self.logs / "node.log"

    @property
    def _initialised(self) -> Path:
        return self.directory / "initialised"

    @property
    def _host_settings(self) -> Path:
        return self.directory / "host-settings.json"

    @cached_property
    def container(self) -> Container:
        """The container the node runs in."""
        built, var = self.build.catalog, self.directory / "var"
        return Container(
            name=self.name,
            directory=self.directory / "container",
            lower=built.root_filesystem(catalog.NODE_FILESYSTEM),
            binds=(
                (built.part(catalog.KUBERNETES_PART), "/opt/kubernetes", False),
                (built.part(catalog.REGISTRY_PART), "/opt/registry", False),
                (built.part(catalog.VERSITYGW_PART), "/opt/versitygw", False),
                (self.build.registry, "/srv/registry", False),
                (self.directory / "s3", "/srv/s3", True),
                (var / "containerd", "/var/lib/containerd", True),
                (var / "kubelet", "/var/lib/kubelet", True),
                (var / "etcd", "/var/lib/etcd", True),
                (var / "log", "/var/log", True),
            ),
        )

    def client(self) -> Client:
        """A Kubernetes client of the cluster."""
        return Client(config=KubeConfig.from_file(self.kubeconfig), timeout=httpx.Timeout(10))

    def health(self) -> Health:
        """What works right now."""
        if self.container.pid() is None:
            return Health(running=False)
        control = ("supervisorctl", "-c", "/etc/supervisor/node.conf", "status")
        inside = ("runc", "--root", str(self.container.directory / "runc"), "exec", self.name, *control)
        listed = subprocess.run(inside, capture_output=True, text=True, check=False).stdout
        running = {line.split()[0] for line in listed.splitlines() if "RUNNING" in line}
        stopped = tuple(program for program in PROGRAMS if program not in running)
        try:
            client = self.client()
            node = client.get(NodeResource, self.name)
            dns = client.get(Deployment, "coredns", namespace="kube-system")
        except (httpx.HTTPError, ApiError, OSError):
            return Health(running=True, stopped=stopped)
        conditions = (node.status.conditions if node.status else None) or []
        ready = any(condition.type == "Ready" and condition.status == "True" for condition in conditions)
        replicas = dns.status.readyReplicas if dns.status else None
        return Health(running=True, stopped=stopped, api=True, node_ready=ready, dns=bool(replicas))

    def up(self, console: Console) -> bool:
        """Create the node, or start it again, or see that it works; False when there was nothing to do.

        Raises:
            ClusterError: it did not become ready; says which part.
        """
        if self._initialised.exists():
            if self.health().ready:
                return False
            self._wait_ready_or_restart(console)
            return True
        if self.directory.exists():
            console.print(f"  removing what an interrupted start of {self.name} left")
            self.down()
        self._create(console)
        return True

    def down(self) -> None:
        """End the node and remove everything it owns but what is in the cache."""
        self.container.delete()
        self.network.disconnect()
        if self._host_settings.exists():
            for path, value in json.loads(self._host_settings.read_text()).items():
                Path(path).write_text(value)
        if self.directory.exists():
            remove_tree(self.directory)

    def _wait_ready_or_restart(self, console: Console) -> None:
        """Supervisor and kubelet bring most things back by themselves; a dead container is started again."""
        if self.container.pid() is not None:
            console.print(f"  {self.name}: {self.health()}; waiting for it to recover")
            try:
                self._wait_ready(seconds=60)
            except ClusterError:
                console.print(f"  {self.name}: {self.health()}; starting it again")
            else:
                return
        self.container.delete()
        self.network.disconnect()
        with console.status(f"starting the node {self.name} again"):
            self._boot()
            self._wait_ready(seconds=180)
        console.print(f"  [green]✓[/] node {self.name} started again")

    def _create(self, console: Console) -> None:
        self.network.check_free()
        self.directory.mkdir(parents=True, mode=0o700)
        settings = {str(path): path.read_text() for path in HOST_SETTINGS if path.exists()}
        self._host_settings.write_text(json.dumps(settings))
        for _, path, writable in self.container.binds:
            if writable and path != "/var/lib/containerd":
                next(s for s, d, _ in self.container.binds if d == path).mkdir(parents=True)
        for name in ("iam", "data"):
            (self.directory / "s3" / name).mkdir()
        self._write_files()
        cache, key = self.build.cache, self._image_store_key()
        stored = cache.has(IMAGE_STORE, key)
        containerd = self.directory / "var" / "containerd"
        if stored:
            _link_tree(cache.path(IMAGE_STORE, key), containerd)
        else:
            containerd.mkdir()
        with console.status(f"starting the node {self.name}") as status:
            self._boot()
            if not stored:
                status.update("unpacking the images")
                self._unpack_images(cache, key)
            status.update("starting Kubernetes")
            self._initialise()
            self._wait_ready(seconds=180)
        self._initialised.touch()
        console.print(f"  [green]✓[/] node {self.name}: Kubernetes {catalog.KUBERNETES} at {self.network.node}")

    def _write_files(self) -> None:
        keys = {"aws_access_key_id": secrets.token_hex(10), "aws_secret_access_key": secrets.token_hex(20)}
        profile = configparser.ConfigParser()
        profile[PROJECT] = keys
        self.credentials.touch(mode=0o600)
        with self.credentials.open("w") as file:
            profile.write(file)
        upper = self.container.upper
        write_files(
            root=upper,
            values={
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
            },
        )
        for program in ("kubeadm", "kubelet", "kubectl"):
            (upper / "usr/local/bin" / program).symlink_to(f"/opt/kubernetes/{program}")

    def _boot(self) -> None:
        self.network.connect(self.container.start(self._log))
        self._wait_containerd()

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(ClusterError),
        wait=tenacity.wait_fixed(0.1),
        stop=tenacity.stop_after_delay(30),
        reraise=True,
    )
    def _wait_containerd(self) -> None:
        self.container.execute("ctr", "version")

    def _initialise(self) -> None:
        """Kubeadm, with DNS only once kube-proxy's rules exist: started earlier its first dial hangs for 30 s."""

        def kubeadm(*arguments: str) -> None:
            command = ("kubeadm", "init", *arguments, "--config", "/etc/kubernetes/kubeadm.yaml")
            self.container.execute(*command, log=self._log, what="kubeadm init")

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
        if "default/kubernetes:https" not in self.container.execute("iptables-nft-save", "-t", "nat"):
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

    def _image_store_key(self) -> str:
        images = [image.key(self.build.cache) for image in self.build.content.images]
        return digest(images, catalog.NODE_FILESYSTEM.key, IMAGE_REPOSITORY)

    def stored_entries(self) -> dict[str, str]:
        """The node's own cache entry: name → key."""
        return {IMAGE_STORE: self._image_store_key()}

    def _unpack_images(self, cache: Cache, key: str) -> None:
        """Pull every image once and keep containerd's store, so that later nodes start with all of them."""
        for image in self.build.content.images:
            name = f"{IMAGE_REPOSITORY}/{image.name}:{image.tag}"
            self.container.execute(
                *("ctr", "--namespace", "k8s.io", "images", "pull", "--plain-http", name),
                log=self._log,
                what=f"unpacking the image {image.name}",
            )
        control = ("supervisorctl", "-c", "/etc/supervisor/node.conf")
        self.container.execute(*control, "stop", "containerd")
        containerd = self.directory / "var" / "containerd"
        cache.get(IMAGE_STORE, key, lambda directory: _link_tree(containerd, directory))
        self.container.execute(*control, "start", "containerd")
        self._wait_containerd()


def _link_tree(source: Path, target: Path) -> None:
    """Copy containerd's store: layers are never written to, so they are linked; its databases are copied."""
    command = ["cp", "--archive", "--no-target-directory"]
    linked = subprocess.run([*command, "--link", source, target], capture_output=True, text=True, check=False)
    if linked.returncode != 0:
        # Another file system: no links between the two.
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run([*command, source, target], check=True, capture_output=True, text=True)
    for database in source.rglob("*.db"):
        copy = target / database.relative_to(source)
        copy.unlink()
        shutil.copy2(database, copy)
