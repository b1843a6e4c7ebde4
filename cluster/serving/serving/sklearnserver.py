"""Serve a scikit-learn estimator: `python3 -m serving.sklearnserver --model_name NAME --model_dir DIR`.

With PREDICT_PROBA=true in the environment, predictions are the rows of `predict_proba`, where the estimator has it,
instead of labels.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from .model_file import UnusableModelError
from .rows import Rows
from .sdk import logger
from .server import serve, server_arguments
from .tables import Table
from .tabular_model import Predictions, TabularModel


class SklearnModel(TabularModel):
    """A fitted estimator or pipeline, saved by joblib or pickle."""

    suffixes = (".joblib", ".pkl", ".pickle")

    def __init__(self, name: str, model_dir: Path, *, probabilities: bool):
        super().__init__(name, model_dir)
        self.probabilities = probabilities

    def read(self, model_file: Path) -> int | None:
        """Unpickle the estimator; what it needs must be importable here."""
        self._estimator = joblib.load(model_file)
        kind = type(self._estimator).__name__
        if not hasattr(self._estimator, "predict"):
            raise UnusableModelError(f"{model_file}: a {kind}, which has no predict()")
        if not _is_fitted(self._estimator):
            raise UnusableModelError(f"{model_file}: a {kind} that is not fitted; fit it, then save it")
        if self.probabilities and not hasattr(self._estimator, "predict_proba"):
            logger.warning("PREDICT_PROBA: a %s has no predict_proba(), so predictions are those of predict()", kind)
            self.probabilities = False
        names = getattr(self._estimator, "feature_names_in_", None)
        self.feature_names = None if names is None else [str(name) for name in names]
        # What starts with a vectorizer of text has no number of features.
        n_features = getattr(self._estimator, "n_features_in_", None)
        return None if n_features is None else int(n_features)

    def answer(self, rows: Rows) -> Predictions:
        """Return labels of shape (rows,), or probabilities of shape (rows, classes): a list if several outputs."""
        return self._predict(rows)

    def answer_table(self, table: Table) -> Predictions:
        """Predict a DataFrame, whose columns may be text."""
        import pandas  # noqa: PLC0415  # takes half a second to import, and most models never need it

        return self._predict(pandas.DataFrame(table.columns))

    def answer_text(self, rows: list[str] | NDArray[np.str_]) -> Predictions:
        """Predict rows of text, or of categories."""
        return self._predict(rows)

    def _predict(self, rows: Any) -> Predictions:
        method = self._estimator.predict_proba if self.probabilities else self._estimator.predict
        predictions = method(rows)
        # Of several outputs, each has classes of its own: no array where their numbers differ.
        if isinstance(predictions, list) and len({array.shape for array in predictions}) > 1:
            return predictions
        return np.asarray(predictions)


def _is_fitted(estimator: Any) -> bool:
    """Whether it is fitted; only scikit-learn's own estimators are sure to show that."""
    if hasattr(estimator, "n_features_in_") or not type(estimator).__module__.startswith("sklearn."):
        return True
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def main() -> None:
    """Run the server."""
    arguments = server_arguments(description="Serve a scikit-learn model by KServe's v1 and v2 protocols.")
    probabilities = os.environ.get("PREDICT_PROBA", "false").lower() == "true"
    serve(partial(SklearnModel, probabilities=probabilities), arguments=arguments)


if __name__ == "__main__":
    main()
