"""Certificates of a private authority, which a store's server has its own from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from components.settings.errors import refuse
from components.settings.fields import DOMAIN, Matching, Section

_BEGIN = "-----BEGIN CERTIFICATE-----"
# KServe reads this key of the ConfigMap.
CERTIFICATES_KEY = "cabundle.crt"


class Certificates(Section):
    """Settings of a store whose server may have a certificate of a private authority."""

    ca_file: Path | None = Field(
        default=None, description="a PEM file with the certificates of a private authority; it is read at each update"
    )
    ca_config_map: (
        Annotated[str, Matching(pattern=DOMAIN, what="ConfigMap: give the name of one in the models' namespace")] | None
    ) = Field(
        default=None, description=f"instead: a ConfigMap in the models' namespace with them under `{CERTIFICATES_KEY}`"
    )

    @field_validator("ca_file")
    @classmethod
    def _has_certificates(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        try:
            text = path.expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError, ValueError) as problem:
            raise ValueError(
                f"cannot be read ({getattr(problem, 'strerror', None) or 'not text'}); give the path of a PEM file"
            ) from None
        if _BEGIN not in text:
            raise ValueError(f"has no certificate in it; give a PEM file, with {_BEGIN}")
        return path.expanduser()

    @model_validator(mode="after")
    def _has_one_source_of_certificates(self) -> Self:
        both = "and ca_file exclude each other; keep one of them"
        refuse({"ca_config_map": both if self.ca_file and self.ca_config_map else None})
        return self

    @property
    def certificates(self) -> str | None:
        """The certificates, as PEM text; None where no file is set."""
        return self.ca_file.read_text("utf-8") if self.ca_file else None
