"""What a local cluster could leave on the machine, to compare before and after; others may live there meanwhile."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.host import KERNEL_MODULES, loaded_modules
from cluster.locations import state_dir
from tests.e2e.machine import NAME

CGROUPS = Path("/sys/fs/cgroup")
# How links, routes and cgroups of local clusters begin, and how this one's do.
ANY, OURS = "kmm-", f"kmm-{NAME}"


def _lines(*command: str) -> frozenset[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return frozenset(line for line in done.stdout.splitlines() if line and not line.startswith("#"))


def _others(text: str) -> bool:
    """Whether it is another local cluster's."""
    return ANY in text and OURS not in text


def _lineage() -> set[int]:
    """This process and those it was started by."""
    me = psutil.Process()
    return {me.pid, *(parent.pid for parent in me.parents())}


def _ours(process: psutil.Process) -> bool:
    """Whether a process is of this cluster, by its cgroup, its command or its environment."""
    try:
        words = [Path(f"/proc/{process.pid}/cgroup").read_text(), *process.cmdline(), *process.environ().values()]
    except (OSError, psutil.Error):  # it ended meanwhile
        return False
    return any(OURS in word or str(state_dir(NAME)) in word for word in words)


@dataclass(frozen=True)
class HostSnapshot:
    """Links, routes, mounts, cgroups, kernel settings and modules, and the cluster's processes, as text to compare."""

    links: frozenset[str]
    routes: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    settings: frozenset[str]
    modules: frozenset[str]
    programs: frozenset[str]

    @classmethod
    def take(cls) -> HostSnapshot:
        settings = [*Path("/proc/sys/vm").glob("*overcommit*"), *Path("/proc/sys/kernel").glob("panic*")]
        settings += Path("/proc/sys/kernel/keys").glob("root_max*")
        return cls(
            links=frozenset(line.split(": ")[1] for line in _lines("ip", "-o", "link") if not _others(line)),
            routes=frozenset(line for line in _lines("ip", "route") if not _others(line)),
            mounts=frozenset(Path("/proc/mounts").read_text().splitlines()),
            # Of version 2, and of every hierarchy of version 1.
            cgroups=frozenset(str(path) for where in ("", "*/") for path in CGROUPS.glob(f"{where}*{OURS}*")),
            settings=frozenset(f"{path}={path.read_text().strip()}" for path in settings),
            modules=frozenset(KERNEL_MODULES) & loaded_modules(),
            programs=frozenset(
                f"{process.pid} {process.name()}"
                for process in psutil.process_iter()
                if process.pid not in _lineage() and _ours(process)
            ),
        )

    def left_behind(self, before: HostSnapshot) -> dict[str, list[str]]:
        """What is here now and was not `before`, by kind; empty when nothing is."""
        kinds = vars(self)
        return {kind: sorted(now - vars(before)[kind]) for kind, now in kinds.items() if now - vars(before)[kind]}
