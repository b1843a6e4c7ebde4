"""Memory of a local cluster's node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import psutil

from cluster.locations import state_dir


def memory_of(cluster: str) -> dict[str, int]:
    """Bytes (PSS: what several processes share is counted once) by program, largest first."""
    first = psutil.Process(int((state_dir(cluster) / "container" / "pid").read_text()))
    return by_program(_usage(first.children(recursive=True)))


def by_program(usage: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sums of (program, bytes), largest first."""
    total: Counter[str] = Counter()
    for program, size in usage:
        total[program] += size
    return dict(total.most_common())


def _usage(processes: Iterable[psutil.Process]) -> Iterable[tuple[str, int]]:
    for process in processes:
        try:
            yield process.name(), process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue  # probes come and go
