"""The node's network: a veth pair and a route from the host, nothing that reaches outside."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from cluster.errors import ClusterError
from cluster.processes import output

DEFAULT_SUBNET = "198.19.0.0/18"
# Set aside for tests between networks (RFC 2544): on no other network of anybody's.
TEST_RANGE = IPv4Network("198.18.0.0/15")
PREFIX = 18
# Of the main table; blackholes and their like have no interface there.
ROUTES = Path("/proc/net/route")
INTERFACES = Path("/sys/class/net")
# A shorter one only says where everything else goes, as a VPN's does; ours are more specific.
SHORTEST_PREFIX = 8
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def proxy_exceptions(*addresses: str) -> dict[str, str]:
    """NO_PROXY with this machine and `addresses` beside what it holds; empty where no proxy is set."""
    proxied = any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXIES)
    stated = ",".join(filter(None, (os.environ.get("NO_PROXY"), os.environ.get("no_proxy"))))
    known = [address.strip() for address in stated.split(",") if address.strip()]
    if not proxied or "*" in known:
        return {}
    merged = ",".join(dict.fromkeys([*known, "localhost", "127.0.0.1", *addresses]))
    return {"NO_PROXY": merged, "no_proxy": merged}


@dataclass(frozen=True)
class Network:
    """Addresses of one node: a /18, in it a /20 each for services and pods."""

    name: str
    subnet: str = DEFAULT_SUBNET

    def __post_init__(self) -> None:
        try:
            network = IPv4Network(self.subnet)
        except ValueError as error:
            raise ClusterError(f"--subnet {self.subnet}: {error}", hint=f"Use {DEFAULT_SUBNET}.") from error
        if network.prefixlen != PREFIX or not network.subnet_of(TEST_RANGE):
            raise ClusterError(
                f"--subnet {self.subnet}: not a /{PREFIX} of {TEST_RANGE}",
                hint=f"Use {DEFAULT_SUBNET} or 198.18.0.0/{PREFIX}.",
            )

    @classmethod
    def first_free(cls, name: str) -> Network:
        """A network for a cluster beside those that are up.

        Raises:
            ClusterError: every subnet is in use.
        """
        for subnet in TEST_RANGE.subnets(new_prefix=PREFIX):
            network = cls(name=name, subnet=str(subnet))
            if not network._in_use():
                return network
        raise ClusterError(f"every /{PREFIX} of {TEST_RANGE} is in use", hint="Take a local cluster down.")

    def _address(self, offset: int) -> IPv4Address:
        return IPv4Network(self.subnet)[offset]

    @property
    def host(self) -> str:
        """The host's end of the veth pair."""
        return str(self._address(1))

    @property
    def node(self) -> str:
        """The node's end, where the API server, the gateway, the registry and S3 answer."""
        return str(self._address(2))

    @property
    def services(self) -> str:
        """Subnet of ClusterIPs."""
        return f"{self._address(16 << 8)}/20"

    @property
    def pods(self) -> str:
        """Subnet of pods."""
        return f"{self._address(32 << 8)}/20"

    @property
    def node_pods(self) -> str:
        """The one node's share of the pods' subnet."""
        return f"{self._address(32 << 8)}/24"

    @property
    def interface(self) -> str:
        """The host's interface; no longer than the kernel's 15 letters, because no node's name is longer than 11."""
        return f"kmm-{self.name}"

    def check_free(self) -> None:
        """Refuse a subnet that something else on this machine uses.

        Raises:
            ClusterError: names the interface that has it.
        """
        for route in self._in_use():
            raise ClusterError(
                f"the subnet {self.subnet} is in use on this machine: {route}",
                hint="Give another one with --subnet, or take down the cluster that uses it.",
            )

    def _in_use(self) -> list[str]:
        """Routes of this machine that overlap with the subnet, as `<subnet> dev <interface>`."""
        subnet = IPv4Network(self.subnet)
        return [f"{route} dev {interface}" for interface, route in _routes() if route.overlaps(subnet)]

    def proxy_exceptions(self) -> dict[str, str]:
        """NO_PROXY with the node's addresses beside what it holds; empty where no proxy is set."""
        # Not every program knows subnets there.
        return proxy_exceptions(self.node, self.subnet)

    def connect(self, pid: int) -> None:
        """Join the host and the network namespace of process `pid`."""
        inside = ("nsenter", "-t", str(pid), "-n", "--")
        for command in (
            ("ip", "link", "add", self.interface, "type", "veth", "peer", "name", "eth0", "netns", str(pid)),
            ("ip", "addr", "add", self.host, "peer", self.node, "dev", self.interface),
            ("ip", "link", "set", self.interface, "up"),
            ("ip", "route", "add", self.subnet, "via", self.node, "dev", self.interface),
            (*inside, "ip", "link", "set", "lo", "up"),
            (*inside, "ip", "addr", "add", f"{self.node}/30", "dev", "eth0"),
            (*inside, "ip", "link", "set", "eth0", "up"),
            # Only so that kube-proxy's rules see service addresses; nothing answers there but them.
            (*inside, "ip", "route", "add", self.services, "via", self.host),
            (*inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"),
        ):
            output(command)

    def disconnect(self) -> None:
        """Remove the host's end, which also goes with the namespace but later.

        Raises:
            ClusterError: it cannot be removed.
        """
        there = INTERFACES / self.interface
        if not there.exists():
            return
        try:
            output(["ip", "link", "del", "dev", self.interface])
        except ClusterError:
            # The kernel may have been faster.
            if there.exists():
                raise


def _routes() -> list[tuple[str, IPv4Network]]:
    """(interface, destination) of every route that leads somewhere in particular."""
    if not ROUTES.exists():
        return []
    found = []
    for line in ROUTES.read_text().splitlines()[1:]:
        interface, destination, _, _, _, _, _, mask = line.split()[:8]
        # As the kernel holds them in memory.
        address, netmask = (IPv4Address(int(word, 16).to_bytes(4, sys.byteorder)) for word in (destination, mask))
        route = IPv4Network(f"{address}/{netmask}")
        if interface != "*" and route.prefixlen >= SHORTEST_PREFIX:
            found.append((interface, route))
    return found
