"""What the stores of every kind have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import ClassVar

from pydantic import Field, SecretStr

from components.settings.errors import refuse
from components.settings.fields import Section, without_keys

# Locations that KServe's storage initializer reads with Azure's clients, and as git repositories.
AZURE = r"https://[^/]+\.(blob|file)\.(core\.windows|storage\.azure)\.net/.+"
GIT = r"https://.+\.git(/.*)?"


class Store(Section):
    """A store.

    Attributes:
        schemes: of the URIs that a store of this kind reads.

    """

    schemes: ClassVar[tuple[str, ...]]

    kind: str = Field(description="the kind of store")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts of its credentials that are secret, also in the forms that its client gets them in."""
        values = [value for _, value in self]
        maps = [inner for value in values if isinstance(value, Mapping) for inner in value.values()]
        return tuple(value.get_secret_value() for value in (*values, *maps) if isinstance(value, SecretStr))

    def uri_problem(self, uri: str) -> str | None:
        """What is wrong with a model's `storage_uri` for this store, and what to do; None where it fits."""
        return self._uri_problem(uri) if uri.partition("://")[0] in self.schemes else self.other_kind(uri)

    def _uri_problem(self, uri: str) -> str | None:
        return None

    def other_kind(self, uri: str) -> str:
        """Say that this kind does not read a URI, and which one does."""
        kind = kind_of(uri)
        return f"is of kind {self.kind}, which does not work for {without_keys(uri)!r}; name a store of kind {kind}"


def kind_of(uri: str) -> str:
    """Kind of store that reads a URI."""
    if re.fullmatch(AZURE, uri):
        return "azure"
    scheme = uri.partition("://")[0]
    return {"gs": "gcs", "hf": "huggingface", "http": "https"}.get(scheme, scheme)


def require_one(sources: Mapping[str, bool]) -> None:
    """Refuse a store that has none or several of these ways to sign in.

    Raises:
        ValueError: with all of them.

    """
    given = [source for source, is_set in sources.items() if is_set]
    if len(given) != 1:
        raise ValueError(f"needs exactly one of {', '.join(sources)}; it has {' and '.join(given) or 'none'}")


def require_together(values: Mapping[str, object]) -> None:
    """Refuse fields that only work together, where some are given and others are not.

    Raises:
        ValidationError: at each field that is missing.

    """
    given = [name for name, value in values.items() if value]
    refuse(
        {name: f"is missing: {given[0]} needs it" if given and not value else None for name, value in values.items()}
    )


def refuse_extra(fields: Iterable[str], *, store: Section, reason: str) -> None:
    """Refuse fields that have no effect beside another one.

    Raises:
        ValidationError: at each field that is given.

    """
    refuse({name: reason if getattr(store, name) else None for name in fields})


def plain(secret: SecretStr | None) -> str:
    """Text of a secret; empty where there is none."""
    return secret.get_secret_value() if secret else ""
