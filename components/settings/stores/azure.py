"""Azure's Blob Storage and Files."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import parse_qs

from pydantic import Field, SecretStr, field_validator, model_validator

from components.settings.errors import refuse
from components.settings.fields import Matching
from components.settings.stores.store import AZURE, Store, plain, require_one

_ID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


class AzureStorage(Store):
    """Azure's Blob Storage or Files: read as a service principal or managed identity, by a storage key or a SAS token.

    Azure Files takes a storage key or a SAS token only.
    """

    schemes: ClassVar[tuple[str, ...]] = ("https",)

    kind: Literal["azure"] = Field(description="the kind of store")
    tenant_id: Annotated[str, Matching(pattern=rf"{_ID}|[\w.-]+", what="tenant: write its ID")] | None = Field(
        default=None, description="ID of the tenant; for a service principal, or for workload identity on AKS"
    )
    client_id: Annotated[str, Matching(pattern=_ID, what="client ID: write a UUID")] | None = Field(
        default=None, description="ID of the service principal or of the managed identity"
    )
    client_secret: SecretStr | None = Field(default=None, description="a Pulumi secret: of the service principal")
    managed_identity: bool = Field(
        default=False,
        description="whether the models sign in as the managed identity `client_id`: the node's, or with `tenant_id` "
        "the one that their service account may use (workload identity on AKS)",
    )
    storage_key: SecretStr | None = Field(default=None, description="a Pulumi secret: a key of the storage account")
    sas_token: SecretStr | None = Field(default=None, description="a Pulumi secret: a shared access signature")

    @field_validator("sas_token")
    @classmethod
    def _is_a_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token and "sig" not in parse_qs(token.get_secret_value().lstrip("?")):
            raise ValueError("is not a SAS token, which has sig= in it; copy the token, not the URL")
        return token

    @model_validator(mode="after")
    def _signs_in_one_way(self) -> Self:
        require_one(
            {
                "client_secret": self.client_secret is not None,
                "managed_identity": self.managed_identity,
                "storage_key": self.storage_key is not None,
                "sas_token": self.sas_token is not None,
            }
        )
        principal = self.client_secret is not None
        needed = {"client_id": principal or self.managed_identity, "tenant_id": principal}
        allowed = principal or self.managed_identity
        owner = "client_secret" if principal else "managed_identity"
        other = "has no effect with storage_key or sas_token; drop it"
        refuse(
            {
                name: f"is missing: {owner} needs it"
                if needed[name] and not getattr(self, name)
                else (other if getattr(self, name) and not allowed else None)
                for name in needed
            }
        )
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """Those of the settings; of a SAS token also the text without its question mark, and its signature."""
        token = plain(self.sas_token).lstrip("?")
        return (*super().secrets, *((token, *parse_qs(token)["sig"]) if token else ()))

    def _uri_problem(self, uri: str) -> str | None:
        if not re.fullmatch(AZURE, uri):
            return self.other_kind(uri)
        if "?" in uri:
            return "has the credentials already: a query in storage_uri would be in plain text; drop it there"
        by_text = self.storage_key or self.sas_token
        if ".file." in uri.partition("://")[2].partition("/")[0] and not by_text:
            return "needs a storage_key or sas_token: KServe reads Azure Files with nothing else"
        return None
