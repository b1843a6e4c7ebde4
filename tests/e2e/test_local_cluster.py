"""The local cluster: up, a no-op up, private files, a registry and an S3 server that checks keys."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from cluster.catalog import KUBERNETES
from tests.e2e.machine import NAME, NODE, SUBNET, cluster, run

pytestmark = pytest.mark.journey


def test_up_again_is_a_no_op_that_says_so(node: dict[str, str]) -> None:
    assert node["KUBECONFIG"]
    again = cluster("up", "--name", NAME, "--subnet", SUBNET)
    assert again.status == 0, again.text
    assert f"the local cluster {NAME} is up already: nothing to do" in again.text


def test_status_says_ready(node: dict[str, str]) -> None:
    assert node
    status = cluster("status", "--name", NAME)
    assert status.status == 0, status.text
    assert "ready" in status.stdout


def test_another_cluster_is_not_there() -> None:
    status = cluster("status", "--name", "nowhere")
    assert (status.status, "not running" in status.stdout) == (1, True)
    kubeconfig = cluster("kubeconfig", "--name", "nowhere")
    assert kubeconfig.status == 1
    assert "there is no local cluster nowhere\nStart it: make up" in kubeconfig.stderr


def test_the_node_is_ready_and_dns_answers(node: dict[str, str]) -> None:
    version = run("kubectl", "get", "nodes", env=node)
    assert version.stdout.splitlines()[1].split()[:2] == [NAME, "Ready"]
    assert KUBERNETES in version.stdout
    pods = run("kubectl", "-n", "kube-system", "get", "deploy", "coredns", env=node)
    assert "1/1" in pods.stdout


def test_kubeconfig_keys_and_passphrase_are_private(node: dict[str, str]) -> None:
    for variable in ("KUBECONFIG", "AWS_SHARED_CREDENTIALS_FILE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        assert Path(node[variable]).stat().st_mode & 0o077 == 0, variable
    assert Path(node["KUBECONFIG"]).parent.stat().st_mode & 0o077 == 0


def test_the_registry_is_read_only_and_holds_charts_and_images() -> None:
    listed = requests.get(f"http://{NODE}:5000/v2/_catalog?n=1000", timeout=10).json()["repositories"]
    assert {"charts/kserve-resources", "kserve/sklearnserver", "istio/proxyv2"} <= set(listed)
    assert requests.post(f"http://{NODE}:5000/v2/x/blobs/uploads/", timeout=10).status_code == 405


@pytest.mark.parametrize("user", ["wrong", "anonymous"])
def test_s3_refuses_who_has_no_key(node: dict[str, str], user: str) -> None:
    assert node
    endpoint = f"http://{NODE}:9000"
    if user == "anonymous":
        assert requests.get(f"{endpoint}/models/sklearn/model.joblib", timeout=10).status_code == 403
        return
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
        config=Config(s3={"addressing_style": "path"}),
    )
    with pytest.raises(ClientError, match=r"InvalidAccessKeyId|SignatureDoesNotMatch"):
        client.list_objects_v2(Bucket="models")


def test_logs_are_named_and_an_unknown_one_lists_them(node: dict[str, str]) -> None:
    assert node
    assert "kubelet" in cluster("logs", "--name", NAME).stdout
    unknown = cluster("logs", "nothing", "--name", NAME)
    assert unknown.status == 1
    assert "there is no log of 'nothing'" in unknown.stderr
