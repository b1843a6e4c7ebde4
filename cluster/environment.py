"""The programs, files and variables that a shell needs for Pulumi, with the local cluster or with one the user has."""

from __future__ import annotations

import filecmp
import json
import os
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from cluster import catalog
from cluster.artifacts import PARTIAL, write_whole
from cluster.build import Build
from cluster.errors import ClusterError
from cluster.locations import TOOLS, logs_dir, state_dir
from cluster.node.lifecycle import Node
from cluster.processes import run, running
from cluster.programs import usable_helm, usable_kubectl, usable_pulumi
from cluster.provider import PLUGIN, OfficialProvider, install_command, installed

# Recorded of a provider that Pulumi published; of a compiled one, its cache key is recorded.
OFFICIAL = "official"


@dataclass(frozen=True)
class Environment:
    """Programs on PATH, files and variables for the plain command lines and for `make`.

    Attributes:
        node: the local cluster; None for Pulumi alone, with a cluster the user has.
    """

    build: Build
    node: Node | None = None

    @property
    def directory(self) -> Path:
        """The folder with all files; it is removed with the local cluster."""
        return self.node.directory if self.node else state_dir(TOOLS)

    @property
    def _pulumi(self) -> Path:
        return self.directory / "pulumi"

    @property
    def _programs(self) -> Path:
        return self.directory / "bin"

    def prepare(self) -> None:
        """Make the files that the variables name, if they are not there yet.

        Raises:
            ClusterError: Pulumi's provider is neither installed nor built, or cannot be installed.
        """
        state, home = self._pulumi / "state", self._pulumi / "home"
        for directory in (state, home, self._programs):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A file where Pulumi wants a folder: otherwise each run writes 100 MB of logs, half of a preview's time.
        (home / "logs").touch()
        passphrase = self._pulumi / "passphrase"
        if not passphrase.exists():
            write_whole(passphrase, secrets.token_hex(20))
        self._link_programs()
        self._install_provider()
        remove_stale_locks(state)

    def _link_programs(self) -> None:
        parts = self.build.catalog
        if self.node and not usable_kubectl():
            _place(parts.part(catalog.KUBERNETES_PART) / "kubectl", self._programs / "kubectl")
        if self.node and not usable_helm():
            _place(self.build.helm, self._programs / "helm")
        link = self._programs / "pulumi"
        if usable_pulumi():
            # A link made when the machine had no Pulumi would be found first.
            link.unlink(missing_ok=True)
            return
        # The CLI looks for its language host in its own folder, and warns when that folder is on PATH.
        beside = self._pulumi / "cli"
        beside.mkdir(exist_ok=True)
        host = parts.part(catalog.PULUMI_PYTHON_PART)
        binaries = [parts.part(catalog.PULUMI_PART) / "pulumi", host / "pulumi-language-python"]
        for source in [*binaries, *(host / "sources").rglob("pulumi-*")]:
            _place(source, beside / source.name)
        link.unlink(missing_ok=True)
        link.symlink_to(beside / "pulumi")

    @property
    def _plugin(self) -> Path:
        return self._pulumi / "home" / "plugins" / PLUGIN

    @property
    def _recorded_plugin(self) -> Path:
        return self._plugin.with_name(f"{PLUGIN}.key")

    def has_provider(self) -> bool:
        """Whether the provider is installed, either as published or as built from the present pins."""
        if not (installed(self._plugin) and self._recorded_plugin.exists()):
            return False
        recorded = self._recorded_plugin.read_text()
        return recorded == OFFICIAL or recorded == self.build.catalog.toolchain.key(catalog.PROVIDER_PART)

    def _install_provider(self) -> None:
        if self.has_provider():
            return
        if official := OfficialProvider(self.build.cache).find():
            self._install_plugin(official, record=OFFICIAL)
            return
        binary = self.build.catalog.part(catalog.PROVIDER_PART) / "provider"
        if binary.exists():
            self._install_plugin(binary, record=self.build.catalog.toolchain.key(catalog.PROVIDER_PART))
        # A provider from an older build still serves what was deployed with it.
        elif not any(installed(found) for found in self._plugin.parent.glob("resource-kubernetes-v*")):
            raise ClusterError(
                "Pulumi's Kubernetes provider is not installed",
                hint="python -m cluster up gets it, and python -m cluster tools for a cluster you have.",
            )

    def _install_plugin(self, source: Path, *, record: str) -> None:
        self._recorded_plugin.unlink(missing_ok=True)
        run(
            install_command("--file", source, "--reinstall"),
            what="installing Pulumi's Kubernetes provider",
            log=logs_dir() / "provider-plugin-install.log",
            env=self.variables(),
        )
        write_whole(self._recorded_plugin, record)

    def variables(self) -> dict[str, str]:
        """The variables; PATH starts with the folders of these programs and of this Python."""
        python = Path(sys.executable).parent
        cluster = (
            {
                "KUBECONFIG": str(self.node.kubeconfig),
                "AWS_SHARED_CREDENTIALS_FILE": str(self.node.credentials),
                **self.node.network.proxy_exceptions(),
            }
            if self.node
            else {}
        )
        return cluster | {
            # Without metadata files: a half-written one, left by a killed run, makes the whole stack unreadable.
            "PULUMI_BACKEND_URL": f"file://{self._pulumi / 'state'}?metadata=skip",
            # More operations than by default, because most of them only wait for pods.
            "PULUMI_PARALLEL": "32",
            "PULUMI_HOME": str(self._pulumi / "home"),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self._pulumi / "passphrase"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            # `make` keeps the encryption salt out of the stack file, where `pulumi up` by hand would create a new one.
            "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
            "HELM_CACHE_HOME": str(self._pulumi / "helm"),
            "VIRTUAL_ENV": str(python.parent),
            "PATH": os.pathsep.join([str(self._programs), str(python), os.environ.get("PATH", "")]),
        }


def remove_stale_locks(state: Path) -> None:
    """Remove the locks of Pulumi runs that were killed, and keep those of running ones."""
    for lock in (state / ".pulumi" / "locks").rglob("*.json"):
        try:
            holder = int(json.loads(lock.read_text())["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if running(holder, recorded=lock) is None:
            lock.unlink(missing_ok=True)


def _place(program: Path, target: Path) -> None:
    """Link or copy a program to `target` in one step; do nothing when `program` was not built."""
    if not program.is_file() or (target.exists() and filecmp.cmp(program, target)):
        return
    partial = target.with_name(f"{PARTIAL}{target.name}")
    partial.unlink(missing_ok=True)
    try:
        partial.hardlink_to(program)
    except OSError:
        shutil.copy2(program, partial)
    partial.chmod(0o755)
    partial.replace(target)
