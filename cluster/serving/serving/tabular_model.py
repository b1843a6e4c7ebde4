"""What the model servers share: one model file, rows of numbers in, one prediction a row out, by v1 and v2."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .model_file import UnusableModelError, find_model_file
from .rows import Rows, v1_rows, v2_rows
from .sdk import InferRequest, InferResponse, InvalidInput, Model, get_predict_response


class TabularModel(Model):  # type: ignore[misc]  # the SDK has no types
    """A model of a table: `predict` takes rows of `n_features` numbers."""

    suffixes: ClassVar[tuple[str, ...]]
    n_features: int

    def __init__(self, name: str, model_dir: Path):
        super().__init__(name)
        self.model_dir = model_dir

    @abstractmethod
    def read(self, model_file: Path) -> int:
        """Read the model, keep it, and return how many features it takes. Any exception means: not readable."""

    @abstractmethod
    def answer(self, rows: Rows) -> NDArray[Any]:
        """Predict. :raises ValueError: the model does not take these values."""

    def load(self) -> bool:
        """Load the model of `model_dir`; only then is this model ready.

        :raises UnusableModelError: there is not exactly one model file, or it cannot be read.
        """
        model_file = find_model_file(self.model_dir, suffixes=self.suffixes)
        try:
            self.n_features = self.read(model_file)
        except UnusableModelError:
            raise
        except Exception as error:  # a pickle may raise anything
            why = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
            raise UnusableModelError(
                f"{model_file}: cannot be read: {type(error).__name__}: {why}; "
                "save the model again with the library versions of this server, or upload the right file"
            ) from error
        self.ready = True
        return self.ready

    def validate(self, payload: Any) -> Any:
        """Let everything through: predict checks it, and its errors say more."""
        return payload

    def predict(self, payload: Any, headers: dict[str, str] | None = None) -> dict[str, Any] | InferResponse:
        """Answer a v1 request (JSON's value, or bytes) or a v2 request (InferRequest) in its own form.

        :raises InvalidInput: the rows are not what the model takes (HTTP 400).
        """
        if isinstance(payload, InferRequest):
            rows = v2_rows(payload, n_features=self.n_features)
        else:
            content_type = (headers or {}).get("content-type")
            rows = v1_rows(payload, content_type=content_type, n_features=self.n_features)
            payload = {}
        try:
            predictions = self.answer(rows)
        except ValueError as error:
            raise InvalidInput(f"the model does not take these values: {str(error).splitlines()[0]}") from error
        if predictions.dtype.kind == "U":  # the SDK knows text only as objects
            predictions = predictions.astype(np.object_)
        return get_predict_response(payload, predictions, self.name)

    def get_input_types(self) -> list[dict[str, Any]]:
        """Describe the input for v2 metadata."""
        return [{"name": "input-0", "datatype": "FP64", "shape": [-1, self.n_features]}]
