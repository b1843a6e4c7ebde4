"""The one model file of a model directory."""

import os
from pathlib import Path


class UnusableModelError(Exception):
    """A model directory that cannot be served; the message names the file, says why, and what to do."""


class NoModelError(UnusableModelError):
    """A model directory without a model file."""


def find_model_file(model_dir: Path, *, suffixes: tuple[str, ...]) -> Path:
    """Return the only file with one of these suffixes directly in the directory.

    :raises NoModelError: there is none.
    :raises UnusableModelError: there are several, there is no such directory, or one of them may not be read.
    """
    wanted = " ".join(suffixes)
    if not os.path.lexists(model_dir):
        raise UnusableModelError(
            f"{model_dir}: no such directory; storageUri must name a folder with one {wanted} file"
        )
    if model_dir.is_file():
        raise UnusableModelError(
            f"{model_dir}: a file, no directory: pvc:// mounts a file without its name; storageUri must name "
            f"the folder with one {wanted} file"
        )
    try:
        models = sorted(path for path in model_dir.iterdir() if path.suffix in suffixes and path.is_file())
    except OSError as error:
        raise _unreadable(model_dir, error) from error
    if not models:
        raise NoModelError(_without_model(model_dir, suffixes=suffixes))
    if len(models) > 1:
        names = ", ".join(path.name for path in models)
        raise UnusableModelError(f"{model_dir}: {len(models)} model files ({names}); keep exactly one in the folder")
    try:
        models[0].open("rb").close()
    except OSError as error:
        raise _unreadable(models[0], error) from error
    return models[0]


def _without_model(model_dir: Path, *, suffixes: tuple[str, ...]) -> str:
    """What a directory without a model file holds instead."""
    unreadable: list[str] = []
    walk = os.walk(model_dir, onerror=lambda error: unreadable.append(str(error.filename)))
    files = sorted(Path(above, name).relative_to(model_dir) for above, _, names in walk for name in names)
    held = ", ".join(map(str, files[:5])) or "nothing"
    if unreadable:
        held += f", and {', '.join(unreadable)}, which user {os.getuid()} may not read"
    message = (
        f"{model_dir}: no model file ({' '.join(suffixes)}) in it, it holds {held}; "
        "storageUri must name the folder right above the model file, or the file"
    )
    if any(path.suffix in suffixes for path in files):
        message += "; an archive must have the file at its top, and no folder around it"
    return message


def _unreadable(path: Path, error: OSError) -> UnusableModelError:
    """The error for a file or folder that cannot be read, which is nearly always one that belongs to somebody else."""
    try:
        found = path.stat()
        of = f"it belongs to user {found.st_uid} and group {found.st_gid}, with mode {found.st_mode & 0o7777:04o}"
    except OSError:
        of = "nor the folder above it"
    return UnusableModelError(
        f"{path}: {error.strerror}: this server is user {os.getuid()}, and {of}; make it readable for all, or give the "
        "pod its owner in securityContext (runAsUser, fsGroup)"
    )
