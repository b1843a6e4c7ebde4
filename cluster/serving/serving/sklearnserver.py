"""Serve a scikit-learn estimator: `python3 -m serving.sklearnserver --model_name NAME --model_dir DIR`.

With PREDICT_PROBA=true in the environment, predictions are the rows of `predict_proba` instead of labels.
"""

import os
from pathlib import Path
from typing import Any

import joblib
from numpy.typing import NDArray

from .model_file import UnusableModelError
from .rows import Rows
from .server import serve, server_arguments
from .tabular_model import TabularModel


class SklearnModel(TabularModel):
    """A fitted estimator or pipeline, saved by joblib or pickle."""

    suffixes = (".joblib", ".pkl", ".pickle")

    def __init__(self, name: str, model_dir: Path, *, method: str):
        super().__init__(name, model_dir)
        self.method = method

    def read(self, model_file: Path) -> int:
        """Unpickle the estimator; what it needs must be importable here."""
        estimator = joblib.load(model_file)
        if not hasattr(estimator, self.method):
            raise UnusableModelError(f"{model_file}: a {type(estimator).__name__}, which has no {self.method}()")
        if not hasattr(estimator, "n_features_in_"):
            raise UnusableModelError(
                f"{model_file}: a {type(estimator).__name__} that is not fitted; fit it, then save it"
            )
        self._answer = getattr(estimator, self.method)
        return int(estimator.n_features_in_)

    def answer(self, rows: Rows) -> NDArray[Any]:
        """Return labels of shape (rows,), or probabilities of shape (rows, classes)."""
        predictions: NDArray[Any] = self._answer(rows)
        return predictions


def main() -> None:
    """Run the server."""
    arguments = server_arguments(description="Serve a scikit-learn model by KServe's v1 and v2 protocols.")
    wants_probabilities = os.environ.get("PREDICT_PROBA", "false").lower() == "true"
    model = SklearnModel(
        arguments.model_name, arguments.model_dir, method="predict_proba" if wants_probabilities else "predict"
    )
    serve(model, arguments=arguments)


if __name__ == "__main__":
    main()
