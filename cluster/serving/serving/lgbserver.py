"""Serve a LightGBM booster: `python3 -m serving.lgbserver --model_name NAME --model_dir DIR`."""

from functools import partial
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from .rows import Rows
from .server import serve, server_arguments
from .tables import Table
from .tabular_model import TabularModel


class LightGBMModel(TabularModel):
    """A booster, saved as text."""

    suffixes = (".bst", ".txt")

    def __init__(self, name: str, model_dir: Path, *, nthread: int):
        super().__init__(name, model_dir)
        self.nthread = nthread

    def read(self, model_file: Path) -> int:
        """Read the booster, whatever LightGBM's own log says of it."""
        self._booster = lightgbm.Booster(params={"nthread": self.nthread, "verbosity": -1}, model_file=str(model_file))
        self.feature_names = self._booster.feature_name()
        return int(self._booster.num_feature())

    def in_order(self, table: Table, *, n_features: int) -> Table:
        """As others; but LightGBM writes spaces in names as underscores, and makes up names where it got none."""
        table = table.renamed({name: name.replace(" ", "_") for name in table.columns})
        made_up = [f"Column_{position}" for position in range(n_features)]
        unnamed = self.feature_names == made_up and not table.columns.keys() & set(made_up)
        return table.in_order(None if unnamed else self.feature_names, n_features=n_features)

    def answer(self, rows: Rows) -> NDArray[Any]:
        """Return what the objective gives: shape (rows,) if binary or regression, (rows, classes) if multiclass."""
        return np.asarray(self._booster.predict(rows, num_threads=self.nthread))


def main() -> None:
    """Run the server."""
    arguments = server_arguments(description="Serve a LightGBM model by KServe's v1 and v2 protocols.", threads=True)
    # As KServe's own: LightGBM cannot be used by several processes, so --workers does nothing.
    serve(partial(LightGBMModel, nthread=arguments.nthread), arguments=arguments, workers=1)


if __name__ == "__main__":
    main()
