"""Log in as the user of a kubeconfig: with fixed credentials, a token in a file, or a login plugin."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kube.credentials import Certificate, Credential, read_file
from kube.kubeconfig import Access, UnsupportedLoginError, User
from kube.plugin import PluginLogin, require_usable


class Login(Protocol):
    """Gives the credential of the next request, and a new one after the API server refused it."""

    def credential(self) -> Credential:
        """The credential to use now. Raises KubeconfigError."""

    def renew(self, refused: Credential) -> Credential:
        """The credential after `refused` got the status 401; the same if there is no other. Raises KubeconfigError."""


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
    if user.token_file:
        return TokenFile(access=access, path=user.token_file, certificate=certificate)
    if user.token or user.username or not user.plugin:
        return FixedLogin(Credential(authorization=_authorization(user), certificate=certificate))
    require_usable(user.plugin, access=access)
    return PluginLogin(access=access, plugin=user.plugin, certificate=certificate)


@dataclass(frozen=True)
class FixedLogin:
    """A token, a password, a certificate, or nothing at all."""

    fixed: Credential

    def credential(self) -> Credential:
        """The credential of the kubeconfig."""
        return self.fixed

    def renew(self, refused: Credential) -> Credential:
        """The same: there is no other."""
        return refused


@dataclass(frozen=True, kw_only=True)
class TokenFile:
    """A token in a file. It is read for each request, because the kubelet replaces a service account's token."""

    access: Access
    path: Path
    certificate: Certificate | None

    def credential(self) -> Credential:
        """The token that is in the file now."""
        token = read_file(self.path, what="tokenFile", access=self.access).decode(errors="replace").strip()
        return Credential(authorization=f"Bearer {token}", certificate=self.certificate)

    def renew(self, _refused: Credential) -> Credential:
        """The token that is in the file now."""
        return self.credential()


def _certificate(access: Access) -> Certificate | None:
    user = access.user
    chain, key = user.certificate, user.key
    if chain is None and user.certificate_file:
        chain = read_file(user.certificate_file, what="client-certificate", access=access)
    if key is None and user.key_file:
        key = read_file(user.key_file, what="client-key", access=access)
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
