"""Checks what the machine must have before anything is built or started, and loads kernel modules."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil

from cluster.artifacts import write_whole
from cluster.errors import ClusterError
from cluster.locations import state_dir

GIB = 1 << 30
# Disk for the compilers' caches, for a running cluster with its images, and for logs and uploads.
DISK_TO_COMPILE = 17 * GIB
DISK_TO_COMPILE_TOOLS = 8 * GIB
DISK_TO_RUN = 12 * GIB
DISK_TO_REPAIR = 1 * GIB
MEMORY = 6 * GIB
# Modules of a stock Debian kernel that are not loaded on demand.
BRIDGE_FILTER = "br_netfilter"
KERNEL_MODULES = ("overlay", BRIDGE_FILTER)
KERNEL_FEATURES = {
    "cgroups": Path("/sys/fs/cgroup"),
    "network namespaces": Path("/proc/self/ns/net"),
    "cgroup namespaces": Path("/proc/self/ns/cgroup"),
    "PID namespaces": Path("/proc/self/ns/pid"),
    "netfilter on bridges (br_netfilter)": Path("/proc/sys/net/bridge"),
    "/dev/kmsg": Path("/dev/kmsg"),
}
FILESYSTEMS = Path("/proc/filesystems")
LOADED = Path("/proc/modules")
BOOT = Path("/proc/sys/kernel/random/boot_id")
INTERFACES = Path("/sys/class/net")
MODULES_FILE = "loaded-modules.json"
OTHER_WAY = "Or use a cluster you have: make up CONTEXT=<kube-context>"
OTHER_CLUSTER = "A deployment in a cluster you have: make down CONTEXT=<kube-context>"
NO_CLUSTER = "the local cluster cannot run on this machine"
NO_ROOT = "it needs root (namespaces, a veth pair, a container); run as root or with sudo"
CLUSTER_PLATFORMS = ("Linux/x86_64",)
# Platforms for which PyPI has a Go that can compile Pulumi.
TOOLS_PLATFORMS = ("Linux/x86_64", "Linux/aarch64", "Darwin/x86_64", "Darwin/arm64")


def check_platform(*, what: str, platforms: Sequence[str], hint: str) -> None:
    """Refuse a machine of another platform than `platforms`.

    Raises:
        ClusterError: names this machine's platform and what to do instead.
    """
    found = f"{platform.system()}/{platform.machine()}"
    if found not in platforms:
        raise ClusterError(f"{what} on {', '.join(platforms)} only; this is {found}", hint=hint)


def check_machine() -> None:
    """Refuse a machine that cannot run the local cluster; disk and memory are checked elsewhere.

    Raises:
        ClusterError: lists everything that is missing and names the alternative.
    """
    check_platform(what="the local cluster runs", platforms=CLUSTER_PLATFORMS, hint=OTHER_WAY)
    found = []
    if os.geteuid() != 0:
        found.append(NO_ROOT)
    if not shutil.which("apt-get"):
        found.append("it installs Debian packages; there is no apt-get here")
    # Without root, modules cannot be loaded, so a feature may be missing only for now.
    if not found and (missing := _missing_kernel_features()):
        found.append(f"the kernel lacks {', '.join(missing)}")
    _refuse(found)


def check_root() -> None:
    """Refuse a user who may not remove a local cluster.

    Raises:
        ClusterError: the user is not root.
    """
    _refuse([] if os.geteuid() == 0 else [NO_ROOT], refusal="the local cluster cannot be removed", hint=OTHER_CLUSTER)


def check_resources(
    *, cache: Path, disk: int, memory: int = 0, refusal: str = NO_CLUSTER, hint: str = OTHER_WAY
) -> None:
    """Refuse a machine that has less than `disk` bytes free at `cache` or less than `memory` available.

    Raises:
        ClusterError: says how much there is and how much is needed, and names the alternative.
    """
    found = []
    free = _free(cache)
    if free < disk:
        found.append(f"{cache} has {free / GIB:.0f} GiB free; {disk // GIB} GiB are needed")
    available = psutil.virtual_memory().available
    if available < memory:
        found.append(f"{available / GIB:.1f} GiB of memory are available; {memory // GIB} GiB are needed")
    _refuse(found, refusal=refusal, hint=hint)


def _refuse(problems: list[str], *, refusal: str = NO_CLUSTER, hint: str = OTHER_WAY) -> None:
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise ClusterError(f"{refusal}:\n{listed}", hint=hint)


def _missing_kernel_features() -> list[str]:
    load_modules()
    missing = [feature for feature, path in KERNEL_FEATURES.items() if not path.exists()]
    return missing if "overlay" in FILESYSTEMS.read_text().split() else ["overlayfs", *missing]


def load_modules() -> None:
    """Load the kernel modules that are needed, and record those that were not loaded before; failures are ignored."""
    modprobe = shutil.which("modprobe")
    if modprobe is None:
        return
    before, bridges = loaded_modules(), _bridges()
    subprocess.run([modprobe, "-a", *KERNEL_MODULES], capture_output=True, check=False)
    if new := (loaded_modules() - before) & set(KERNEL_MODULES):
        kept = _kept_modules()
        merged = {
            "boot": BOOT.read_text(),
            "modules": sorted(new.union(kept.get("modules", ()))),
            "bridges": sorted(bridges.union(kept.get("bridges", ()))),
        }
        file = state_dir("") / MODULES_FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(merged))


def unload_modules() -> None:
    """Unload what `load_modules` has loaded since the machine booted, at the end of the last cluster.

    The kernel keeps a module that is in use, except br_netfilter, whose users it does not count: that one is kept when
    the machine has a bridge that it did not have before.
    """
    modprobe, kept = shutil.which("modprobe"), _kept_modules()
    for module in kept.get("modules", ()):
        if modprobe and (module != BRIDGE_FILTER or _bridges() <= set(kept["bridges"])):
            subprocess.run([modprobe, "-r", module], capture_output=True, check=False)
    (state_dir("") / MODULES_FILE).unlink(missing_ok=True)


def _kept_modules() -> dict[str, list[str]]:
    """The modules that were loaded and the bridges that existed before; empty when none were, or after a reboot."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads((state_dir("") / MODULES_FILE).read_text())
        if kept["boot"] == BOOT.read_text():
            return {"modules": kept["modules"], "bridges": kept["bridges"]}
    return {}


def loaded_modules() -> set[str]:
    """Names of the loaded kernel modules; empty for a kernel without module support."""
    return {line.split()[0] for line in LOADED.read_text().splitlines()} if LOADED.exists() else set()


def _bridges() -> set[str]:
    return {found.parent.name for found in INTERFACES.glob("*/bridge")}


def _free(directory: Path) -> int:
    while not directory.exists():
        directory = directory.parent
    return shutil.disk_usage(directory).free
