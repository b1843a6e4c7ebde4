"""The first `cluster up` on a machine, with nothing built or downloaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.commands import Line, lines_of, python
from benchmarks.results import ColdBuild
from cluster.artifacts import remove_tree
from cluster.locations import cache_dir
from cluster.node.network import Network

DONE = re.compile(r"^\s*✓ (?P<part>\S.*) (?P<seconds>\d+) s$")


def build_cold(network: Network, *, say: Callable[[Line], None]) -> ColdBuild:
    """Build everything in an empty cache and start a cluster from it; `say` gets every line as it comes.

    Leaves nothing but what apt installed.
    """
    cache_dir().parent.mkdir(parents=True, exist_ok=True)
    # Beside the real cache: compilers need tens of GiB, which a temporary file system may not have.
    empty = Path(mkdtemp(prefix="kserve-multi-model-cold-", dir=cache_dir().parent))
    environment = {"XDG_CACHE_HOME": str(empty), "COLUMNS": "200"}
    lines: list[Line] = []
    try:
        for line in lines_of("cluster", "up", "--name", network.name, "--subnet", network.subnet, env=environment):
            lines.append(line)
            say(line)
    finally:
        python("cluster", "down", "--name", network.name, env=environment)
        remove_tree(empty)
    return ColdBuild(parts=part_seconds(line.text for line in lines), total_s=lines[-1].seconds)


def part_seconds(lines: Iterable[str]) -> dict[str, float]:
    """Seconds by part, in the order they were done, from the lines `cluster up` prints."""
    found = (DONE.match(line) for line in lines)
    return {match["part"]: float(match["seconds"]) for match in found if match}
