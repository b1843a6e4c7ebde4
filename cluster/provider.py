"""Finds or downloads Pulumi's Kubernetes provider as Pulumi publishes it, so that it need not be compiled."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from cluster.artifacts import Cache, digest, disk_usage
from cluster.catalog import PULUMI_KUBERNETES
from cluster.errors import ClusterError
from cluster.locations import logs_dir, state_dir
from cluster.processes import Watch, run

ENTRY = "provider-plugin"
PLUGIN = f"resource-kubernetes-v{PULUMI_KUBERNETES}"
# Pulumi itself would retry for five minutes where a firewall drops its connections.
SECONDS_WITHOUT_DATA = 30


def installed(plugin: Path) -> bool:
    """Whether that folder is a complete plugin; until then Pulumi keeps a `.partial` file beside it."""
    return plugin.is_dir() and not plugin.with_name(f"{plugin.name}.partial").exists()


def install_command(*options: str | Path, pulumi: str | Path = "pulumi") -> list[str]:
    """The command that installs the pinned provider into PULUMI_HOME, by default from Pulumi's site."""
    return [str(pulumi), "plugin", "install", "resource", "kubernetes", PULUMI_KUBERNETES, *map(str, options)]


@dataclass(frozen=True)
class OfficialProvider:
    """The published plugin of the pinned version, from the cache or from the user's own PULUMI_HOME."""

    cache: Cache

    @property
    def entries(self) -> dict[str, str]:
        """Name → key of the cache entry with the downloaded plugin."""
        return {ENTRY: digest(PULUMI_KUBERNETES, platform.system(), platform.machine())}

    @property
    def _entry(self) -> Path:
        return self.cache.path(ENTRY, self.entries[ENTRY])

    def find(self) -> Path | None:
        """The plugin's folder, or None when it is not on this machine."""
        if self.cache.has(ENTRY, self.entries[ENTRY]):
            return self._entry / PLUGIN
        found = (home / "plugins" / PLUGIN for home in _homes_of_the_user())
        return next((plugin.resolve() for plugin in found if installed(plugin)), None)

    def fetch(self, console: Console, *, pulumi: Path) -> bool:
        """Download the plugin into the cache with the CLI `pulumi`; returns False and prints why when that fails.

        There is no limit on a slow download, only on the time without any data.
        """
        console.print(f"fetching Pulumi's Kubernetes provider {PULUMI_KUBERNETES} from where Pulumi publishes it")
        (logs_dir() / f"{ENTRY}.log").unlink(missing_ok=True)

        def download(directory: Path) -> None:
            home = directory / "home"
            home.mkdir()
            run(
                install_command(pulumi=pulumi),
                what="fetching it",
                log=logs_dir() / f"{ENTRY}.log",
                # Pulumi downloads to TMPDIR and unpacks into its home.
                env={"PULUMI_HOME": str(home), "TMPDIR": str(directory), "PULUMI_SKIP_UPDATE_CHECK": "true"},
                watch=Watch(lambda: disk_usage(directory), seconds=SECONDS_WITHOUT_DATA),
            )
            plugin = home / "plugins" / PLUGIN
            if not installed(plugin):
                raise ClusterError(f"fetching it ended without {PLUGIN}")
            plugin.rename(directory / PLUGIN)
            shutil.rmtree(home)

        try:
            self.cache.get(ENTRY, self.entries[ENTRY], download)
        except ClusterError as error:
            console.print(
                f"  {error.message}: it is compiled instead (why: python -m cluster logs build-{ENTRY})",
                highlight=False,
                soft_wrap=True,
            )
            return False
        return True


def _homes_of_the_user() -> list[Path]:
    """The user's own PULUMI_HOMEs; those made by `cluster env` are left out, because they may hold compiled plugins."""
    chosen = os.environ.get("PULUMI_HOME")
    homes = [*([Path(chosen)] if chosen else []), Path.home() / ".pulumi"]
    return [home for home in homes if not home.resolve().is_relative_to(state_dir("").resolve())]
