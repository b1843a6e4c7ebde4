"""PersistentVolumeClaims."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from components.settings.fields import DOMAIN, Matching
from components.settings.stores.store import Store


class PvcStorage(Store):
    """A PersistentVolumeClaim in the models' namespace, which is mounted instead of downloaded."""

    schemes: ClassVar[tuple[str, ...]] = ("pvc",)

    kind: Literal["pvc"] = Field(description="the kind of store")
    claim: Annotated[str, Matching(pattern=DOMAIN, what="claim: give the name of one in the models' namespace")]
    read_only: bool = Field(default=True, description="whether the server may only read it")

    def _uri_problem(self, uri: str) -> str | None:
        claim = uri.partition("://")[2].partition("/")[0]
        if claim != self.claim:
            return f"is the claim {self.claim!r}, not {claim!r}; write pvc://{self.claim}/<folder>, or correct `claim`"
        return None
