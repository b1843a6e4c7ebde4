"""Downloads through the certificates, proxies and logins that the environment names."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from registries.errors import DownloadError
from registries.http_client import http_client, require_success
from tests.unit.kube.conftest import Authority, answer, serving_tls
from tests.unit.predict.server import Reply, Server, serving

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC")


@pytest.fixture(autouse=True)
def nothing_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in (*VARIABLES, *(f"{kind}_proxy" for kind in ("http", "https", "all", "no"))):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def download(url: str) -> bytes:
    with http_client(seconds=10) as client:
        return require_success(client.get(url)).content


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_environment_names_the_certificate_authority(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with serving_tls(authority) as server:
        answer(server, Reply(b"chart"), request="GET /chart.tgz")
        with pytest.raises(DownloadError, match="CERTIFICATE_VERIFY_FAILED"):
            download(f"{server.address}/chart.tgz")
        monkeypatch.setenv(variable, str(authority.certificate))
        assert download(f"{server.address}/chart.tgz") == b"chart"


def test_the_bundle_of_requests_counts_before_that_of_curl(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path))
    with serving_tls(authority) as server:
        answer(server, Reply(b"chart"), request="GET /chart.tgz")
        assert download(f"{server.address}/chart.tgz") == b"chart"
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")  # a folder without certificates is left
        with pytest.raises(DownloadError, match="CERTIFICATE_VERIFY_FAILED"):
            download(f"{server.address}/chart.tgz")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "/no/such/file")
    with pytest.raises(DownloadError, match=rf"{variable}.* names no certificates: No such file"):
        download("https://charts.invalid/chart.tgz")


def test_requests_go_through_the_proxy_of_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on("charts.invalid", "GET http://charts.invalid/chart.tgz", Reply(b"through the proxy"))
    monkeypatch.setenv("http_proxy", server.address)
    assert download("http://charts.invalid/chart.tgz") == b"through the proxy"
    answer(server, Reply(b"directly"), request="GET /chart.tgz")
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    assert download(f"{server.address}/chart.tgz") == b"directly"


def test_the_login_of_netrc_is_sent_to_its_host_only(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    with serving() as elsewhere:
        far = elsewhere.address.replace("127.0.0.1", "localhost")
        answer(server, Reply(status=302, headers={"Location": f"{far}/blob"}), request="GET /chart.tgz")
        answer(elsewhere, Reply(b"chart"), request="GET /blob", host=far.removeprefix("http://"))
        assert download(f"{server.address}/chart.tgz") == b"chart"
        (asked,), (redirected,) = server.requests, elsewhere.requests
    assert asked.headers["authorization"] == f"Basic {base64.b64encode(b'me:secret').decode()}"
    assert "authorization" not in redirected.headers


def test_a_signature_in_the_url_is_not_shown(server: Server) -> None:
    answer(server, Reply(status=403), request="GET /chart.tgz?signature=secret")
    with pytest.raises(DownloadError) as refused:
        download(f"{server.address}/chart.tgz?signature=secret")
    assert str(refused.value) == f"403 Forbidden for {server.address}/chart.tgz"
