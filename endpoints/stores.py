"""Where a stack's settings have the credentials of a model's store."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from endpoints.failures import one_line

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
_WORDS_WIDTH = 900
# What may be secret in an error of a client of a store, and what is shown instead.
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # User and password of a URL, in which an @ may be.
    (re.compile(r"//[^/\s]*@"), "//…@"),
    # The query of a URL, or of its path: a signature, a SAS token.
    (re.compile(r"\?[\w.~%+-]+=[^\s'\")>]*"), "?…"),
    # Credentials of a request. They differ from words such as "Basic authentication" by a digit or a capital.
    (re.compile(r"\b([Bb]asic|[Bb]earer)\s+(?=\S*[\dA-Z=])[\w+/=.~-]{6,}"), r"\1 …"),
    # A header, as `X-Api-Key: secret-1`, `'authorization': 'secret'`, `header value: 'secret'`. Without quotes, a value
    # differs from the words after `may require authorization: ` by a digit.
    (
        re.compile(
            r"(?i)\b((?:[\w-]*(?:authorization|token|api-key|secret|password|cookie)|header value)['\"]?\s*[:=]\s*)"
            r"(?:b?'[^']*'|b?\"[^\"]*\"|(?=\S*\d)[^\s,;)}]+)"
        ),
        r"\1…",
    ),
)
# Shorter ones are not looked for: they would be found in words that are none.
_SHORTEST_SECRET = 4


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


def last_words(log: str) -> str:
    """What a storage initializer said at last, and what the server answered where that is another line; one line.

    What may be secret in it is left out.
    """
    last = next((line for line in reversed(log.splitlines()) if line.strip()), "")
    answered = own_words(log)
    words = f"{last} ({answered})" if answered and answered not in last else last
    return one_line(without_secrets(words), limit=_WORDS_WIDTH)


def without_secrets(text: str, *, known: Iterable[str] = ()) -> str:
    """Replace by `…` what may be secret in an error of a client of a store, and the secrets that are known."""
    written = {form for secret in known if len(secret) >= _SHORTEST_SECRET for form in _written(secret)}
    for form in sorted(written, key=len, reverse=True):
        text = text.replace(form, "…")
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def _written(secret: str) -> tuple[str, ...]:
    """A secret as it is, and as a URL, Python's lists and JSON write it."""
    in_python, in_json = repr(secret)[1:-1], json.dumps(secret)[1:-1]
    return (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), in_python, in_json)
