"""The node's network: a veth pair and a route from the host; the node cannot reach anything else."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from cluster.errors import ClusterError
from cluster.processes import output

DEFAULT_SUBNET = "198.19.0.0/18"
# Reserved for benchmarks (RFC 2544), so that no other network uses it.
TEST_RANGE = IPv4Network("198.18.0.0/15")
PREFIX = 18
# Routes of the main table; those without an interface (`*`) lead nowhere, as blackholes.
ROUTES = Path("/proc/net/route")
INTERFACES = Path("/sys/class/net")
# Routes with shorter prefixes, such as a VPN's default routes, do not conflict: ours are more specific.
SHORTEST_PREFIX = 8
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def proxy_exceptions(*addresses: str) -> dict[str, str]:
    """NO_PROXY with this machine and `addresses` added; empty when no proxy is set."""
    proxied = any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXIES)
    current = ",".join(filter(None, (os.environ.get("NO_PROXY"), os.environ.get("no_proxy"))))
    known = [address.strip() for address in current.split(",") if address.strip()]
    if not proxied or "*" in known:
        return {}
    merged = ",".join(dict.fromkeys([*known, "localhost", "127.0.0.1", *addresses]))
    return {"NO_PROXY": merged, "no_proxy": merged}


@dataclass(frozen=True)
class Network:
    """The addresses of one node: a /18, which contains a /20 for services and one for pods."""

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
        """A network on a subnet that is not in use.

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
        """The node's end: the address of the API server, the gateway, the registry and S3."""
        return str(self._address(2))

    @property
    def services(self) -> str:
        """The subnet of ClusterIPs."""
        return f"{self._address(16 << 8)}/20"

    @property
    def pods(self) -> str:
        """The subnet of pods."""
        return f"{self._address(32 << 8)}/20"

    @property
    def node_pods(self) -> str:
        """The part of the pods' subnet that this only node gets."""
        return f"{self._address(32 << 8)}/24"

    @property
    def interface(self) -> str:
        """The host's interface; at most 15 letters, the kernel's limit, because a node's name has at most 11."""
        return f"kmm-{self.name}"

    def check_free(self) -> None:
        """Refuse a subnet that is in use on this machine.

        Raises:
            ClusterError: names the route and its interface.
        """
        for route in self._in_use():
            raise ClusterError(
                f"the subnet {self.subnet} is in use on this machine: {route}",
                hint="Give another one with --subnet, or take down the cluster that uses it.",
            )

    def _in_use(self) -> list[str]:
        """The machine's routes that overlap with the subnet, as `<subnet> dev <interface>`."""
        subnet = IPv4Network(self.subnet)
        return [f"{route} dev {interface}" for interface, route in _routes() if route.overlaps(subnet)]

    def proxy_exceptions(self) -> dict[str, str]:
        """NO_PROXY with the node's addresses added; empty when no proxy is set."""
        # The node's address, too, because not every program understands subnets in NO_PROXY.
        return proxy_exceptions(self.node, self.subnet)

    def connect(self, pid: int) -> None:
        """Connect the host with the network namespace of process `pid`."""
        inside = ("nsenter", "-t", str(pid), "-n", "--")
        for command in (
            ("ip", "link", "add", self.interface, "type", "veth", "peer", "name", "eth0", "netns", str(pid)),
            ("ip", "addr", "add", self.host, "peer", self.node, "dev", self.interface),
            ("ip", "link", "set", self.interface, "up"),
            ("ip", "route", "add", self.subnet, "via", self.node, "dev", self.interface),
            (*inside, "ip", "link", "set", "lo", "up"),
            (*inside, "ip", "addr", "add", f"{self.node}/30", "dev", "eth0"),
            (*inside, "ip", "link", "set", "eth0", "up"),
            # Packets to services need some route before kube-proxy's rules rewrite them.
            (*inside, "ip", "route", "add", self.services, "via", self.host),
            (*inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"),
        ):
            output(command)

    def disconnect(self) -> None:
        """Remove the host's end; the kernel would remove it with the namespace, but later.

        Raises:
            ClusterError: it cannot be removed.
        """
        interface = INTERFACES / self.interface
        if not interface.exists():
            return
        try:
            output(["ip", "link", "del", "dev", self.interface])
        except ClusterError:
            # The kernel may have removed it in the meantime.
            if interface.exists():
                raise


def _routes() -> list[tuple[str, IPv4Network]]:
    """(interface, destination) of all routes, without those with a prefix shorter than SHORTEST_PREFIX."""
    if not ROUTES.exists():
        return []
    found = []
    for line in ROUTES.read_text().splitlines()[1:]:
        interface, destination, _, _, _, _, _, mask = line.split()[:8]
        # Hexadecimal, in the machine's byte order.
        address, netmask = (IPv4Address(int(word, 16).to_bytes(4, sys.byteorder)) for word in (destination, mask))
        route = IPv4Network(f"{address}/{netmask}")
        if interface != "*" and route.prefixlen >= SHORTEST_PREFIX:
            found.append((interface, route))
    return found
