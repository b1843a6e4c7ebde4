"""The node's files: every value filled in, every document well formed, the keys private."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest
import yaml

from cluster.errors import ClusterError
from cluster.node.lifecycle import write_root_files
from cluster.node.network import Network

VALUES = {
    "name": "dev",
    "host_address": "198.19.0.1",
    "node_address": "198.19.0.2",
    "pod_subnet": "198.19.128.0/20",
    "node_pod_subnet": "198.19.128.0/24",
    "service_subnet": "198.19.64.0/20",
    "kubernetes_version": "v1.34.3",
    "pause_version": "3.10.1",
    "image_repository": "localhost:5000",
    "s3_port": "9000",
    "s3_access_key_id": "an-id",
    "s3_secret_access_key": "a-secret",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_root_files(tmp_path, VALUES)
    return tmp_path


def test_kubeadm_gets_four_documents_with_the_addresses(root: Path) -> None:
    documents = list(yaml.safe_load_all((root / "etc/kubernetes/kubeadm.yaml").read_text()))
    kinds = ["InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"]
    assert [document["kind"] for document in documents] == kinds
    assert documents[0]["localAPIEndpoint"]["advertiseAddress"] == "198.19.0.2"
    assert documents[1]["networking"] == {"podSubnet": "198.19.128.0/20", "serviceSubnet": "198.19.64.0/20"}


def test_the_pods_network_is_the_nodes_share(root: Path) -> None:
    network = json.loads((root / "etc/cni/net.d/10-bridge.conflist").read_text())
    assert network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "198.19.128.0/24"}]]


def test_the_file_with_the_keys_is_private(root: Path) -> None:
    file = root / "etc/supervisor/node.conf"
    assert file.stat().st_mode & 0o077 == 0
    supervisor = configparser.ConfigParser(interpolation=None)
    supervisor.read(file)
    assert supervisor["program:s3"]["environment"] == 'ROOT_ACCESS_KEY="an-id",ROOT_SECRET_KEY="a-secret"'


def test_a_missing_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="node_address"):
        write_root_files(tmp_path, {k: v for k, v in VALUES.items() if k != "node_address"})


def test_scripts_are_executable_and_keep_their_shell_variables(root: Path) -> None:
    script = root / "usr/local/bin/kubelet-run"
    assert script.stat().st_mode & 0o111
    assert "$KUBELET_KUBEADM_ARGS" in script.read_text()


def test_two_networks_do_not_meet() -> None:
    dev, e2e = Network(name="dev"), Network(name="e2e", subnet="198.18.0.0/18")
    assert {dev.host, dev.node, dev.services, dev.pods}.isdisjoint({e2e.host, e2e.node, e2e.services, e2e.pods})
    assert dev.interface != e2e.interface


@pytest.mark.parametrize(
    "subnet", ["10.0.0.0/18", "198.19.0.0/16", "198.19.0.0/24", "192.168.1.0/24", "nonsense", "198.18.0.0/15"]
)
def test_a_subnet_elsewhere_is_refused(subnet: str) -> None:
    with pytest.raises(ClusterError, match=r"--subnet .*\nUse 198\.1"):
        Network(name="dev", subnet=subnet)
