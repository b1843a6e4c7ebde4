"""Reads CACHE_FROM: the folder or URL of a cache that another machine exported, and the digest of its index.

This module needs only Python, because `make venv` runs it before any package is installed:
`python -m cluster.cache_from` prints the options, one a line, with which pip and uv install from that cache.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cluster.errors import ClusterError

VARIABLE = "CACHE_FROM"
WHEELS = "wheels"
# The page with links to the packages, which pip and uv read from a web server.
WHEELS_PAGE = "index.html"
PIN = re.compile("sha256=([0-9a-f]{64})")
# What no URL has: spaces, control characters, and bytes of the environment that are not UTF-8.
UNPRINTABLE = re.compile("[\\x00-\\x20\\x7f\\ud800-\\udfff]")


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where a shared cache is.

    Attributes:
        root: a folder's path, or a URL without a slash at its end.
        pin: the SHA-256 that the index must have; None when the folder or the server is trusted.
    """

    root: str
    pin: str | None = None

    @classmethod
    def parse(cls, text: str) -> Location:
        """Parse the value of CACHE_FROM.

        Raises:
            ClusterError: it is not a folder or URL, or its content could be changed on the way (plain HTTP, no digest).
        """
        root, mark, fragment = text.partition("#")
        pin = PIN.fullmatch(fragment)
        if mark and not pin:
            raise ClusterError(
                f"{VARIABLE}={_without_secrets(text)}: after '#' must come sha256= and the 64 hexadecimal digits of "
                "the index's digest",
                hint="python -m cluster export prints it.",
            )
        location = cls(root=root.rstrip("/") or "/", pin=pin[1] if pin else None)
        if location.is_url:
            location._check_url()
        elif not Path(root).is_dir():
            raise ClusterError(
                f"{VARIABLE}={_without_secrets(text)}: there is no such folder, and it is not an http or https URL"
            )
        return location

    @property
    def is_url(self) -> bool:
        """Whether it is a URL."""
        return "://" in self.root

    def _check_url(self) -> None:
        try:
            url = urlsplit(self.root)
            whole = url.scheme in {"http", "https"} and url.hostname and not url.query and url.port != 0
            # Raises UnicodeError, a ValueError, for a name that no server can have, such as a..b.
            (url.hostname or "").encode("idna")
        except ValueError:
            whole = False
        if not whole or UNPRINTABLE.search(self.root):
            raise ClusterError(
                f"{VARIABLE}={_without_secrets(self.root)}: must be a folder, or an http or https URL without a query"
            )
        if not (self.pin or is_trustworthy(self.root)):
            raise ClusterError(
                f"{VARIABLE}={self}: plain HTTP does not prove who answers, so the index's digest must be named",
                hint=f"{VARIABLE}={self}#sha256=<digest>, which python -m cluster export prints; or use https.",
            )

    def __str__(self) -> str:
        """The folder or URL, without user name and password."""
        if not self.is_url:
            return self.root
        user = urlsplit(self.root).netloc.rpartition("@")
        return self.root.replace("".join(user[:2]), "", 1)

    def wheels_options(self) -> list[str]:
        """Options of pip and uv to install only from there; both compare the packages with the lock's hashes."""
        if not self.is_url:
            return ["--no-index", "--find-links", str(Path(self.root, WHEELS).absolute())]
        url = urlsplit(self.root)
        # The hashes are verified, so plain HTTP is enough. An HTTPS server proves who it is: it may get a password.
        trusted = ["--trusted-host", url.netloc.rpartition("@")[2]] if url.scheme == "http" else []
        return ["--no-index", "--find-links", f"{self.root}/{WHEELS}/{WHEELS_PAGE}", *trusted]


def _without_secrets(text: str) -> str:
    """A text that may have been meant as a URL, without what may be its user name, password and query."""
    if text.startswith(("/", ".", "~")):
        return text
    shown = re.sub("^([a-z]+:/+)?.*@", r"\1", text, flags=re.DOTALL | re.IGNORECASE)
    return re.sub(r"\?.*", "?…", shown, flags=re.DOTALL)


def is_trustworthy(url: str) -> bool:
    """Whether nobody can change what is read from `url` on the way: it is HTTPS, or on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    try:
        sys.stdout.writelines(f"{option}\n" for option in Location.parse(os.environ[VARIABLE]).wheels_options())
    except ClusterError as error:
        sys.exit(f"error: {error}")
