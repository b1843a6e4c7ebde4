"""Several models in one server, which come and go: KServe's TrainedModels.

KServe's agent puts each model into a folder of its own under the model directory, which it shares with the server, and
then asks the server to load it: `POST /v2/repository/models/<name>/load`.
"""

import os
from pathlib import Path
from typing import Protocol

from .model_file import UnusableModelError
from .sdk import ModelRepository, logger
from .tabular_model import TabularModel


class Build(Protocol):
    """Makes a model, not loaded yet."""

    def __call__(self, name: str, model_dir: Path, /) -> TabularModel:
        """Make the model of this name and folder."""


class TabularModelRepository(ModelRepository):  # type: ignore[misc]  # the SDK has no types
    """The models in the folders of a directory, each with its folder's name."""

    def __init__(self, models_dir: Path, *, build: Build):
        super().__init__(str(models_dir))
        self.build = build
        self.load_models()

    def load_model(self, name: str) -> bool:
        """Load a model at start, after the server alone was restarted; a broken one must not keep the others away."""
        try:
            return self.load(name)
        except UnusableModelError as error:
            logger.error("model %s: %s", name, error)
            return False

    def load(self, name: str) -> bool:
        """Load a model, or load it again. :raises UnusableModelError: it cannot be."""
        model = self.build(name, Path(self.models_dir) / name)
        model.load()
        self.update(model)
        return bool(model.ready)


def is_filled_later(model_dir: Path) -> bool:
    """Whether KServe's agent fills the directory.

    That one has folders alone, and is mounted writable; what a storageUri names is mounted read-only, and is wrong
    where it has no model.
    """
    if model_dir.is_symlink() or not model_dir.is_dir():
        return False
    read_only = bool(os.statvfs(model_dir).f_flag & os.ST_RDONLY)
    return not read_only and all(entry.is_dir() for entry in model_dir.iterdir())
