"""Google Cloud Storage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from components.settings.errors import refuse, refuse_all
from components.settings.fields import HOST_PORT, Matching
from components.settings.stores.store import Store, require_one

# What is secret in a key, by the types of keys.
_SECRETS = ("private_key", "refresh_token", "client_secret")
# Types of key files that Google's clients read.
_TYPES = ("service_account", "external_account", "authorized_user")
_NO_KEY = f"is not a key of Google Cloud: JSON with a `type` of {', '.join(_TYPES)}; download one for a service account"


class GcsStorage(Store):
    """Google Cloud Storage, which is read with a key file, by GKE's workload identity, or anonymously."""

    schemes: ClassVar[tuple[str, ...]] = ("gs",)

    kind: Literal["gcs"] = Field(description="the kind of store")
    key: SecretStr | None = Field(default=None, description="a Pulumi secret: the text of a JSON key file")
    key_file: Path | None = Field(default=None, description="a JSON key file; it is read at each update")
    service_account: (
        Annotated[
            str,
            Matching(
                pattern=r"[a-z0-9-]+@[a-z0-9.-]+\.iam\.gserviceaccount\.com",
                what="service account of Google Cloud: write it as name@project.iam.gserviceaccount.com",
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="a service account of Google Cloud that the models may use, on GKE (workload identity)",
    )
    anonymous: bool = Field(default=False, description="whether the store is read without a key")
    endpoint: Annotated[str, Matching(pattern=f"https?://{HOST_PORT}", what="URL: write http://host:port")] | None = (
        Field(default=None, description="URL of an emulator, which is read without a key")
    )

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            _check_key(key.get_secret_value())
        return key

    @field_validator("key_file")
    @classmethod
    def _is_a_key_file(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        try:
            _check_key(path.expanduser().read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as problem:
            raise ValueError(f"cannot be read ({getattr(problem, 'strerror', None) or 'not text'})") from None
        return path.expanduser()

    @model_validator(mode="after")
    def _has_one_source_of_keys(self) -> Self:
        sources = {
            "key": self.key is not None,
            "key_file": self.key_file is not None,
            "service_account": self.service_account is not None,
            "anonymous": self.anonymous,
        }
        needs = "needs anonymous: true instead of a key: Google's client sends an emulator none"
        refuse_all(
            lambda: require_one(sources),
            lambda: refuse({"endpoint": needs if self.endpoint and not self.anonymous else None}),
        )
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key of the settings or of the file, and what is secret in it."""
        text = self.key_text
        inner = json.loads(text) if text else {}
        return (text, *(str(inner[name]) for name in _SECRETS if name in inner)) if text else ()

    @property
    def key_text(self) -> str | None:
        """Text of its key; None without one."""
        if self.key_file:
            return self.key_file.read_text("utf-8")
        return self.key.get_secret_value() if self.key else None


def _check_key(text: str) -> None:
    try:
        key = json.loads(text)
    except ValueError:
        raise ValueError(_NO_KEY) from None
    if not isinstance(key, dict) or key.get("type") not in _TYPES:
        raise ValueError(_NO_KEY)
