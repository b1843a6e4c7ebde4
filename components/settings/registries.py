"""Logins of registries, and the Secrets that pods pull images with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from components.settings.fields import DOMAIN, HOST_PORT, Matching, Section
from registries.login import Login

# Name of a Secret in the namespace of the pods that use it.
SecretName = Annotated[
    str,
    Matching(pattern=DOMAIN, what="name of a Secret: give the name of one of type kubernetes.io/dockerconfigjson"),
]


class RegistryLogin(Section):
    """A login of a registry or of a web server with charts: charts are fetched, and images pulled, with it."""

    host: Annotated[
        str, Matching(pattern=HOST_PORT, what="registry: write host or host:port, without a scheme and a path")
    ] = Field(description="the registry, as registry.example.com:5000; docker.io for Docker Hub")
    username: str = Field(min_length=1, description="the user name; some registries want a fixed one with a token")
    password: SecretStr = Field(min_length=1, description="the password or token: a Pulumi secret")
    images: bool = Field(
        default=True,
        description="whether pods pull images with it: then it is in a Secret of each namespace of the platform and of "
        "models; charts are fetched with it either way",
    )

    @property
    def login(self) -> Login:
        """The login."""
        return Login(host=self.host, username=self.username, password=self.password.get_secret_value())
