"""The copy of a stack file that `make` has Pulumi work with: Pulumi writes into it, and git keeps the original.

What Pulumi adds is the salt of the passphrase that the stack's secrets are encrypted with. It goes with the passphrase,
and so does the copy: both lie beside Pulumi's state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stack_files.reading import PROJECT, read

# Pulumi's line for the passphrase that a stack file's secrets are encrypted with.
SALT = re.compile(r"^encryptionsalt:.*\n?", re.MULTILINE)


class StackFileError(Exception):
    """A stack file that cannot be used, with what to do about it."""


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """The stack file of one stack.

    Attributes:
        folder: the project's, where `Pulumi.<stack>.yaml` is.
        copies: where its copy is or will be.
    """

    stack: str
    folder: Path
    copies: Path

    @property
    def path(self) -> Path:
        """The user's file."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def copy(self) -> Path:
        """The file that Pulumi works with."""
        return self.copies / self.path.name

    def require(self) -> None:
        """Check that the user's file is there.

        Raises:
            StackFileError: it is not; names those that could be copied.
        """
        if not self.path.is_file():
            others = " or ".join(sorted(file.name for file in self.folder.glob("Pulumi.*.yaml")))
            raise StackFileError(f"there is no {self.path.name}; copy one that fits to it: {others}")

    def renew_copy(self) -> Path:
        """Copy what the user's file says now; a salt that it does not have is kept from before."""
        text = self.path.read_text("utf-8")
        if not SALT.search(text) and self.copy.is_file():
            text = _with_salt(text, of=self.copy.read_text("utf-8"))
        self.copy.write_text(text, "utf-8")
        return self.copy

    def move_salt(self, *, before: str) -> None:
        """After Pulumi wrote a salt into the user's file, whose text was `before`: it goes into the copy."""
        self.copy.write_text(_with_salt(before, of=self.path.read_text("utf-8")), "utf-8")
        self.path.write_text(before, "utf-8")

    @property
    def secrets(self) -> list[str]:
        """Where the user's file has encrypted values, as `storage.mine.access_key_id`.

        Raises:
            StackFileError: it is not YAML.
        """
        try:
            return [where.removeprefix(f"{PROJECT}:") for where in _encrypted(read(self.path).get("config"))]
        except yaml.YAMLError as error:
            raise StackFileError(f"{self.path.name} is not YAML: {error}") from error

    def drop_unused_salt(self) -> None:
        """Remove a salt that `pulumi` wrote into the user's file, unless secrets are encrypted with it."""
        if self.path.is_file() and not self.secrets:
            text = self.path.read_text("utf-8")
            if (kept := SALT.sub("", text)) != text:
                self.path.write_text(kept, "utf-8")


def _with_salt(text: str, *, of: str) -> str:
    found = SALT.search(of)
    ended = text if text.endswith("\n") or not text else f"{text}\n"
    return SALT.sub("", ended) + found[0] if found else text


def _encrypted(value: Any, path: str = "") -> Iterator[str]:
    """Paths of the values that Pulumi has encrypted: mappings with nothing but `secure`."""
    if isinstance(value, dict) and set(value) == {"secure"}:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _encrypted(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _encrypted(inner, f"{path}[{index}]")
