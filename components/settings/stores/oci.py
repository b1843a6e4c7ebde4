"""Images with a model in them, which KServe runs beside the server (modelcars)."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr

from components.settings.fields import HOST_PORT, Matching
from components.settings.stores.store import Store

DOCKER_HUB = "docker.io"


class OciStorage(Store):
    """A registry whose images have the models. The kubelet pulls them with this password."""

    schemes: ClassVar[tuple[str, ...]] = ("oci",)

    kind: Literal["oci"] = Field(description="the kind of store")
    registry: Annotated[str, Matching(pattern=HOST_PORT, what="registry: write host or host:port")] = Field(
        default=DOCKER_HUB, description="the registry"
    )
    username: str = Field(min_length=1, description="user of the registry")
    password: SecretStr = Field(min_length=1, description="a Pulumi secret: the user's password or token")

    def _uri_problem(self, uri: str) -> str | None:
        registry = registry_of(uri)
        if registry != self.registry:
            return f"is for the registry {self.registry!r}, not for {registry!r}; correct one of them"
        return None


def registry_of(uri: str) -> str:
    """Registry of an image; Docker Hub where it names none."""
    first, slash, _ = uri.partition("://")[2].partition("/")
    return first if slash and re.search(r"[.:]|^localhost$", first) else DOCKER_HUB
