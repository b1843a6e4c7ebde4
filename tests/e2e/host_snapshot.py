"""What a local cluster could leave on the machine, to compare before and after."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")


def _lines(*command: str) -> frozenset[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return frozenset(line for line in done.stdout.splitlines() if line and not line.startswith("#"))


@dataclass(frozen=True)
class HostSnapshot:
    """Links, routes, mounts, cgroups, kernel settings and processes of containers, as text to compare."""

    links: frozenset[str]
    routes: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    settings: frozenset[str]
    programs: frozenset[str]

    @classmethod
    def take(cls) -> HostSnapshot:
        settings = [*Path("/proc/sys/vm").glob("*overcommit*"), *Path("/proc/sys/kernel").glob("panic*")]
        settings += Path("/proc/sys/kernel/keys").glob("root_max*")
        watched = ("containerd", "kubelet", "kube-", "etcd", "supervisord", "versitygw", "runc", "pulumi", "registry")
        return cls(
            links=frozenset(line.split(": ")[1] for line in _lines("ip", "-o", "link")),
            routes=_lines("ip", "route"),
            mounts=frozenset(Path("/proc/mounts").read_text().splitlines()),
            # Of version 2, and of every hierarchy of version 1.
            cgroups=frozenset(str(path) for where in ("", "*/") for path in CGROUPS.glob(f"{where}*kmm-*")),
            settings=frozenset(f"{path}={path.read_text().strip()}" for path in settings),
            programs=frozenset(
                f"{process.pid} {process.name()}"
                for process in psutil.process_iter()
                if process.name().startswith(watched)
            ),
        )

    def left_behind(self, before: HostSnapshot) -> dict[str, list[str]]:
        """What is here now and was not `before`, by kind; empty when nothing is."""
        kinds = vars(self)
        return {kind: sorted(now - vars(before)[kind]) for kind, now in kinds.items() if now - vars(before)[kind]}
