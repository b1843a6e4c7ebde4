"""The benchmark's own local cluster."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from benchmarks.commands import lines_of, python
from benchmarks.results import Boot
from cluster.node.network import Network


@dataclass(frozen=True, kw_only=True)
class LocalCluster:
    """A local cluster that is made and removed many times."""

    network: Network

    @classmethod
    def with_free_subnet(cls, name: str) -> LocalCluster:
        """A cluster on a subnet that no other one uses; what an earlier run left of it is removed.

        Raises:
            ClusterError: every subnet is in use.
        """
        python("cluster", "down", "--name", name, env={})
        return cls(network=Network.first_free(name))

    def up(self) -> Boot:
        """Start it; its parts should be built already, or building them is measured, too."""
        ready = total = 0.0
        for line in lines_of("cluster", "up", "--name", self.network.name, "--subnet", self.network.subnet, env={}):
            total = line.seconds
            if f"✓ node {self.network.name}:" in line.text:
                ready = line.seconds
        return Boot(ready_s=ready, total_s=total)

    def down(self) -> None:
        """Remove it."""
        python("cluster", "down", "--name", self.network.name, env={})

    def environment(self) -> dict[str, str]:
        """The variables that `python -m cluster env` prints."""
        settings = python("cluster", "env", "--name", self.network.name, env={}).stdout
        words = (shlex.split(line)[1] for line in settings.splitlines())
        return dict(word.split("=", 1) for word in words)
