"""Paddle models for the tests: run by the serving project's interpreter as `paddle_models.py DIR`."""
# mypy: ignore-errors

import sys
from pathlib import Path

import numpy as np
import paddle

Spec = paddle.static.InputSpec


class Rows(paddle.nn.Layer):
    """0.5 * (1 + 2 * a + 3 * b)."""

    def __init__(self):
        super().__init__()
        self.linear = paddle.nn.Linear(2, 1)
        self.linear.weight.set_value(np.array([[2.0], [3.0]], np.float32))
        self.linear.bias.set_value(np.array([1.0], np.float32))

    def forward(self, x):
        return self.linear(x) * 0.5


class Images(paddle.nn.Layer):
    """The mean of each."""

    def __init__(self):
        super().__init__()
        self.scale = self.create_parameter([1], default_initializer=paddle.nn.initializer.Constant(1.0))

    def forward(self, x):
        return paddle.mean(x, axis=[1, 2, 3]) * self.scale


class Two(Rows):
    """As the one before, of a sum."""

    def forward(self, x, y):
        return super().forward(x + y)


def main(out: Path) -> None:
    rows = Spec([None, 2], "float32", "x")
    images = Spec([None, 3, 2, 2], "float32", "x")
    for name, layer, inputs in (
        ("rows", Rows(), [rows]),
        ("images", Images(), [images]),
        ("two", Two(), [rows, Spec([None, 2], "float32", "y")]),
    ):
        layer.eval()
        paddle.jit.save(layer, str(out / name / "model"), input_spec=inputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
