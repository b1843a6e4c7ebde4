"""What the local cluster needs of the machine, checked before anything is built or started."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import psutil

from cluster.errors import ClusterError

GIB = 1 << 30
# Compilers' caches while Go parts are built; a running cluster with its images.
DISK_TO_COMPILE = 40 * GIB
DISK_TO_RUN = 12 * GIB
MEMORY = 6 * GIB
KERNEL_FEATURES = {
    "overlayfs": Path("/proc/filesystems"),
    "cgroups": Path("/sys/fs/cgroup"),
    "network namespaces": Path("/proc/self/ns/net"),
    "cgroup namespaces": Path("/proc/self/ns/cgroup"),
    "PID namespaces": Path("/proc/self/ns/pid"),
    "/dev/kmsg": Path("/dev/kmsg"),
}
OTHER_WAY = "Or use a cluster you have: make up CONTEXT=<kube-context>"


def _free(directory: Path) -> int:
    while not directory.exists():
        directory = directory.parent
    return shutil.disk_usage(directory).free


def problems(*, cache: Path, to_compile: bool) -> list[str]:
    """What stands against a local cluster here, one sentence each; empty when nothing does."""
    found = []
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        found.append(f"it runs on Linux/x86_64 only; this is {platform.system()}/{platform.machine()}")
        return found
    if os.geteuid() != 0:
        found.append("it needs root (namespaces, a veth pair, a container); run as root or with sudo")
    if not shutil.which("apt-get"):
        found.append("it installs Debian packages; there is no apt-get here")
    needed = DISK_TO_COMPILE if to_compile else DISK_TO_RUN
    free = _free(cache)
    if free < needed:
        found.append(f"{cache} has {free / GIB:.0f} GiB free; {needed // GIB} GiB are needed")
    memory = psutil.virtual_memory().available
    if memory < MEMORY:
        found.append(f"{memory / GIB:.1f} GiB of memory are available; {MEMORY // GIB} GiB are needed")
    missing = [feature for feature, path in KERNEL_FEATURES.items() if not path.exists()]
    filesystems = Path("/proc/filesystems")
    if filesystems.exists() and "overlay" not in filesystems.read_text().split():
        missing.append("overlayfs")
    if missing:
        found.append(f"the kernel lacks {', '.join(missing)}")
    return found


def check(*, cache: Path, to_compile: bool) -> None:
    """Refuse a machine that cannot run the local cluster.

    Raises:
        ClusterError: lists everything that is missing and names the other way.
    """
    found = problems(cache=cache, to_compile=to_compile)
    if found:
        listed = "\n".join(f"  - {problem}" for problem in found)
        raise ClusterError(f"the local cluster cannot run on this machine:\n{listed}", hint=OTHER_WAY)
