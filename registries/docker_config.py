"""Logins that `docker login` keeps: in Docker's configuration file, or in a program that the file names."""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from registries.errors import DownloadError
from registries.login import DOCKER_HUB, Login

# The name under which `docker login` keeps the login of Docker Hub.
DOCKER_HUB_KEY = "https://index.docker.io/v1/"
HELPER_SECONDS = 60
# The user name that a helper program gives with a token for OAuth 2 instead of a password.
IDENTITY_TOKEN = "<token>"  # noqa: S105 - a name


def docker_login(host: str) -> Login | None:
    """The login of a registry in $DOCKER_CONFIG or ~/.docker; None where `docker login` was not run for it.

    Raises:
        DownloadError: the file cannot be read, or the program that it names fails.

    """
    file = Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser() / "config.json"
    try:
        configuration: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise DownloadError(f"{file} cannot be read: {type(problem).__name__}") from None  # its text may be a password
    key = DOCKER_HUB_KEY if host in DOCKER_HUB else host
    helper = (configuration.get("credHelpers") or {}).get(key)
    entry = (configuration.get("auths") or {}).get(key)
    if helper or (configuration.get("credsStore") and entry == {}):
        return _from_helper(helper or configuration["credsStore"], key=key, host=host)
    return _from_entry(entry, file=file, host=host) if entry else None


def _from_entry(entry: dict[str, str], *, file: Path, host: str) -> Login | None:
    if entry.get("username") and entry.get("password"):
        return Login(host=host, username=entry["username"], password=entry["password"])
    try:
        username, _, password = base64.b64decode(entry.get("auth", ""), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise DownloadError(f"{file}: the login of {host} cannot be read; run docker login {host} again") from None
    return Login(host=host, username=username, password=password) if username else None


def _from_helper(name: str, *, key: str, host: str) -> Login | None:
    program = f"docker-credential-{name}"
    try:
        answer = subprocess.run(
            [program, "get"], input=key, capture_output=True, text=True, timeout=HELPER_SECONDS, check=False
        )
        if answer.returncode:  # also where it has no login of this registry
            return None
        found = json.loads(answer.stdout)
        username, password = str(found["Username"]), str(found["Secret"])
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as problem:
        raise DownloadError(f"{program} gives no login of {host}: {type(problem).__name__}") from None
    if username == IDENTITY_TOKEN:
        raise DownloadError(
            f"{program} has a token of {host} that only docker can use; log in with a password or token"
        )
    return Login(host=host, username=username, password=password)
