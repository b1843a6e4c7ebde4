"""Where a stack's settings have the credentials of a model's store."""

from __future__ import annotations

import re

# Settings of a store that are its credentials, by the scheme of the models' locations.
_CREDENTIALS = {
    "s3": ("access_key_id", "secret_access_key", "profile", "role"),
    "gs": ("key", "key_file", "service_account"),
    "hf": ("token",),
    "http": ("headers", "username", "password"),
    "https": ("headers", "username", "password"),
    "hdfs": ("kerberos_keytab", "tls_key"),
    "webhdfs": ("kerberos_keytab", "tls_key"),
    "oci": ("username", "password"),
}
_AZURE = re.compile(r"https://[^/]+\.(blob|file)\.(core\.windows|storage\.azure)\.net/")
_OF_AZURE = ("client_secret", "storage_key", "sas_token")


def store_setting(store: str) -> str:
    """Path of a store in the settings; `storage.<name>` where its name is not known."""
    return f"storage.{store or '<name>'}"


def credentials_setting(store: str, *, uri: str) -> str:
    """Path of a store with its settings that are credentials, as `storage.hub (token)`.

    Args:
        store: its name; empty where it is not known.
        uri: location of a model in it.

    """
    fields = _OF_AZURE if _AZURE.match(uri) else _CREDENTIALS.get(uri.partition("://")[0], ())
    return store_setting(store) + (f" ({', '.join(fields)})" if fields else "")


def own_words(text: str) -> str:
    """What the store's server or its client answered, from what KServe's storage initializer printed; empty if not.

    The initializer's last line is KServe's summary, which leaves them out.
    """
    found = re.findall(r"^.*\b\w+ error for \S+: (.*)$", text, re.M)
    return str(found[-1]) if found else ""
