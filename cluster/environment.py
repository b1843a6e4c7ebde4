"""What a shell needs to work with the local cluster by hand: kubeconfig, keys, Pulumi and its state."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster import catalog
from cluster.build import Build
from cluster.locations import logs_dir
from cluster.node.lifecycle import Node
from cluster.processes import run
from cluster.programs import usable_helm, usable_kubectl, usable_pulumi


@dataclass(frozen=True)
class Environment:
    """Programs on PATH and settings, for the plain CLIs and for `make`.

    Attributes:
        node: the local cluster; None where the tools alone are wanted, for a cluster the user has.
    """

    directory: Path
    build: Build
    node: Node | None = None

    @classmethod
    def of(cls, node: Node) -> Environment:
        """The environment of a local cluster; it goes with the cluster."""
        return cls(directory=node.directory, build=node.build, node=node)

    @property
    def _pulumi(self) -> Path:
        return self.directory / "pulumi"

    @property
    def _programs(self) -> Path:
        return self.directory / "bin"

    def prepare(self) -> None:
        """Lay out what the variables name; nothing changes when it is there."""
        state, home = self._pulumi / "state", self._pulumi / "home"
        for directory in (state, home, self._programs):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The CLI writes 100 MB of its own log a run, half of a preview's time, unless it cannot make this folder.
        (home / "logs").touch()
        passphrase = self._pulumi / "passphrase"
        if not passphrase.exists():
            passphrase.touch(mode=0o600)
            passphrase.write_text(secrets.token_hex(20))
        self._link_programs()
        self._install_provider(home)
        remove_stale_locks(state)

    def _link_programs(self) -> None:
        parts = self.build.catalog
        programs: dict[str, Path] = {}
        if self.node and not usable_kubectl():
            programs["kubectl"] = parts.part(catalog.KUBERNETES_PART) / "kubectl"
        if self.node and not usable_helm():
            programs["helm"] = self.build.helm
        if not usable_pulumi():
            # The CLI looks for its language host beside itself, and warns when that folder is on PATH.
            beside = self._pulumi / "cli"
            beside.mkdir(exist_ok=True)
            host = parts.part(catalog.PULUMI_PYTHON_PART)
            binaries = [parts.part(catalog.PULUMI_PART) / "pulumi", host / "pulumi-language-python"]
            for source in [*binaries, *(host / "sources").rglob("pulumi-*")]:
                if source.is_file():
                    target = beside / source.name
                    if not target.exists():
                        _link_or_copy(source, target)
                    target.chmod(0o755)
            programs["pulumi"] = beside / "pulumi"
        for name, target in programs.items():
            link = self._programs / name
            link.unlink(missing_ok=True)
            link.symlink_to(target)

    def _install_provider(self, home: Path) -> None:
        plugin = home / "plugins" / f"resource-kubernetes-v{catalog.PULUMI_KUBERNETES}"
        if plugin.is_dir():
            return
        binary = self.build.catalog.part(catalog.PROVIDER_PART) / "provider"
        run(
            [
                *("pulumi", "plugin", "install", "resource", "kubernetes", catalog.PULUMI_KUBERNETES),
                *("--file", str(binary), "--reinstall"),
            ],
            what="installing Pulumi's Kubernetes provider",
            log=logs_dir() / "provider-plugin.log",
            env=self.variables(),
        )

    def variables(self) -> dict[str, str]:
        """The variables; PATH starts with our programs and this Python's."""
        python = Path(sys.executable).parent
        cluster = (
            {
                "KUBECONFIG": str(self.node.kubeconfig),
                "AWS_SHARED_CREDENTIALS_FILE": str(self.node.credentials),
            }
            if self.node
            else {}
        )
        return cluster | {
            # Without the metadata files: one that a killed run leaves half-written makes the whole stack unreadable.
            "PULUMI_BACKEND_URL": f"file://{self._pulumi / 'state'}?metadata=skip",
            # More than the default eight: most of them wait for pods.
            "PULUMI_PARALLEL": "32",
            "PULUMI_HOME": str(self._pulumi / "home"),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self._pulumi / "passphrase"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "HELM_CACHE_HOME": str(self._pulumi / "helm"),
            "VIRTUAL_ENV": str(python.parent),
            "PATH": os.pathsep.join([str(self._programs), str(python), os.environ.get("PATH", "")]),
        }


def remove_stale_locks(state: Path) -> None:
    """Remove the locks of Pulumi runs that were killed; those of running ones stay."""
    for lock in (state / ".pulumi" / "locks").rglob("*.json"):
        try:
            holder = int(json.loads(lock.read_text())["pid"])
        except (OSError, ValueError, KeyError):
            continue
        if not psutil.pid_exists(holder):
            lock.unlink(missing_ok=True)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
