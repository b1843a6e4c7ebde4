"""The one model file of a model directory."""

from pathlib import Path


class UnusableModelError(Exception):
    """A model directory that cannot be served; the message names the file, says why, and what to do."""


def find_model_file(model_dir: Path, *, suffixes: tuple[str, ...]) -> Path:
    """Return the only file with one of these suffixes directly in the directory.

    :raises UnusableModelError: none, several, or no such directory.
    """
    wanted = " ".join(suffixes)
    if not model_dir.is_dir():
        raise UnusableModelError(
            f"{model_dir}: no such directory; storageUri must name a folder with one {wanted} file"
        )
    files = sorted(path for path in model_dir.rglob("*") if path.is_file())
    models = [path for path in files if path.parent == model_dir and path.suffix in suffixes]
    if len(models) == 1:
        return models[0]
    if models:
        names = ", ".join(path.name for path in models)
        raise UnusableModelError(f"{model_dir}: {len(models)} model files ({names}); keep exactly one in the folder")
    held = ", ".join(str(path.relative_to(model_dir)) for path in files[:5]) or "nothing"
    raise UnusableModelError(
        f"{model_dir}: no model file ({wanted}) in it, it holds {held}; "
        "storageUri must name the folder right above the model file, or the file"
    )
