"""Hugging Face's hub, or another that answers like it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from components.settings.fields import HOST_PORT, Matching
from components.settings.stores.certificates import Certificates
from components.settings.stores.store import Store


class HuggingFaceStorage(Certificates, Store):
    """Hugging Face's hub with a token, or a hub of your own."""

    schemes: ClassVar[tuple[str, ...]] = ("hf",)

    kind: Literal["huggingface"] = Field(description="the kind of store")
    token: SecretStr | None = Field(default=None, min_length=1, description="a Pulumi secret: an access token")
    endpoint: (
        Annotated[str, Matching(pattern=rf"https?://{HOST_PORT}(/[\w./-]+)?", what="URL: write https://host")] | None
    ) = Field(default=None, description="URL of a hub other than huggingface.co")

    @model_validator(mode="after")
    def _has_something(self) -> Self:
        if not (self.token or self.endpoint):
            raise ValueError("needs a token or an endpoint; a public model of huggingface.co needs no `storage`")
        return self
