"""What the local cluster's cache takes on disk."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cluster.artifacts import PARTIAL, disk_usage

KINDS = {
    "image-store": "unpacked images, shared by every node",
    "image-": "images",
    "registry-content": "the registry's content",
    "chart-": "charts",
    "rootfs-": "root filesystems",
    "python-": "Python packages",
    "demo-models": "the demo's models",
}
OTHERS = "Go programs with their sources"


def cache_sizes(entries: Path) -> dict[str, int]:
    """Bytes on disk by kind of entry, largest first, of the newest version of each: `prune` removes the others."""
    sizes: Counter[str] = Counter()
    for entry in entries.iterdir():
        versions = [path for path in entry.glob("*") if path.is_dir() and not path.name.startswith(PARTIAL)]
        if versions:
            sizes[kind_of(entry.name)] += disk_usage(max(versions, key=lambda path: path.stat().st_mtime))
    return dict(sizes.most_common())


def kind_of(entry: str) -> str:
    """The kind of an entry by its name."""
    return next((kind for prefix, kind in KINDS.items() if entry.startswith(prefix)), OTHERS)
