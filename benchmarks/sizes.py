"""What the machine is, and what the local cluster takes of it: memory, images, and the cache on disk."""

from __future__ import annotations

import platform
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil

from benchmarks.results import Image, Images, Machine
from cluster.artifacts import PARTIAL, disk_usage
from cluster.locations import state_dir

PROCESSORS = Path("/proc/cpuinfo")
TIMEOUT = 30
MANIFEST = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
CHARTS = "charts/"
# Kinds of cache entries by the start of their names; the first that matches counts.
KINDS = {
    "image-store": "unpacked images, shared by every node",
    "image-": "images",
    "registry-": "the registry's content",
    "chart-": "charts",
    "rootfs-": "root filesystems",
    "python-": "Python packages",
    "models-": "the demo's models",
}
OTHERS = "Go programs with their sources"


def this_machine() -> Machine:
    """Describe this machine, without its name."""
    return Machine(
        processor=processor_model(PROCESSORS.read_text()),
        cores=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        kernel=f"{platform.system()} {platform.release().partition('-')[0]}",
    )


def processor_model(cpuinfo: str) -> str:
    """The first model name in the text of /proc/cpuinfo."""
    found = re.search(r"^model name\s*: (.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def memory_of(cluster: str) -> dict[str, int]:
    """Bytes (PSS: memory that several processes share is counted once) by program, largest first."""
    first = psutil.Process(int((state_dir(cluster) / "container" / "pid").read_text()))
    return by_program(_usage(first.children(recursive=True)))


def by_program(usage: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sums of (program, bytes), largest first."""
    total: Counter[str] = Counter()
    for program, size in usage:
        total[program] += size
    return dict(total.most_common())


def _usage(processes: Iterable[psutil.Process]) -> Iterator[tuple[str, int]]:
    for process in processes:
        try:
            yield process.name(), process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue  # probes come and go


def images_of(registry: str) -> Images:
    """Sizes of the images in the registry at this URL, without its charts."""
    manifests = {}
    with httpx.Client(base_url=registry, timeout=TIMEOUT, trust_env=False) as client:
        for name in client.get("/v2/_catalog", params={"n": 1000}).raise_for_status().json()["repositories"]:
            if not name.startswith(CHARTS):
                tag = client.get(f"/v2/{name}/tags/list").raise_for_status().json()["tags"][0]
                manifests[name] = client.get(f"/v2/{name}/manifests/{tag}", headers=MANIFEST).raise_for_status().json()
    return image_sizes(manifests)


def image_sizes(manifests: Mapping[str, Mapping[str, Any]]) -> Images:
    """Sizes by the images' manifests (name → OCI manifest), largest image first."""
    blobs = {
        name: {blob["digest"]: int(blob["size"]) for blob in (manifest["config"], *manifest["layers"])}
        for name, manifest in manifests.items()
    }
    images = [Image(name=name, size=sum(parts.values())) for name, parts in blobs.items()]
    distinct: dict[str, int] = {}
    for parts in blobs.values():
        distinct |= parts
    return Images(
        images=tuple(sorted(images, key=lambda image: (-image.size, image.name))), total_bytes=sum(distinct.values())
    )


def cache_sizes(entries: Path) -> dict[str, int]:
    """Bytes on disk by kind of entry, largest first; only the newest version of an entry counts."""
    sizes: Counter[str] = Counter()
    for entry in entries.iterdir():
        versions = [path for path in entry.glob("*") if path.is_dir() and not path.name.startswith(PARTIAL)]
        if versions:
            sizes[kind_of(entry.name)] += disk_usage(max(versions, key=lambda path: path.stat().st_mtime))
    return dict(sizes.most_common())


def kind_of(entry: str) -> str:
    """The kind of an entry by its name."""
    return next((kind for prefix, kind in KINDS.items() if entry.startswith(prefix)), OTHERS)
