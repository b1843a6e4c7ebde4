"""Login plugins are real scripts here, the API server a real one on the loopback."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kube import login as login_module
from kube.connection import connect
from kube.kubeconfig import KubeconfigError, LoginFailedError, UnsupportedLoginError
from tests.unit.kube.conftest import (
    V1,
    V1BETA1,
    Authority,
    PluginScript,
    answer,
    credential,
    encoded,
    in_seconds,
    serving_tls,
    write,
)
from tests.unit.predict.server import Reply, Server

UNAUTHORIZED = Reply({"kind": "Status", "code": 401}, status=401)


def authorizations(api: Server) -> list[str]:
    return [request.headers.get("authorization", "") for request in api.requests]


def ask(file: Path, *, times: int = 1) -> list[int]:
    """Status of each answer of one client."""
    with connect(kubeconfig=file) as client:
        return [client.get("/version").status_code for _ in range(times)]


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ({}, ""),
        ({"token": "t"}, "Bearer t"),
        ({"token": 12345}, "Bearer 12345"),
        ({"username": "me", "password": "secret"}, "Basic bWU6c2VjcmV0"),
    ],
)
def test_fixed_logins(api: Server, tmp_path: Path, user: dict[str, Any], sent: str) -> None:
    assert ask(write(tmp_path / "config", server=api.address, user=user)) == [200]
    assert authorizations(api) == [sent]


def test_a_refused_token_is_not_sent_again(api: Server, tmp_path: Path) -> None:
    answer(api, UNAUTHORIZED)
    assert ask(write(tmp_path / "config", server=api.address, user={"token": "t"})) == [401]
    assert len(api.requests) == 1


def test_a_replaced_token_file_is_read_again(api: Server, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    file = write(tmp_path / "config", server=api.address, user={"tokenFile": "token", "token": "ignored"})
    with connect(kubeconfig=file) as client:
        client.get("/version")
        (tmp_path / "token").write_text("second\n")
        client.get("/version")
        (tmp_path / "token").unlink()
        with pytest.raises(KubeconfigError, match=r"tokenFile .*/token cannot be read: No such file"):
            client.get("/version")
    assert authorizations(api) == ["Bearer first", "Bearer second"]


def test_acting_as_another_user(api: Server, tmp_path: Path) -> None:
    user = {"token": "t", "as": "jane", "as-groups": ["dev"], "as-user-extra": {"reason": ["test"]}}
    ask(write(tmp_path / "config", server=api.address, user=user))
    headers = api.requests[0].headers
    sent = [headers.get(f"impersonate-{name}") for name in ("user", "group", "extra-reason", "uid")]
    assert sent == ["jane", "dev", "test", None]


def test_an_auth_provider_is_not_supported(tmp_path: Path) -> None:
    file = write(tmp_path / "config", server="http://a", user={"auth-provider": {"name": "oidc"}})
    with pytest.raises(UnsupportedLoginError, match=r"config, context 'here': auth-provider 'oidc' is not supported; "):
        connect(kubeconfig=file)


@pytest.mark.parametrize("version", [V1, V1BETA1])
def test_a_plugin_gives_a_token(api: Server, plugin: PluginScript, tmp_path: Path, version: str) -> None:
    plugin.prints(version=version, token="issued")
    user = plugin.user(version, args=["get", "token"], env=[{"name": "PROFILE", "value": "team"}])
    assert ask(write(tmp_path / "config", server=api.address, user=user), times=3) == [200] * 3
    assert authorizations(api) == ["Bearer issued"] * 3
    (run,) = plugin.runs
    assert (run["argv"], run["PROFILE"], run["stdin"]) == (["get", "token"], "team", "")
    spec = {"interactive": False}
    assert json.loads(run["KUBERNETES_EXEC_INFO"]) == {"kind": "ExecCredential", "apiVersion": version, "spec": spec}


def test_a_plugin_is_told_of_the_cluster(api: Server, plugin: PluginScript, tmp_path: Path) -> None:
    plugin.prints(token="issued")
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "team"}}
    cluster = {"insecure-skip-tls-verify": True, "tls-server-name": "name", "extensions": [extension]}
    user = plugin.user(provideClusterInfo=True)
    ask(write(tmp_path / "config", server=api.address, user=user, cluster=cluster))
    assert json.loads(plugin.runs[0]["KUBERNETES_EXEC_INFO"])["spec"]["cluster"] == {
        "server": api.address,
        "tls-server-name": "name",
        "insecure-skip-tls-verify": True,
        "config": {"audience": "team"},
    }


def test_a_plugin_in_a_path_relative_to_the_kubeconfig(api: Server, plugin: PluginScript, tmp_path: Path) -> None:
    plugin.prints(token="issued")
    assert ask(write(tmp_path / "config", server=api.address, user=plugin.user(command="./plugin"))) == [200]


def test_an_expired_token_is_renewed_before_it_is_sent(api: Server, plugin: PluginScript, tmp_path: Path) -> None:
    plugin.prints(
        credential(token="first", expirationTimestamp=in_seconds(-1)),
        credential(token="second", expirationTimestamp=in_seconds(600)),
    )
    ask(write(tmp_path / "config", server=api.address, user=plugin.user()), times=2)
    assert authorizations(api) == ["Bearer second"] * 2


def test_a_refused_token_is_renewed_once(api: Server, plugin: PluginScript, tmp_path: Path) -> None:
    plugin.prints(credential(token="first"), credential(token="second"), credential(token="third"))
    answer(api, UNAUTHORIZED, Reply({}), UNAUTHORIZED)
    assert ask(write(tmp_path / "config", server=api.address, user=plugin.user()), times=2) == [200, 401]
    sent = ["first", "second", "second", "third"]
    assert authorizations(api) == [f"Bearer {token}" for token in sent]


def test_a_body_is_sent_again_after_a_renewal(api: Server, plugin: PluginScript, tmp_path: Path) -> None:
    plugin.prints(credential(token="first"), credential(token="second"))
    answer(api, UNAUTHORIZED, Reply({}), request="POST /apis")
    with connect(kubeconfig=write(tmp_path / "config", server=api.address, user=plugin.user())) as client:
        assert client.post("/apis", json={"a": 1}).is_success
    assert [request.body for request in api.requests] == [{"a": 1}] * 2


def test_threads_share_one_renewal(api: Server, plugin: PluginScript, tmp_path: Path) -> None:
    plugin.prints(credential(token="first", expirationTimestamp=in_seconds(0.5)), credential(token="second"))
    with (
        connect(kubeconfig=write(tmp_path / "config", server=api.address, user=plugin.user())) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        time.sleep(0.6)
        assert {answer.status_code for answer in pool.map(client.get, ["/version"] * 8)} == {200}
    assert len(plugin.runs) == 2


def test_a_plugin_gives_a_client_certificate(authority: Authority, plugin: PluginScript, tmp_path: Path) -> None:
    """A renewed certificate is used for new connections, since one that is open keeps the certificate it began with."""
    certificates = [_issued(authority, name) for name in ("first", "second")]
    plugin.prints(*(credential(**status) for status in certificates))
    with serving_tls(authority, clients=True) as api:
        answer(api, Reply({}), UNAUTHORIZED, Reply({}))
        cluster = {"certificate-authority": str(authority.certificate)}
        file = write(tmp_path / "config", server=api.address, user=plugin.user(), cluster=cluster)
        assert ask(file, times=3) == [200, 200, 200]
        assert api.peers == ["first", "second"]
    assert authorizations(api) == [""] * 4


def _issued(authority: Authority, name: str) -> dict[str, str]:
    certificate, key = authority.issue(name)
    return {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}


def test_a_plugin_is_given_the_authority_of_the_cluster(
    authority: Authority, plugin: PluginScript, tmp_path: Path
) -> None:
    plugin.prints(token="issued")
    with serving_tls(authority) as api:
        answer(api, Reply({}))
        cluster = {"certificate-authority": str(authority.certificate)}
        user = plugin.user(provideClusterInfo=True)
        ask(write(tmp_path / "config", server=api.address, user=user, cluster=cluster))
    told = json.loads(plugin.runs[0]["KUBERNETES_EXEC_INFO"])["spec"]["cluster"]
    assert told["certificate-authority-data"] == encoded(authority.certificate)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("not JSON", "printed something else than an ExecCredential: its output: Invalid JSON"),
        (credential(version=V1BETA1, token="t"), f"printed ExecCredential of {V1BETA1} instead of ExecCredential of"),
        ({"status": {"token": "t"}}, "printed no kind of no version instead of ExecCredential of"),
        (credential(), "printed neither a token nor a client certificate"),
        (credential(clientKeyData="k"), "printed only one of clientCertificateData and clientKeyData"),
        (credential(token="t", expirationTimestamp="soon"), "printed something else than an ExecCredential: "),
        (credential(token=None, clientCertificateData="c", clientKeyData="k"), "the key must have no password"),
    ],
)
def test_an_output_that_cannot_be_used(plugin: PluginScript, tmp_path: Path, output: object, said: str) -> None:
    plugin.prints(output)
    file = write(tmp_path / "config", server="https://127.0.0.1:1", user=plugin.user())
    with pytest.raises(KubeconfigError) as refused:
        connect(kubeconfig=file)
    assert str(refused.value).startswith(f"{file}, context 'here': ")
    assert said in str(refused.value)


def test_a_plugin_that_failed_once_is_run_again(api: Server, plugin: PluginScript, tmp_path: Path) -> None:
    plugin.prints("not JSON", credential(token="issued"), "not JSON", credential(token="renewed"))
    file = write(tmp_path / "config", server=api.address, user=plugin.user())
    with pytest.raises(LoginFailedError):
        connect(kubeconfig=file)
    with connect(kubeconfig=file) as client:
        answer(api, UNAUTHORIZED, UNAUTHORIZED, Reply({}))
        with pytest.raises(LoginFailedError):
            client.get("/version")
        assert client.get("/version").is_success
    assert authorizations(api) == ["Bearer issued", "Bearer issued", "Bearer renewed"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "is 'client.authentication.k8s.io/v1alpha1' instead"),
        ({"command": ""}, "the login plugin has no command; add it"),
        (
            {"interactiveMode": "Always"},
            "always needs a terminal; it has none here: use a login that asks no questions",
        ),
        ({"interactiveMode": ""}, "has no interactiveMode; set it to Never or IfAvailable"),
        ({"interactiveMode": "Maybe"}, "has interactiveMode 'Maybe'; set it to Never or IfAvailable"),
    ],
)
def test_a_plugin_that_cannot_be_used_here(
    plugin: PluginScript, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    plugin.prints(token="t")
    file = write(tmp_path / "config", server="http://127.0.0.1:1", user=plugin.user(**changes))
    with pytest.raises(KubeconfigError) as refused:
        connect(kubeconfig=file)
    assert said in str(refused.value)
    assert plugin.runs == []


def test_in_version_v1beta1_a_plugin_need_not_say_whether_it_asks(
    api: Server, plugin: PluginScript, tmp_path: Path
) -> None:
    plugin.prints(version=V1BETA1, token="t")
    assert ask(write(tmp_path / "config", server=api.address, user=plugin.user(V1BETA1, interactiveMode=""))) == [200]


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("Get it from\nthe team", "'no-such-login' cannot be started: No such file or directory. Get it from the team"),
        ("", "cannot be started: No such file or directory. Install it, or correct `command`"),
    ],
)
def test_a_plugin_that_is_not_installed(plugin: PluginScript, tmp_path: Path, hint: str, said: str) -> None:
    user = plugin.user(command="no-such-login", installHint=hint)
    with pytest.raises(KubeconfigError) as refused:
        connect(kubeconfig=write(tmp_path / "config", server="http://a", user=user))
    assert said in str(refused.value)
    assert not isinstance(refused.value, LoginFailedError)


def test_a_plugin_that_fails_says_why(plugin: PluginScript, tmp_path: Path) -> None:
    plugin.runs_code("sys.exit('your session\\nhas ended')")
    with pytest.raises(LoginFailedError, match="ended with exit code 1: your session has ended"):
        connect(kubeconfig=write(tmp_path / "config", server="http://a", user=plugin.user()))


def test_a_plugin_that_does_not_end_is_stopped_with_its_children(
    plugin: PluginScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_module, "PLUGIN_SECONDS", 1.0)
    plugin.runs_code("import subprocess; subprocess.run(['sleep', '600'])")
    begun = time.monotonic()
    with pytest.raises(LoginFailedError, match=r"did not end in 1 s\. If it waits for you, log in first"):
        connect(kubeconfig=write(tmp_path / "config", server="http://a", user=plugin.user()))
    assert time.monotonic() - begun < 20
