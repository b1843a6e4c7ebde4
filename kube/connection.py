"""A connection of our own to the cluster, for the few questions that the provider does not answer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx2 as httpx
import yaml
from lightkube import KubeConfig
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.core.exceptions import ConfigError

TIMEOUT = httpx.Timeout(10)
DEFAULT_FILE = Path("~/.kube/config")
# What lightkube and the parsers below it raise for a file that is something else.
NOT_A_KUBECONFIG = (AttributeError, AssertionError, KeyError, TypeError, ValueError, yaml.YAMLError)
EXEC_VERSIONS = ("client.authentication.k8s.io/v1alpha1", "client.authentication.k8s.io/v1beta1")


class UnknownLogin(Exception):  # noqa: N818 - no error of the user's
    """The kubeconfig asks for a way to connect that the provider knows and this program does not."""


def connect(*, kubeconfig: Path | None, context: str | None) -> httpx.Client:
    """An HTTP client of the cluster, as its provider would choose it; $KUBECONFIG may list several files.

    Raises:
        ConfigError: there is no kubeconfig, it is none, or it has no such context.
        UnknownLogin: the cluster can be reached in a way that is not known here.
    """
    file = kubeconfig or _file_with(context)
    if file is None:
        return Client(_selected(KubeConfig.from_service_account(), context), ConnectionParams(timeout=TIMEOUT))
    _refuse_unknown(file, context)
    try:
        return Client(_selected(KubeConfig.from_file(file), context), ConnectionParams(timeout=TIMEOUT))
    except NOT_A_KUBECONFIG as problem:
        raise ConfigError(f"{file} is no kubeconfig: {problem}") from problem


def _selected(config: KubeConfig, context: str | None) -> Any:
    selected = config.get(context)
    if selected is None:
        raise ConfigError("the kubeconfig has no current context")
    return selected


def _file_with(context: str | None) -> Path | None:
    """The first kubeconfig that has the context, else the first that is there; None inside a cluster."""
    listed = os.environ.get("KUBECONFIG")
    files = [Path(name).expanduser() for name in (listed.split(os.pathsep) if listed else [str(DEFAULT_FILE)]) if name]
    there = [file for file in files if file.is_file()]
    if not there and not listed and "KUBERNETES_SERVICE_HOST" in os.environ:
        return None
    if not there:
        raise ConfigError(f"{', '.join(map(str, files))} not found")
    named = [file for file in there if _named(_document(file), "contexts", context or "")]
    current = [file for file in there if not context and _document(file).get("current-context")]
    return (named or current or there)[0]


def _document(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{file} is no kubeconfig: {type(problem).__name__}") from problem
    if not isinstance(document, dict):
        raise ConfigError(f"{file} is no kubeconfig: it is no mapping")
    return document


def _named(document: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    """The entry of this name in one of a kubeconfig's three lists; empty where there is none."""
    entries = document.get(kind)
    found = [e for e in entries if isinstance(e, dict) and e.get("name") == name] if isinstance(entries, list) else []
    entry = found[0].get(kind.removesuffix("s")) if found else None
    return entry if isinstance(entry, dict) else {}


def _refuse_unknown(file: Path, context: str | None) -> None:
    document = _document(file)
    chosen = _named(document, "contexts", context or str(document.get("current-context")))
    cluster = _named(document, "clusters", str(chosen.get("cluster")))
    user = _named(document, "users", str(chosen.get("user")))
    command = user.get("exec") or {}
    unknown = [key for key in ("proxy-url", "tls-server-name") if cluster.get(key)]
    unknown += ["auth-provider"] if user.get("auth-provider") else []
    if command and command.get("apiVersion") not in EXEC_VERSIONS:
        unknown.append(f"exec of {command.get('apiVersion')}")
    if unknown:
        raise UnknownLogin(f"{file}: {', '.join(unknown)}")
