"""A transformer for the demo's models: flowers by name in, species by name out.

KServe starts it with --model_name, --predictor_host and --http_port; the SDK reads them itself.
"""

import argparse
from collections.abc import Mapping
from typing import Any

from kserve import Model, ModelServer, model_server
from kserve.errors import InvalidInput
from kserve.logging import configure_logging

# In the order of the model's features.
FIELDS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
# By the model's label, or by which of the two its probability is nearer to.
SPECIES = ("versicolor", "virginica")


class NamedFields(Model):  # type: ignore[misc]  # the SDK has no types
    """Turns `{"sepal_length": 6.5, …}` into a row, and 0 or 1 into a species; the SDK asks the model in between."""

    async def preprocess(self, payload: Mapping[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Give a v1 request with a row a flower.

        :raises InvalidInput: a flower lacks a field, has another, or one that is no number (HTTP 400).
        """
        flowers = payload.get("instances")
        if not isinstance(flowers, list) or not flowers:
            raise InvalidInput('expected {"instances": [{"sepal_length": …}, …]}')
        return {"instances": [_row(flower, where=f"instances[{index}]") for index, flower in enumerate(flowers)]}

    async def postprocess(
        self, result: Mapping[str, Any], headers: dict[str, str] | None = None, response_headers: Any = None
    ) -> dict[str, Any]:
        """Give the species' names, one a flower."""
        return {"predictions": [SPECIES[round(prediction)] for prediction in result["predictions"]]}


def _row(flower: object, *, where: str) -> list[float]:
    if not isinstance(flower, dict) or set(flower) != set(FIELDS):
        raise InvalidInput(f"{where}: expected the fields {', '.join(FIELDS)}, got {flower!r}")
    for name, value in flower.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidInput(f"{where}.{name}: expected a number, got {value!r}")
    return [float(flower[name]) for name in FIELDS]


def main() -> None:
    """Serve until SIGTERM."""
    arguments, _ = argparse.ArgumentParser(parents=[model_server.parser]).parse_known_args()
    configure_logging()
    transformer = NamedFields(arguments.model_name)
    transformer.load()
    ModelServer(enable_grpc=False, event_loop="asyncio").start([transformer])


if __name__ == "__main__":
    main()
