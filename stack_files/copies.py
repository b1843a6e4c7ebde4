"""The user's own stack file, copied from an example of the project.

Git keeps the examples, `Pulumi.<stack>.example.yaml`, and ignores the copies, `Pulumi.<stack>.yaml`: Pulumi writes into
those, and users edit them.
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


def example_of(stack: str, *, folder: Path = Path()) -> Path:
    """The example of a stack file."""
    return folder / f"Pulumi.{stack}.example.yaml"


@dataclass(frozen=True, kw_only=True)
class OwnFile:
    """The stack file of one stack in a project's folder."""

    stack: str
    folder: Path

    @property
    def path(self) -> Path:
        """The file that Pulumi reads and writes."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def example(self) -> Path:
        """What it is copied from."""
        return example_of(self.stack, folder=self.folder)

    def make(self) -> bool:
        """Copy the example where there is no file yet; whether it was copied.

        Raises:
            StackFileError: there is neither a file nor an example of it.
        """
        if self.path.exists():
            return False
        if not self.example.is_file():
            examples = " or ".join(sorted(file.name for file in self.folder.glob(example_of("*").name)))
            raise StackFileError(f"there is no {self.path.name}; copy one that fits to it: {examples}")
        self.path.write_text(self.example.read_text("utf-8"), "utf-8")
        return True

    @property
    def is_edited(self) -> bool:
        """Whether it says anything else than the example."""
        return not self.example.is_file() or self._without_salt() != self.example.read_text("utf-8")

    @property
    def secrets(self) -> list[str]:
        """Where it has encrypted values, as `storage.mine.access_key_id`.

        Raises:
            StackFileError: it is not YAML.
        """
        try:
            return [where.removeprefix(f"{PROJECT}:") for where in _encrypted(read(self.path).get("config"))]
        except yaml.YAMLError as error:
            raise StackFileError(f"{self.path.name} is not YAML: {error}") from error

    def drop_unused_salt(self) -> None:
        """Remove the salt of another passphrase, unless secrets are encrypted with it."""
        if self.path.is_file() and not self.secrets:
            kept = self._without_salt()
            if kept != self.path.read_text("utf-8"):
                self.path.write_text(kept, "utf-8")

    def clean(self) -> None:
        """After the deployment is gone: remove what `make` and Pulumi wrote, and keep what the user did."""
        if self.path.is_file() and not (self.is_edited and self._without_salt()):
            self.path.unlink()
        self.drop_unused_salt()

    def _without_salt(self) -> str:
        return SALT.sub("", self.path.read_text("utf-8"))


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
