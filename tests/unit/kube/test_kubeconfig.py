"""Which cluster and which login are meant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube import kubeconfig as kubeconfig_module
from kube.kubeconfig import KubeconfigError, find_access
from tests.unit.kube.conftest import write


def listed(monkeypatch: pytest.MonkeyPatch, *files: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))


def dump(file: Path, **lists: Any) -> Path:
    file.write_text(yaml.safe_dump({name.replace("_", "-"): value for name, value in lists.items()}))
    return file


def test_the_current_context_of_one_file(tmp_path: Path) -> None:
    access = find_access(kubeconfig=write(tmp_path / "config", server="http://a", user={"token": "t"}))
    assert (access.cluster.server, access.user.token, access.namespace) == ("http://a", "t", "default")


def test_the_default_file_is_in_the_home_folder(tmp_path: Path) -> None:
    write(tmp_path / ".kube/config", server="http://home")
    assert find_access().cluster.server == "http://home"


def test_a_named_file_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, write(tmp_path / "environment", server="http://environment"))
    assert find_access(kubeconfig=write(tmp_path / "named", server="http://named")).cluster.server == "http://named"


def test_a_context_may_combine_entries_of_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clusters = dump(tmp_path / "1", clusters=[{"name": "c", "cluster": {"server": "http://c"}}])
    users = dump(tmp_path / "2", users=[{"name": "u", "user": {"token": "t"}}], current_context="both")
    context = {"name": "both", "context": {"cluster": "c", "user": "u", "namespace": "team"}}
    contexts = dump(tmp_path / "3", contexts=[context], current_context="another")
    listed(monkeypatch, clusters, users, contexts)
    access = find_access()
    assert (access.cluster.server, access.user.token, access.namespace) == ("http://c", "t", "team")


def test_the_first_file_with_an_entry_wins_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write(tmp_path / "first", server="http://first", user={"username": "me"})
    second = write(tmp_path / "second", server="http://second", user={"token": "t"}, cluster={"proxy-url": "http://p"})
    listed(monkeypatch, tmp_path / "missing", first, second)
    access = find_access()
    assert (access.cluster.server, access.cluster.proxy) == ("http://first", "")
    assert (access.user.username, access.user.token) == ("me", "")


def test_the_current_context_is_of_the_first_file_that_has_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = dump(tmp_path / "without", contexts=None, clusters=None, users=None, current_context="")
    second = write(tmp_path / "second", server="http://second", name="second")
    third = write(tmp_path / "third", server="http://third", name="third")
    listed(monkeypatch, without, second, third)
    assert find_access().cluster.server == "http://second"
    assert find_access(context="third").cluster.server == "http://third"


def test_an_empty_file_is_an_empty_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").touch()
    listed(monkeypatch, tmp_path / "empty", write(tmp_path / "config", server="http://a"))
    assert find_access().cluster.server == "http://a"


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"client-certificate": "me.pem", "client-key": "/keys/me.key", "tokenFile": "secrets/token"}
    user = {**files, "exec": {"command": "bin/login"}}
    write(tmp_path / "1/config", name="one", cluster={"certificate-authority": "ca.pem"}, server="http://1")
    write(tmp_path / "2/config", name="two", user=user, server="http://2")
    monkeypatch.chdir(tmp_path)
    listed(monkeypatch, Path("1/config"), Path("2/config"))
    assert find_access(context="one").cluster.authority_file == tmp_path / "1/ca.pem"
    found = find_access(context="two").user
    assert (found.certificate_file, found.key_file) == (tmp_path / "2/me.pem", Path("/keys/me.key"))
    assert found.token_file == tmp_path / "2/secrets/token"
    assert found.plugin is not None
    assert found.plugin.command == str(tmp_path / "2/bin/login")


def test_a_command_without_a_slash_is_looked_up_on_path(tmp_path: Path) -> None:
    found = find_access(kubeconfig=write(tmp_path / "config", server="http://a", user={"exec": {"command": "login"}}))
    assert found.user.plugin is not None
    assert found.user.plugin.command == "login"


def test_null_means_not_set(tmp_path: Path) -> None:
    user = {"token": None, "exec": {"command": "login", "args": None, "env": None}}
    access = find_access(kubeconfig=write(tmp_path / "config", server="http://a", user=user))
    assert access.user.plugin is not None
    assert (access.user.token, access.user.plugin.args) == ("", ())


HERE = {"name": "here", "context": {"cluster": "here", "user": "here"}}
CLUSTER = {"name": "here", "cluster": {"server": "http://a"}}


@pytest.mark.parametrize(
    ("lists", "context", "said"),
    [
        ({"contexts": [HERE], "clusters": [CLUSTER]}, None, "no current context is set; its contexts are here. Choose"),
        ({}, None, "no current context is set; it has no contexts"),
        ({"contexts": [HERE]}, "there", "context 'there': there is no such context; its contexts are here. Choose one"),
        ({"contexts": [HERE]}, "here", "context 'here': it names the cluster 'here', which is not there; add it"),
        ({"contexts": [HERE], "clusters": [CLUSTER]}, "here", "it names the user 'here', which is not there; add it"),
        ({"contexts": [HERE], "clusters": [{"name": "here"}]}, "here", "its cluster 'here' has no server; add"),
        ({"contexts": {}}, "here", "it is not a kubeconfig: contexts: Input should be a valid tuple"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(
    tmp_path: Path, lists: dict[str, Any], context: str | None, said: str
) -> None:
    file = dump(tmp_path / "config", **lists)
    with pytest.raises(KubeconfigError) as refused:
        find_access(kubeconfig=file, context=context)
    assert str(refused.value).startswith(str(file))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"token: my-secret: {", "line 1: it is not a kubeconfig: it is not YAML"),
        (b"- my-secret", "it is not a kubeconfig: the document: Input should be"),
        (b"\xff\xfe\x00\xd8", "it is not a kubeconfig: it is not text"),
        (b"users: [{name: me, user: my-secret}]", "it is not a kubeconfig: users.0.user: Input should be"),
    ],
)
def test_a_file_that_is_something_else_is_not_quoted(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(content)
    with pytest.raises(KubeconfigError) as refused:
        find_access(kubeconfig=file)
    assert said in str(refused.value)
    assert "my-secret" not in str(refused.value)


def test_a_wrong_field_of_the_user_is_named_and_not_quoted(tmp_path: Path) -> None:
    file = write(tmp_path / "config", server="http://a", user={"client-key-data": "my-secret"})
    with pytest.raises(KubeconfigError, match=r"context 'here', user 'here': .*client-key-data") as refused:
        find_access(kubeconfig=file)
    assert "my-secret" not in str(refused.value)


def test_a_login_is_not_in_what_python_shows_of_an_access(tmp_path: Path) -> None:
    access = find_access(kubeconfig=write(tmp_path / "config", user={"token": "secret"}, server="https://a"))
    assert access.user.token == "secret"
    assert "secret" not in repr(access)


def test_no_file_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KubeconfigError, match=r"\.kube/config not found; set KUBECONFIG"):
        find_access()
    listed(monkeypatch, tmp_path / "one", tmp_path / "other")
    with pytest.raises(KubeconfigError, match=r"/one, .*/other not found"):
        find_access()
    with pytest.raises(KubeconfigError, match="/named not found"):
        find_access(kubeconfig=tmp_path / "named")


@pytest.mark.parametrize("beside", [True, False])
def test_a_folder_is_not_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = write(tmp_path / "config", server="http://a")
    listed(monkeypatch, *([file] if beside else []), folder)
    said = f"^{folder}: it cannot be read: Is a directory; correct the path$"
    with pytest.raises(KubeconfigError, match=said):
        find_access()
    with pytest.raises(KubeconfigError, match=said):
        find_access(kubeconfig=folder)


def test_a_path_through_a_file_is_not_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "config", server="http://a")
    listed(monkeypatch, file, file / "config")
    with pytest.raises(KubeconfigError, match=r"config/config: it cannot be read: Not a directory"):
        find_access()


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    monkeypatch.setattr(kubeconfig_module, "SERVICE_ACCOUNT", folder)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    return folder


def test_in_a_pod_the_service_account_comes_after_the_kubeconfig(
    pod: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pod / "namespace").write_text("team\n")
    access = find_access()
    assert (access.cluster.server, access.namespace) == ("https://[fd00::1]:6443", "team")
    assert (access.cluster.authority_file, access.user.token_file) == (pod / "ca.crt", pod / "token")
    with pytest.raises(KubeconfigError, match="there is no context 'here'; set KUBECONFIG"):
        find_access(context="here")
    listed(monkeypatch, write(tmp_path / "config", server="http://a"))
    assert find_access().cluster.server == "http://a"


def test_a_pod_without_a_service_account(pod: Path) -> None:
    with pytest.raises(KubeconfigError, match=f"service account in {pod} cannot be read: No such file"):
        find_access()
