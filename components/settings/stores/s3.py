"""Stores that speak Amazon's S3."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from components.settings.aws_credentials import NO_SESSION, AccessKeys, is_temporary, keys_of_profile
from components.settings.errors import refuse_all
from components.settings.fields import HOST_PORT, Matching, without_keys
from components.settings.stores.certificates import Certificates
from components.settings.stores.store import Store, plain, refuse_extra, require_one, require_together

_HOST = rf"({HOST_PORT}|\[[0-9A-Fa-f:.]+\](:\d+)?)"
# Amazon's partitions whose S3 has another name than s3.amazonaws.com, by the start of their regions.
_PARTITIONS = {
    "cn-": "amazonaws.com.cn",
    "us-gov-": "amazonaws.com",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
}


class S3Storage(Certificates, Store):
    """An S3 store, which is read with the keys of an IAM user, as an IAM role, or anonymously.

    The keys are Pulumi secrets or those of an AWS profile.
    """

    schemes: ClassVar[tuple[str, ...]] = ("s3",)

    kind: Literal["s3"] = Field(default="s3", description="the kind of store")
    endpoint: str | None = Field(
        default=None, description="URL of a store other than Amazon's, with its path if it has one"
    )
    region: str = Field(default="us-east-1", min_length=1, description="the store's region")
    anonymous: bool = Field(default=False, description="whether the store is read without keys")
    verify_ssl: bool = Field(default=True, description="whether the endpoint's certificate is verified")
    virtual_bucket: bool = Field(default=False, description="whether the bucket is part of the host name")
    access_key_id: SecretStr | None = Field(default=None, description="a Pulumi secret; not of a temporary key")
    secret_access_key: SecretStr | None = Field(default=None, description="a Pulumi secret")
    profile: str | None = Field(default=None, min_length=1, description="a profile of the AWS credentials file")
    role: (
        Annotated[
            str,
            Matching(
                pattern=r"arn:aws[-a-z]*:iam::\d{12}:role/[\w+=,.@/-]+",
                what="IAM role: write its ARN, as arn:aws:iam::123456789012:role/models",
            ),
        ]
        | None
    ) = Field(default=None, description="ARN of an IAM role that the models' service account may assume, on EKS (IRSA)")

    @field_validator("endpoint")
    @classmethod
    def _is_an_endpoint(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not re.fullmatch(rf"https?://{_HOST}(/[^\s?#@]*)?", endpoint):
            shown = without_keys(endpoint)
            raise ValueError(f"{shown!r} is not an S3 endpoint; write https://host or http://host:port")
        return endpoint and endpoint.rstrip("/")

    @field_validator("access_key_id")
    @classmethod
    def _is_permanent(cls, key: SecretStr | None) -> SecretStr | None:
        if key and is_temporary(key.get_secret_value()):
            raise ValueError(f"is a temporary key, {NO_SESSION}")
        return key

    @field_validator("profile")
    @classmethod
    def _has_keys(cls, profile: str | None) -> str | None:
        if profile is not None:
            keys_of_profile(profile)
        return profile

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        keys = {"access_key_id": self.access_key_id, "secret_access_key": self.secret_access_key}
        sources = {
            "access_key_id with secret_access_key": any(keys.values()),
            "profile": self.profile is not None,
            "role": self.role is not None,
            "anonymous": self.anonymous,
        }
        certificates = () if self.verify_ssl else ("ca_file", "ca_config_map")
        unused = "has no effect with verify_ssl: false; drop one of the two"
        refuse_all(
            lambda: require_one(sources),
            lambda: require_together(keys),
            lambda: refuse_extra(certificates, store=self, reason=unused),
        )
        return self

    @property
    def url(self) -> str:
        """URL of its S3: the endpoint, or Amazon's in the partition of the region."""
        domain = next((name for start, name in _PARTITIONS.items() if self.region.startswith(start)), None)
        amazon = f"https://s3.{self.region}.{domain}" if domain else "https://s3.amazonaws.com"
        return self.endpoint or amazon

    @property
    def secrets(self) -> tuple[str, ...]:
        """Those of the settings, or of the profile."""
        keys = self.keys if self.profile else None
        return (*super().secrets, *map(plain, (keys.access_key_id, keys.secret_access_key) if keys else ()))

    @property
    def keys(self) -> AccessKeys | None:
        """The keys, read from the credentials file where a profile is set; None without keys."""
        if self.profile:
            return keys_of_profile(self.profile)
        if self.access_key_id and self.secret_access_key:
            return AccessKeys(access_key_id=self.access_key_id, secret_access_key=self.secret_access_key)
        return None
