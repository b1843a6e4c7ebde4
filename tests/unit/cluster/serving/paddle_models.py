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


class Words(paddle.nn.Layer):
    """The sum of the numbers' vectors, [n, 2 n], which are looked up."""

    def __init__(self):
        super().__init__()
        self.vectors = paddle.nn.Embedding(10, 2)
        self.vectors.weight.set_value(np.array([[n, 2 * n] for n in range(10)], np.float32))

    def forward(self, x):
        return paddle.sum(self.vectors(x), axis=1)


class Two(Rows):
    """As the one before, of a sum."""

    def forward(self, x, y):
        return super().forward(x + y)


def save_old(out: Path) -> None:
    """A model in Paddle 2's form, which looks up a vector of threes."""
    paddle.enable_static()
    threes = paddle.ParamAttr(initializer=paddle.nn.initializer.Constant(3.0))
    main_program, start = paddle.static.Program(), paddle.static.Program()
    with paddle.static.program_guard(main_program, start):
        x = paddle.static.data("x", [None, 1], "int64")
        y = paddle.static.nn.embedding(x, [10, 2], param_attr=threes)
        executor = paddle.static.Executor(paddle.CPUPlace())
        executor.run(start)
        out.mkdir()
        paddle.static.save_inference_model(str(out / "model"), [x], [y], executor, program=main_program)


def main(out: Path) -> None:
    rows = Spec([None, 2], "float32", "x")
    images = Spec([None, 3, 2, 2], "float32", "x")
    for name, layer, inputs in (
        ("rows", Rows(), [rows]),
        ("images", Images(), [images]),
        ("words", Words(), [Spec([None, 3], "int64", "x")]),
        ("two", Two(), [rows, Spec([None, 2], "float32", "y")]),
    ):
        layer.eval()
        paddle.jit.save(layer, str(out / name / "model"), input_spec=inputs)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    # Paddle 2's form is written with FLAGS_enable_pir_api=0 alone.
    if sys.argv[2:] == ["old"]:
        save_old(folder / "old")
    else:
        main(folder)
