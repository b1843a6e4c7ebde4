"""The model that is served: the newest version in its folder, also of those that come later."""

import sys
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from serving.model_file import UnusableModelError

from .errors import RefusedError
from .flags import LoadOptions
from .saved_model import SavedModel
from .versions import newest_version


@dataclass(frozen=True, kw_only=True)
class Version:
    """A loaded version."""

    number: int
    model: SavedModel


class ServedModel:
    """A model by its name; requests go to its newest version."""

    def __init__(self, name: str, base: Path, *, options: LoadOptions):
        """Load the newest version.

        :raises UnusableModelError: there is none, or it cannot be loaded.
        """
        self.name = name
        self.base = base
        self._options = options
        number, folder = newest_version(base)
        self._version = Version(number=number, model=SavedModel(folder, options=options))
        self._ended: list[int] = []

    def version(self, name: str, number: int | None) -> Version:
        """The version to ask.

        :param number: None for the newest.
        :raises RefusedError: no such model or version is served.
        """
        version = self._version
        if name != self.name or number not in (None, version.number):
            asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise RefusedError(
                f"Servable not found for request: {asked}; served is version {version.number} of {self.name}",
                status=HTTPStatus.NOT_FOUND,
            )
        return version

    def states(self) -> dict[int, str]:
        """The state of each version, the newest first."""
        return {self._version.number: "AVAILABLE", **dict.fromkeys(reversed(self._ended), "END")}

    def watch(self, *, seconds: float) -> None:
        """Look for another newest version every so many seconds, in a thread of its own."""
        threading.Thread(target=self._watch, kwargs={"seconds": seconds}, daemon=True).start()

    def _watch(self, *, seconds: float) -> None:
        failed: str | None = None
        while True:
            time.sleep(seconds)
            try:
                self.renew()
                failed = None
            except UnusableModelError as error:
                # A version may still be written: it is tried again, and said once.
                if str(error) != failed:
                    failed = str(error)
                    print(
                        f"WARNING version {self._version.number} is still served: {failed}", file=sys.stderr, flush=True
                    )

    def renew(self) -> None:
        """Load the newest version where it is another one than is served, and serve it once it is loaded.

        :raises UnusableModelError: it cannot be loaded, and the one before is still served.
        """
        number, folder = newest_version(self.base)
        before = self._version.number
        if number == before:
            return
        self._version = Version(number=number, model=SavedModel(folder, options=self._options))
        self._ended = [each for each in self._ended if each != number] + [before]
        print(f"INFO serving version {number} of {self.name}, no longer {before}", file=sys.stderr, flush=True)
