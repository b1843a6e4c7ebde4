"""Serve an XGBoost booster: `python3 -m serving.xgbserver --model_name NAME --model_dir DIR`."""

from functools import partial
from pathlib import Path
from typing import Any

import xgboost
from numpy.typing import NDArray

from .rows import Rows
from .server import serve, server_arguments
from .tabular_model import TabularModel


class XGBoostModel(TabularModel):
    """A booster, saved as UBJSON, JSON, or in the old binary format."""

    suffixes = (".bst", ".json", ".ubj")

    def __init__(self, name: str, model_dir: Path, *, nthread: int):
        super().__init__(name, model_dir)
        self.nthread = nthread

    def read(self, model_file: Path) -> int:
        """Read the booster from its bytes, so that its format is told from them and not from its name."""
        self._booster = xgboost.Booster({"nthread": self.nthread}, model_file=bytearray(model_file.read_bytes()))
        self.feature_names = self._booster.feature_names
        return self._booster.num_features()

    def answer(self, rows: Rows) -> NDArray[Any]:
        """Return what the objective gives: shape (rows,) if binary:logistic, (rows, classes) if multi:softprob."""
        # inplace_predict() would save the copy, and cannot be had from a linear booster.
        matrix = xgboost.DMatrix(rows, nthread=self.nthread)
        predictions: NDArray[Any] = self._booster.predict(matrix, validate_features=False)
        return predictions


def main() -> None:
    """Run the server."""
    arguments = server_arguments(description="Serve an XGBoost model by KServe's v1 and v2 protocols.", threads=True)
    serve(partial(XGBoostModel, nthread=arguments.nthread), arguments=arguments)


if __name__ == "__main__":
    main()
