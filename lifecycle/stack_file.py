"""A stack's file, and the copy of it that Pulumi works with while git keeps the original.

What Pulumi writes into the copy is the salt of the passphrase that encrypts the stack's secrets. It is of no use
without that passphrase, so the copy is kept beside it, and goes with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import stack_files

# The line that Pulumi writes for the passphrase.
SALT = re.compile(r"^encryptionsalt:.*\n?", re.MULTILINE)


class StackFileError(Exception):
    """A stack file cannot be used; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """The file `Pulumi.<stack>.yaml` in the project's folder.

    Attributes:
        stack: the stack's name, or organization/project/stack, of which the file has the last part.
    """

    stack: str
    folder: Path

    @property
    def path(self) -> Path:
        """The user's file, which may not exist."""
        return self.folder / f"Pulumi.{self.stack.rpartition('/')[2]}.yaml"

    def require(self) -> None:
        """Check that the user's file exists.

        Raises:
            StackFileError: it does not; the text names files to copy.
        """
        if not self.path.is_file():
            others = " or ".join(sorted(file.name for file in self.folder.glob("Pulumi.*.yaml")))
            raise StackFileError(f"there is no {self.path.name}; copy one that fits to it: {others}")

    def renew_copy(self, copy: Path) -> None:
        """Write the user's file to `copy`; a salt that only the old copy has is kept."""
        text = self.path.read_text("utf-8")
        if not SALT.search(text) and copy.is_file():
            text = _with_salt(text, of=copy.read_text("utf-8"))
        copy.write_text(text, "utf-8")

    def move_salt(self, copy: Path, *, before: str) -> None:
        """Move the salt that Pulumi wrote into the user's file to `copy`; the user's text was `before`."""
        copy.write_text(_with_salt(before, of=self.path.read_text("utf-8")), "utf-8")
        self.path.write_text(before, "utf-8")

    def drop_unused_salt(self) -> None:
        """Remove a salt that Pulumi wrote into the user's file, unless secrets are encrypted with it.

        Raises:
            StackFileError: the file is not YAML.
        """
        if self.path.is_file() and not self.secrets:
            text = self.path.read_text("utf-8")
            if (kept := SALT.sub("", text)) != text:
                self.path.write_text(kept, "utf-8")

    @property
    def secrets(self) -> list[str]:
        """The paths of encrypted values in the user's file, as `storage.mine.access_key_id`.

        Raises:
            StackFileError: the file is not YAML.
        """
        paths = stack_files.encrypted(self._document.get("config"))
        return [path.removeprefix(f"{stack_files.PROJECT}:") for path in paths]

    @property
    def kubeconfig(self) -> Path | None:
        """The file that `cluster.kubeconfig` names; relative to the project's folder, as for the program.

        Raises:
            StackFileError: the stack's file is not YAML.
        """
        cluster = stack_files.settings(self._document).get("cluster") if self.path.is_file() else None
        named = cluster.get("kubeconfig") if isinstance(cluster, dict) else None
        return self.folder / Path(named).expanduser() if isinstance(named, str) and named else None

    @property
    def _document(self) -> dict[str, Any]:
        try:
            return stack_files.read(self.path)
        except yaml.YAMLError as error:
            raise StackFileError(f"{self.path.name} is not YAML: {error}") from error


def _with_salt(text: str, *, of: str) -> str:
    found = SALT.search(of)
    ended = text if text.endswith("\n") or not text else f"{text}\n"
    return SALT.sub("", ended) + found[0] if found else text
