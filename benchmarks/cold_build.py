"""Measures the first `cluster up` on a machine, with nothing built or downloaded."""

from __future__ import annotations

import re
import resource
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.commands import Line, lines_of, python
from benchmarks.results import ColdBuild
from cluster.artifacts import remove_tree
from cluster.locations import cache_dir
from cluster.node.network import Network

DONE = re.compile(r"^\s*✓ (?P<part>\S.*) (?P<seconds>\d+) s$")


def build_cold(network: Network, *, show: Callable[[Line], None]) -> ColdBuild:
    """Build everything in an empty cache and start a cluster from it; `show` gets each line as it comes.

    Removes everything again but what apt installed.
    """
    cache_dir().parent.mkdir(parents=True, exist_ok=True)
    # Beside the real cache: compilers need tens of GiB, which a temporary file system may not have.
    empty = Path(mkdtemp(prefix="kserve-multi-model-cold-", dir=cache_dir().parent))
    environment = {"XDG_CACHE_HOME": str(empty), "COLUMNS": "200"}
    lines: list[Line] = []
    cpu = _cpu_of_children()
    try:
        with _free_disk(empty) as free:
            for line in lines_of("cluster", "up", "--name", network.name, "--subnet", network.subnet, env=environment):
                lines.append(line)
                show(line)
        cpu = _cpu_of_children() - cpu
    finally:
        python("cluster", "down", "--name", network.name, env=environment)
        remove_tree(empty)
    return ColdBuild(
        parts=part_seconds(line.text for line in lines),
        total_s=lines[-1].seconds,
        cpu_s=cpu,
        peak_bytes=free[0] - min(free),
    )


def _cpu_of_children() -> float:
    """CPU seconds, user and system, of the programs started here that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _free_disk(place: Path) -> Iterator[list[int]]:
    """Bytes free on the disk of `place`, sampled each second while the block runs; other programs change them, too."""
    free = [shutil.disk_usage(place).free]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(1):
            free.append(shutil.disk_usage(place).free)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield free
    finally:
        ended.set()
        watching.join()


def part_seconds(lines: Iterable[str]) -> dict[str, float]:
    """Seconds by part, in the order of their ends, from the lines that `cluster up` prints."""
    found = (DONE.match(line) for line in lines)
    return {match["part"]: float(match["seconds"]) for match in found if match}
