"""How the API server is reached and trusted."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from kube.connection import connect
from kube.kubeconfig import KubeconfigError, UnsupportedLoginError
from tests.unit.kube.conftest import Authority, answer, encoded, serving_tls, write
from tests.unit.predict.server import Reply, Server, serving


def get(file: Path) -> int:
    with connect(kubeconfig=file) as client:
        return client.get("/version").status_code


@pytest.mark.parametrize("form", ["file", "data"])
def test_the_clusters_authority_as_a_file_and_as_data(authority: Authority, tmp_path: Path, form: str) -> None:
    cluster = {"file": {"certificate-authority": str(authority.certificate)}}
    cluster["data"] = {"certificate-authority-data": encoded(authority.certificate)}
    with serving_tls(authority) as api:
        answer(api, Reply({}))
        assert get(write(tmp_path / "config", server=api.address, cluster=cluster[form])) == 200


def test_an_unknown_authority_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    with serving_tls(authority) as api:
        answer(api, Reply({}))
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            get(write(tmp_path / "config", server=api.address))
        cluster = {"insecure-skip-tls-verify": True}
        assert get(write(tmp_path / "config", server=api.address, cluster=cluster)) == 200


def test_another_name_in_the_servers_certificate(authority: Authority, tmp_path: Path) -> None:
    cluster = {"certificate-authority": str(authority.certificate)}
    with serving_tls(authority, name="named") as api:
        answer(api, Reply({}))
        with pytest.raises(httpx.ConnectError, match=r"certificate is not valid for '127\.0\.0\.1'"):
            get(write(tmp_path / "config", server=api.address, cluster=cluster))
        named = cluster | {"tls-server-name": "kubernetes.example"}
        assert get(write(tmp_path / "config", server=api.address, cluster=named)) == 200


@pytest.mark.parametrize("form", ["file", "data"])
def test_a_client_certificate_as_files_and_as_data(authority: Authority, tmp_path: Path, form: str) -> None:
    certificate, key = authority.issue("me")
    users = {
        "file": {"client-certificate": str(certificate), "client-key": str(key)},
        "data": {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)},
    }
    cluster = {"certificate-authority": str(authority.certificate)}
    with serving_tls(authority, clients=True) as api:
        answer(api, Reply({}))
        assert get(write(tmp_path / "config", server=api.address, user=users[form], cluster=cluster)) == 200
        assert api.peers == ["me"]


def test_nothing_of_a_certificate_is_written(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = authority.issue("me")
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    cluster = {"certificate-authority-data": encoded(authority.certificate)}
    temporary = tmp_path / "temporary"
    temporary.mkdir(mode=0o500)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with serving_tls(authority, clients=True) as api:
        answer(api, Reply({}))
        file = write(tmp_path / "config", server=api.address, user=user, cluster=cluster)
        changed = temporary.stat().st_mtime_ns
        descriptors = set(Path("/dev/fd").iterdir())
        with connect(kubeconfig=file) as client:
            assert set(Path("/dev/fd").iterdir()) <= descriptors
            assert client.get("/version").is_success
            assert temporary.stat().st_mtime_ns == changed
            assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config", "temporary"]


@pytest.mark.parametrize(
    ("user", "cluster", "said"),
    [
        ({"client-certificate-data": "eA=="}, {}, "the user's client-key is missing; a client certificate needs"),
        ({"client-key-data": "eA=="}, {}, "the user's client-certificate is missing"),
        ({"client-certificate": "no.pem", "client-key": "no.key"}, {}, "no.pem cannot be read: No such file"),
        ({"client-certificate-data": "eA==", "client-key-data": "eA=="}, {}, "both must be PEM, belong together"),
        ({}, {"certificate-authority-data": "eA=="}, "certificate-authority is not a certificate in PEM"),
        ({}, {"certificate-authority": "no.pem"}, "certificate-authority .*no.pem cannot be read: No such file"),
        ({}, {"certificate-authority-data": "eA==", "insecure-skip-tls-verify": True}, "remove one of them"),
    ],
)
def test_certificates_that_cannot_be_used(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], said: str
) -> None:
    file = write(tmp_path / "config", server="https://127.0.0.1:1", user=user, cluster=cluster)
    with pytest.raises(KubeconfigError, match=f"{file}, context 'here': .*{said}"):
        connect(kubeconfig=file)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("locked")
    locked = tmp_path / "locked.key"
    plain = load_pem_private_key(key.read_bytes(), password=None)
    encoding = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"secret"))
    locked.write_bytes(plain.private_bytes(*encoding))
    user = {"client-certificate": str(certificate), "client-key": str(locked)}
    with pytest.raises(KubeconfigError, match="the key must have no password"):
        connect(kubeconfig=write(tmp_path / "config", server="https://127.0.0.1:1", user=user))


@pytest.mark.parametrize("variable", [None, "HTTP_PROXY"])
def test_a_proxy_of_the_kubeconfig_and_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    with serving() as proxy:
        answer(proxy, Reply({}), host="kubernetes.invalid", request="GET http://kubernetes.invalid/version")
        if variable:
            monkeypatch.setenv(variable, proxy.address)
        cluster = {} if variable else {"proxy-url": proxy.address}
        assert get(write(tmp_path / "config", server="http://kubernetes.invalid", cluster=cluster)) == 200


@pytest.mark.parametrize("excluded", ["127.0.0.1", ""])
def test_a_loopback_address_needs_no_proxy_of_the_environment(
    api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, excluded: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", excluded)
    assert get(write(tmp_path / "config", server=api.address)) == 200


def test_hosts_of_no_proxy_are_asked_directly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        monkeypatch.setenv("NO_PROXY", ".invalid")
        with pytest.raises(httpx.ConnectError):
            get(write(tmp_path / "config", server="http://kubernetes.invalid"))
    assert proxy.requests == []


def test_a_proxy_of_the_environment_without_a_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy:
        answer(proxy, Reply({}), host="kubernetes.invalid", request="GET http://kubernetes.invalid/version")
        monkeypatch.setenv("HTTP_PROXY", proxy.address.removeprefix("http://"))
        assert get(write(tmp_path / "config", server="http://kubernetes.invalid")) == 200


@pytest.mark.parametrize(("excluded", "goes_there"), [("a.b, 192.0.2.0/24", False), ("198.51.100.0/24", True)])
def test_a_network_of_no_proxy_is_asked_directly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, excluded: str, goes_there: bool
) -> None:
    with serving() as proxy:
        answer(proxy, Reply({}), host="192.0.2.1", request="GET http://192.0.2.1/version")
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        monkeypatch.setenv("NO_PROXY", excluded)
        file = write(tmp_path / "config", server="http://192.0.2.1")
        with connect(kubeconfig=file, seconds=0.2) as client, suppress(httpx.HTTPError):
            client.get("/version")
    assert bool(proxy.requests) is goes_there


def test_a_proxy_of_another_kind_is_not_supported(tmp_path: Path) -> None:
    file = write(tmp_path / "config", server="http://a", cluster={"proxy-url": "socks5://127.0.0.1:1"})
    with pytest.raises(UnsupportedLoginError, match="proxies of the kind 'socks5' are not supported; use one of"):
        connect(kubeconfig=file)


def test_a_path_of_the_server_comes_before_the_apis(api: Server, tmp_path: Path) -> None:
    answer(api, Reply({}), request="GET /k8s/clusters/c/version")
    assert get(write(tmp_path / "config", server=f"{api.address}/k8s/clusters/c")) == 200


def test_a_server_without_a_scheme(api: Server, authority: Authority, tmp_path: Path) -> None:
    assert get(write(tmp_path / "config", server=api.address.removeprefix("http://"))) == 200
    with serving_tls(authority) as secure:
        answer(secure, Reply({}))
        cluster = {"insecure-skip-tls-verify": True}
        server = secure.address.removeprefix("https://")
        assert get(write(tmp_path / "config", server=server, cluster=cluster)) == 200


@pytest.mark.parametrize(
    "cluster", [{"server": "https://[::1"}, {"server": "https://a", "proxy-url": "http://me:secret@b:port"}]
)
def test_what_is_not_a_url(tmp_path: Path, cluster: dict[str, str]) -> None:
    with pytest.raises(KubeconfigError, match=r"context 'here': (server|proxy) is not a URL; correct it$"):
        connect(kubeconfig=write(tmp_path / "config", cluster=cluster))


def test_how_long_an_answer_may_take(api: Server, tmp_path: Path) -> None:
    answer(api, Reply({}, drip_s=0.2))
    file = write(tmp_path / "config", server=api.address)
    with connect(kubeconfig=file, seconds=0.05) as client, pytest.raises(httpx.ReadTimeout):
        client.get("/version")
