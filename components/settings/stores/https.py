"""HTTP servers that ask for a header, or that have a certificate of a private authority."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from components.settings.errors import Location, refuse, refuse_all
from components.settings.fields import Matching, without_keys
from components.settings.stores.certificates import Certificates
from components.settings.stores.store import AZURE, GIT, Store, plain, require_together

HeaderName = Annotated[
    str, Matching(pattern=r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", what="header: write its name, as Authorization or X-Api-Key")
]
_AUTHORIZATION = "authorization"


class HttpsStorage(Certificates, Store):
    """A web server. Its headers and password are Pulumi secrets, and are sent to this host only."""

    schemes: ClassVar[tuple[str, ...]] = ("https", "http")

    kind: Literal["https"] = Field(description="the kind of store")
    host: Annotated[
        str, Matching(pattern=r"[a-z0-9.-]+|[0-9a-f:.]+", what="host: write it in lower case, without scheme and port")
    ] = Field(description="host of its URLs, without scheme and port")
    headers: dict[HeaderName, SecretStr] = Field(
        default_factory=dict, description="headers of each request, name to value; each value a Pulumi secret"
    )
    username: str | None = Field(default=None, min_length=1, description="for basic authentication, with `password`")
    password: SecretStr | None = Field(default=None, description="a Pulumi secret")

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        refuse_all(
            lambda: require_together({"username": self.username, "password": self.password}),
            self._require_something,
            lambda: refuse(self._header_problems),
        )
        return self

    def _require_something(self) -> None:
        if not (self.headers or self.username or self.password or self.ca_file or self.ca_config_map):
            raise ValueError(
                "needs headers, username with password, ca_file or ca_config_map; a server that asks for none needs no "
                "`storage`"
            )

    @property
    def _header_problems(self) -> Mapping[str | Location, str | None]:
        twice = self.username and _AUTHORIZATION in map(str.lower, self.headers)
        broken = [name for name, value in self.headers.items() if re.search(r"[\r\n]", value.get_secret_value())]
        return {
            "headers": "has Authorization, and so has username; keep one of them" if twice else None,
            **{("headers", name): "has a line break in it; a header is one line" for name in broken},
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """Those of the settings, and the password as basic authentication sends it."""
        return (*super().secrets, *((self.basic_credentials,) if self.username else ()))

    @property
    def basic_credentials(self) -> str:
        """User and password as a request of basic authentication has them."""
        return base64.b64encode(f"{self.username}:{plain(self.password)}".encode()).decode()

    def _uri_problem(self, uri: str) -> str | None:
        shown = without_keys(uri)
        if re.fullmatch(AZURE, uri):
            return self.other_kind(uri)
        if re.fullmatch(GIT, uri):
            return f"does not work for {shown!r}: KServe sends a store's headers to no git server; use a file's URL"
        try:
            host = urlsplit(uri).hostname or ""
        except ValueError:
            host = ""
        if host != self.host:
            return f"is for the host {self.host!r}, not for {shown!r}; correct one of them, or add a store for the host"
        return None
