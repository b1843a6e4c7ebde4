"""The node's network: what is free on this machine, what is removed, what goes past a proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.node import network
from cluster.node.network import Network

HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


def route(interface: str, destination: str, mask: str) -> str:
    """A line of /proc/net/route; addresses as the kernel writes them on x86-64."""
    return f"{interface}\t{destination}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n"


@pytest.fixture
def routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "route"
    monkeypatch.setattr(network, "ROUTES", file)
    return file


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(route("eth0", "00000000", "00000000"), id="default"),
        pytest.param(route("tun0", "00000080", "00000080"), id="half of everything, through a VPN"),
        pytest.param(route("*", "000012C6", "0000FEFF"), id="blackhole 198.18.0.0/15"),
        pytest.param(route("eth0", "0000A8C0", "00FFFFFF"), id="another network"),
        pytest.param(route("kmm-two", "000012C6", "00C0FFFF"), id="another cluster"),
    ],
)
def test_a_route_elsewhere_is_no_hindrance(routes: Path, line: str) -> None:
    routes.write_text(HEAD + line)
    Network(name="dev").check_free()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (route("kmm-two", "000013C6", "00C0FFFF"), "198.19.0.0/18 dev kmm-two"),
        (route("lab0", "000012C6", "0000FEFF"), "198.18.0.0/15 dev lab0"),
        (route("veth1", "020013C6", "FFFFFFFF"), "198.19.0.2/32 dev veth1"),
    ],
)
def test_a_subnet_in_use_is_refused_and_its_interface_named(routes: Path, line: str, named: str) -> None:
    routes.write_text(HEAD + line)
    with pytest.raises(ClusterError, match=f"198.19.0.0/18 is in use on this machine: {named}"):
        Network(name="dev").check_free()


def test_the_first_free_subnet_needs_no_program(routes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    routes.write_text(HEAD + route("kmm-one", "000012C6", "00C0FFFF"))
    assert Network.first_free("two").subnet == "198.18.64.0/18"


def test_only_the_interface_of_that_very_name_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[list[str]] = []
    monkeypatch.setattr(network, "INTERFACES", tmp_path)
    monkeypatch.setattr(network, "output", removed.append)
    (tmp_path / "kmm-dev2").mkdir()
    Network(name="dev").disconnect()
    assert removed == []
    Network(name="dev2").disconnect()
    assert removed == [["ip", "link", "del", "dev", "kmm-dev2"]]


@pytest.mark.parametrize("gone", [True, False])
def test_the_kernel_may_remove_the_interface_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool) -> None:
    there = tmp_path / "kmm-dev"
    there.mkdir()

    def fail(_: list[str]) -> str:
        if gone:
            there.rmdir()
        raise ClusterError("Cannot find device")

    monkeypatch.setattr(network, "INTERFACES", tmp_path)
    monkeypatch.setattr(network, "output", fail)
    if gone:
        Network(name="dev").disconnect()
    else:
        with pytest.raises(ClusterError, match="Cannot find device"):
            Network(name="dev").disconnect()


def test_the_host_needs_no_sysctl(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(network, "output", commands.append)
    Network(name="dev").connect(17)
    assert all("sysctl" not in command for command in commands)
    assert commands[-1][-1] == "echo 1 > /proc/sys/net/ipv4/ip_forward"


@pytest.mark.usefixtures("own_directories")
def test_without_a_proxy_nothing_is_excepted() -> None:
    assert Network(name="dev").proxy_exceptions() == {}


@pytest.mark.usefixtures("own_directories")
def test_the_node_is_reached_past_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", ".example.com, localhost")
    expected = ".example.com,localhost,127.0.0.1,198.19.0.2,198.19.0.0/18"
    assert Network(name="dev").proxy_exceptions() == {"NO_PROXY": expected, "no_proxy": expected}


@pytest.mark.usefixtures("own_directories")
def test_everything_past_the_proxy_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "*")
    assert Network(name="dev").proxy_exceptions() == {}
