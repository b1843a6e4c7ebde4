"""An explainer for models that answer one number a row: how much of the answer is each feature's.

KServe starts it with --model_name, --predictor_host and --http_port; the SDK reads them itself.
"""

import argparse
import math
from contextlib import suppress
from typing import Any

from kserve import Model, ModelServer, model_server
from kserve.errors import InferenceError, InvalidInput
from kserve.logging import configure_logging


class FeatureImportance(Model):  # type: ignore[misc]  # the SDK has no types
    """Puts one feature at a time at its baseline: its effect is by how much the prediction then falls."""

    def __init__(self, name: str, baseline: list[float]) -> None:
        super().__init__(name)
        self.baseline = baseline

    async def explain(self, payload: Any, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Give a v1 request's effects, a number a feature for each row.

        :raises InvalidInput: a row has another length than the baseline, or what is no number (HTTP 400).
        :raises InferenceError: the model does not answer one number a row (HTTP 500).
        """
        rows = payload.get("instances") if isinstance(payload, dict) else None
        if not isinstance(rows, list) or not rows:
            raise InvalidInput('expected {"instances": [[number, …], …]}')
        for index, row in enumerate(rows):
            self._check(row, where=f"instances[{index}]")
        asked = [each for row in rows for each in self._varied(row)]
        predictions = _numbers(await self.predict({"instances": asked}, headers), count=len(asked))
        (headers or {}).clear()  # the SDK would send the request's own headers back
        step = 1 + len(self.baseline)
        answers = [predictions[at : at + step] for at in range(0, len(asked), step)]
        return {"explanations": [[whole - each for each in without] for whole, *without in answers]}

    def _check(self, row: object, *, where: str) -> None:
        if not isinstance(row, list) or len(row) != len(self.baseline):
            raise InvalidInput(f"{where}: expected {len(self.baseline)} numbers, got {row!r:.80}")
        for index, value in enumerate(row):
            if not _is_number(value):
                raise InvalidInput(f"{where}[{index}]: expected a number, got {value!r:.80}")

    def _varied(self, row: list[float]) -> list[list[float]]:
        return [row, *([*row[:index], value, *row[index + 1 :]] for index, value in enumerate(self.baseline))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(answer: Any, *, count: int) -> list[float]:
    predictions = answer.get("predictions") if isinstance(answer, dict) else None
    if not isinstance(predictions, list) or len(predictions) != count or not all(map(_is_number, predictions)):
        raise InferenceError(f"expected {count} numbers of the model, one a row, got {answer!r:.80}")
    return predictions


def _baseline(text: str) -> list[float]:
    with suppress(ValueError):
        numbers = [float(number) for number in text.split(",")]
        if all(map(math.isfinite, numbers)):  # JSON has no nan, and no inf
            return numbers
    raise argparse.ArgumentTypeError(f"expected a number a feature, as in 5.84,3.05,3.76,1.2, got {text!r}")


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--baseline", type=_baseline, required=True, help="an ordinary value of each feature")
    arguments, _ = parser.parse_known_args()
    configure_logging()
    explainer = FeatureImportance(arguments.model_name, arguments.baseline)
    explainer.load()
    ModelServer(enable_grpc=False, event_loop="asyncio").start([explainer])


if __name__ == "__main__":
    main()
