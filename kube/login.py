"""Log in as the user of a kubeconfig: with fixed credentials, a token in a file, or a login plugin.

Login plugins are programs that kubectl runs to log in; it calls them exec plugins.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import AliasPath, AwareDatetime, Field, ValidationError

from kube.kubeconfig import Access, LoginFailedError, Plugin, UnsupportedLoginError, User
from kube.views.base import View

PLUGIN_SECONDS = 60.0
PLUGIN_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Client certificate (with its chain) and private key, in PEM."""

    chain: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What a request carries: the header Authorization, a client certificate, both or neither."""

    authorization: str = field(default="", repr=False)
    certificate: Certificate | None = None
    expires: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= datetime.now(UTC)


# Gives the credential of the next request, or raises KubeconfigError. The argument is the credential that the API
# server has just refused with the status 401, if any: it is given again where there is no other.
Login = Callable[[Credential | None], Credential]


def login_of(access: Access) -> Login:
    """The login of the kubeconfig's user.

    Raises:
        UnsupportedLoginError: it has an auth-provider.
        KubeconfigError: its certificate cannot be read, or its plugin cannot be used here.

    """
    user = access.user
    if user.auth_provider is not None:
        raise UnsupportedLoginError(
            f"{access.source}: auth-provider {user.auth_provider!r} is not supported; use an exec plugin or a token"
        )
    certificate = _certificate(access)
    token_file = user.token_file
    if token_file is not None:

        def read_token(_: Credential | None) -> Credential:
            # For each request, because the kubelet replaces a service account's token.
            token = access.read_file(token_file, field="tokenFile").decode(errors="replace").strip()
            return Credential(authorization=f"Bearer {token}", certificate=certificate)

        return read_token
    if user.token or user.username or not user.plugin:
        fixed = Credential(authorization=_authorization(user), certificate=certificate)
        return lambda _: fixed
    _require_usable(user.plugin, access=access)
    return _PluginLogin(access=access, plugin=user.plugin, certificate=certificate)


def _certificate(access: Access) -> Certificate | None:
    user = access.user
    chain, key = user.certificate, user.key
    if chain is None and user.certificate_file:
        chain = access.read_file(user.certificate_file, field="client-certificate")
    if key is None and user.key_file:
        key = access.read_file(user.key_file, field="client-key")
    if (chain is None) != (key is None):
        missing = "client-key" if key is None else "client-certificate"
        raise access.error(f"the user's {missing} is missing; a client certificate needs its key and vice versa")
    return Certificate(chain=chain, key=key) if chain is not None and key is not None else None


def _authorization(user: User) -> str:
    if user.token:
        return f"Bearer {user.token}"
    if not user.username:
        return ""
    return f"Basic {base64.b64encode(f'{user.username}:{user.password}'.encode()).decode()}"


def _require_usable(plugin: Plugin, *, access: Access) -> None:
    """Check what the kubeconfig says of the plugin, before it runs. Raises KubeconfigError."""
    if plugin.version not in PLUGIN_VERSIONS:
        known = " or ".join(PLUGIN_VERSIONS)
        remedy = "write the kubeconfig anew with your provider's current command line tool"
        raise access.error(f"the login plugin's apiVersion is {plugin.version!r} instead of {known}; {remedy}")
    if not plugin.command:
        raise access.error("the login plugin has no command; add it")
    if plugin.interactive_mode == "Always":
        remedy = "use a login that asks no questions, such as a service account's token"
        raise access.error(f"the login plugin {plugin.command!r} always needs a terminal; it has none here: {remedy}")
    modes = ("Never", "IfAvailable") if plugin.version == PLUGIN_VERSIONS[0] else ("", "Never", "IfAvailable")
    if plugin.interactive_mode not in modes:
        mode = f"interactiveMode {plugin.interactive_mode!r}" if plugin.interactive_mode else "no interactiveMode"
        raise access.error(f"the login plugin has {mode}; set it to Never or IfAvailable")


class _Issued(View):
    """What a plugin prints: an ExecCredential."""

    version: str = Field("", validation_alias="apiVersion")
    kind: str = ""
    token: str = Field("", validation_alias=AliasPath("status", "token"))
    chain: str = Field("", validation_alias=AliasPath("status", "clientCertificateData"))
    key: str = Field("", validation_alias=AliasPath("status", "clientKeyData"))
    expires: AwareDatetime | None = Field(None, validation_alias=AliasPath("status", "expirationTimestamp"))


@dataclass(kw_only=True)
class _PluginLogin:
    """Credentials that a plugin issues. It runs again when they expire or the API server refuses them."""

    access: Access
    plugin: Plugin
    certificate: Certificate | None
    _latest: Credential | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, refused: Credential | None) -> Credential:
        """The latest credential. The plugin runs unless another thread has got one since `refused` was sent."""
        with self._lock:
            if self._latest is None or self._latest.expired or self._latest is refused:
                self._latest = self._issue()
            return self._latest

    def _issue(self) -> Credential:
        try:
            issued = _Issued.model_validate_json(self._output())
        except ValidationError as problem:
            error = problem.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, error["loc"])) or "its output"
            raise self._error(f"printed something else than an ExecCredential: {place}: {error['msg']}") from None
        if (issued.kind, issued.version) != ("ExecCredential", self.plugin.version):
            printed = f"{issued.kind or 'no kind'} of {issued.version or 'no version'}"
            raise self._error(f"printed {printed} instead of ExecCredential of {self.plugin.version}")
        if bool(issued.chain) != bool(issued.key):
            raise self._error("printed only one of clientCertificateData and clientKeyData")
        if not issued.token and not issued.chain:
            raise self._error("printed neither a token nor a client certificate")
        own = Certificate(chain=issued.chain.encode(), key=issued.key.encode()) if issued.chain else None
        return Credential(
            authorization=f"Bearer {issued.token}" if issued.token else "",
            certificate=own or self.certificate,
            expires=issued.expires,
        )

    def _output(self) -> bytes:
        """What the plugin prints. It has no terminal. When it takes too long, it is killed with all it started."""
        variables = {variable.name: variable.value for variable in self.plugin.env}
        try:
            process = subprocess.Popen(
                [self.plugin.command, *self.plugin.args],
                env={**os.environ, **variables, "KUBERNETES_EXEC_INFO": json.dumps(self._question())},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as problem:
            hint = " ".join(self.plugin.install_hint.split()) or "Install it, or correct `command`"
            raise self.access.error(f"{self._named} cannot be started: {problem.strerror}. {hint}") from problem
        try:
            output, errors = process.communicate(timeout=PLUGIN_SECONDS)
        except BaseException as problem:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if not isinstance(problem, subprocess.TimeoutExpired):
                raise
            advice = "If it waits for you, log in first: run it in a terminal"
            raise self._error(f"did not end in {PLUGIN_SECONDS:g} s. {advice}") from None
        if process.returncode:
            text = " ".join(errors.decode(errors="replace").split())[-300:]
            raise self._error(f"ended with exit code {process.returncode}: {text or 'it printed no error'}")
        return output

    def _question(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"interactive": False}
        if self.plugin.needs_cluster:
            spec["cluster"] = _described(self.access)
        return {"kind": "ExecCredential", "apiVersion": self.plugin.version, "spec": spec}

    @property
    def _named(self) -> str:
        return f"the login plugin {self.plugin.command!r}"

    def _error(self, problem: str) -> LoginFailedError:
        return LoginFailedError(f"{self.access.source}: {self._named} {problem}")


def _described(access: Access) -> dict[str, Any]:
    """The cluster as a plugin reads it."""
    cluster = access.cluster
    authority = access.authority
    fields = {
        "server": cluster.server,
        "tls-server-name": cluster.server_name,
        "insecure-skip-tls-verify": cluster.insecure,
        "certificate-authority-data": base64.b64encode(authority).decode() if authority else "",
        "proxy-url": cluster.proxy,
        "config": cluster.plugin_settings,
    }
    return {name: value for name, value in fields.items() if value}
