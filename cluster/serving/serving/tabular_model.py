"""What the model servers share: one model file, rows in, one prediction a row out, by v1 and v2."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .model_file import UnusableModelError, find_model_file
from .rows import AnyRows, Categories, Rows, v1_rows, v2_rows
from .sdk import InferRequest, InferResponse, InvalidInput, Model, get_predict_response
from .tables import Table

# An array with one prediction a row, or a list of such arrays, of different shapes: one an output.
Predictions = NDArray[Any] | list[NDArray[Any]]


class TabularModel(Model):  # type: ignore[misc]  # the SDK has no types
    """A model of a table: `predict` takes rows of `n_features` numbers, or columns by name.

    Attributes:
        n_features: None where the model does not say; its rows may be text.
        feature_names: the columns that it was fitted on, None where they had no names.
    """

    suffixes: ClassVar[tuple[str, ...]]
    n_features: int | None
    feature_names: Sequence[str] | None = None

    def __init__(self, name: str, model_dir: Path):
        super().__init__(name)
        self.model_dir = model_dir

    @abstractmethod
    def read(self, model_file: Path) -> int | None:
        """Read the model, keep it, and return how many features it takes. Any exception means: not readable."""

    @abstractmethod
    def answer(self, rows: Rows) -> Predictions:
        """Predict. :raises ValueError: the model does not take these values."""

    def answer_table(self, table: Table) -> Predictions:
        """Predict columns, which are in the model's order. :raises ValueError: as with `answer`."""
        return self.answer(table.numbers())

    def answer_text(self, rows: list[str] | NDArray[np.str_]) -> Predictions:
        """Predict rows of text, of one value each or of several. :raises ValueError: as with `answer`."""
        raise InvalidInput(f"expected rows of numbers, got text: {next(iter(rows), '')!r:.80}")

    def in_order(self, table: Table, *, n_features: int) -> Table:
        """The columns that the model takes, in its order. :raises InvalidInput: they are not there."""
        return table.in_order(self.feature_names, n_features=n_features)

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
            predictions = self._answer_any(rows)
        except InvalidInput:
            raise
        except (TypeError, ValueError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise InvalidInput(f"the model does not take these values: {reason}") from error
        answer: dict[str, Any] | InferResponse = self.respond(payload, predictions)
        return answer

    def respond(self, payload: InferRequest | dict[str, Any], predictions: Predictions) -> Any:
        """The answer to a request, in the request's own form; to v1 that is a dictionary."""
        if isinstance(predictions, list):
            if isinstance(payload, InferRequest):
                shapes = ", ".join(str(list(output.shape)) for output in predictions)
                raise InvalidInput(f"the model's outputs are no one tensor: their shapes are {shapes}; ask by v1")
            return {"predictions": [output.tolist() for output in predictions]}
        if predictions.dtype.kind == "U":  # the SDK knows text only as objects
            predictions = predictions.astype(np.object_)
        return get_predict_response(payload, predictions, self.name)

    def _answer_any(self, rows: AnyRows) -> Predictions:
        if isinstance(rows, Table):
            if self.n_features is not None:
                rows = self.in_order(rows, n_features=self.n_features)
            return self.answer_table(rows)
        if isinstance(rows, Categories):
            try:
                return self.answer_text(rows.values)
            except (AttributeError, TypeError, ValueError) as error:
                raise rows.refusal from error
        return self.answer_text(rows) if isinstance(rows, list) else self.answer(rows)

    def get_input_types(self) -> list[dict[str, Any]]:
        """Describe the input for v2 metadata."""
        if self.n_features is None:
            return [{"name": "input-0", "datatype": "BYTES", "shape": [-1]}]
        return [{"name": "input-0", "datatype": "FP64", "shape": [-1, self.n_features]}]
