"""Hadoop's file system, which KServe reads through WebHDFS."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from components.settings.errors import refuse_all
from components.settings.fields import HOST_PORT, Matching
from components.settings.stores.certificates import Certificates
from components.settings.stores.store import Store, refuse_extra, require_together

_NAMENODE = rf"https?://{HOST_PORT}"


class HdfsStorage(Certificates, Store):
    """Hadoop's file system through WebHDFS: as Hadoop's user, by Kerberos, or with a client certificate."""

    schemes: ClassVar[tuple[str, ...]] = ("hdfs", "webhdfs")

    kind: Literal["hdfs", "webhdfs"] = Field(description="the kind of store, which is the scheme of its URIs")
    namenode: Annotated[
        str,
        Matching(
            pattern=rf"{_NAMENODE}(;{_NAMENODE})*", what="name node: write http://host:port, several with ; between"
        ),
    ] = Field(description="URL of the name node's WebHDFS")
    root_path: Annotated[str, Matching(pattern=r"/\S*", what="path: begin it with /")] | None = Field(
        default=None, description="folder that the URIs' paths are in"
    )
    user_proxy: str | None = Field(default=None, min_length=1, description="user to act as")
    kerberos_principal: str | None = Field(default=None, min_length=1, description="principal to sign in as")
    kerberos_keytab: SecretStr | None = Field(default=None, description="a Pulumi secret: its keytab, in base64")
    tls_certificate: str | None = Field(default=None, min_length=1, description="client certificate, as PEM text")
    tls_key: SecretStr | None = Field(default=None, description="a Pulumi secret: its key, as PEM text")
    verify_ssl: bool = Field(default=True, description="whether the name node's certificate is verified")

    @field_validator("kerberos_keytab")
    @classmethod
    def _is_base64(cls, keytab: SecretStr | None) -> SecretStr | None:
        if keytab:
            try:
                base64.b64decode("".join(keytab.get_secret_value().split()), validate=True)
            except (binascii.Error, ValueError):
                raise ValueError("is not base64; write base64 -w0 <file>") from None
        return keytab

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        kerberos = {"kerberos_principal": self.kerberos_principal, "kerberos_keytab": self.kerberos_keytab}
        tls = {"tls_certificate": self.tls_certificate, "tls_key": self.tls_key}
        file_only = "does not work with kind hdfs: KServe reads the certificates from the store's Secret; use ca_file"
        refuse_all(
            lambda: require_together(kerberos),
            lambda: require_together(tls),
            lambda: refuse_extra(("ca_config_map",), store=self, reason=file_only),
        )
        return self

    def _uri_problem(self, uri: str) -> str | None:
        return None if uri.partition("://")[0] == self.kind else self.other_kind(uri)
