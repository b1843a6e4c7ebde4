"""The node's network: a veth pair and a route from the host, nothing that reaches outside."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from cluster.errors import ClusterError
from cluster.processes import output

DEFAULT_SUBNET = "198.19.0.0/18"
# Set aside for tests between networks (RFC 2544): on no other network of anybody's.
TEST_RANGE = IPv4Network("198.18.0.0/15")
PREFIX = 18
INTERFACE_NAME_LENGTH = 15


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
        """The host's interface."""
        return f"kmm-{self.name}"[:INTERFACE_NAME_LENGTH]

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
        """Routes of this machine that overlap with the subnet."""
        routes = [line.strip() for line in output(["ip", "-o", "-4", "route"]).splitlines()]
        routed = [route for route in routes if route.split()[0] != "default"]
        return [route for route in routed if IPv4Network(route.split()[0]).overlaps(IPv4Network(self.subnet))]

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
            (*inside, "sysctl", "-qw", "net.ipv4.ip_forward=1"),
        ):
            output(command)

    def disconnect(self) -> None:
        """Remove the host's end, which also goes with the namespace but later."""
        if self.interface in output(["ip", "-o", "link"]):
            output(["ip", "link", "del", self.interface])
