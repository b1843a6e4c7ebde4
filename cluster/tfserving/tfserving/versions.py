"""The version folders of a model: `<base>/1/saved_model.pb`, of which the highest number is served."""

import os
import re
from pathlib import Path

from serving.model_file import UnusableModelError

SAVED_MODELS = ("saved_model.pb", "saved_model.pbtxt")
NUMBER = re.compile("[0-9]+")
WANTED = "storageUri must name the folder above a version folder, as <folder>/1/saved_model.pb"


def newest_version(base: Path) -> tuple[int, Path]:
    """Return the highest version under `base` and its folder.

    :raises UnusableModelError: there is none, or the folder cannot be read.
    """
    if not os.path.lexists(base):
        raise UnusableModelError(f"{base}: no such directory; {WANTED}")
    try:
        entries = sorted(base.iterdir())
    except NotADirectoryError:
        raise UnusableModelError(f"{base}: a file, no directory; {WANTED}") from None
    except OSError as error:
        raise UnusableModelError(
            f"{base}: {error.strerror}: this server is user {os.getuid()}; make it readable for all"
        ) from error
    versions = {int(entry.name): entry for entry in entries if NUMBER.fullmatch(entry.name) and entry.is_dir()}
    if not versions:
        held = ", ".join(entry.name for entry in entries[:5]) or "nothing"
        remedy = WANTED
        if any(entry.name in SAVED_MODELS for entry in entries):
            remedy = f"move it into a folder that is named by its version: {base.name}/1/saved_model.pb"
        raise UnusableModelError(f"{base}: no version folder in it, it holds {held}; {remedy}")
    version = max(versions)
    return version, versions[version]
