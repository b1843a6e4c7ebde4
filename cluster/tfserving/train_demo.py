"""Train the demo's TensorFlow model and record what it answers: `python train_demo.py --out DIR [tensorflow]`.

Iris, versicolor (0) or virginica (1), four measures in cm: a logistic regression that answers the probability of label
1. DIR then holds

    tensorflow/1/saved_model.pb …                        the model, in the folder of its version
    expected.json                                        the payload, and the model's answer to it

Nothing in it is random: the answers are the same on every run.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

# A typical flower of each species, near its medians: sepal length and width, petal length and width.
VIRGINICA = [6.5, 3.0, 5.5, 2.0]
VERSICOLOR = [5.9, 2.8, 4.3, 1.3]
PAYLOAD = [VIRGINICA, VERSICOLOR]


class Flowers(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A logistic regression with these weights, one a measure, and this bias."""

    def __init__(self, weights: NDArray[np.float32], bias: float):
        super().__init__()
        self.weights = tf.Variable(weights, name="weights")
        self.bias = tf.Variable(bias, name="bias", dtype=tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="measures")])  # type: ignore[untyped-decorator]
    def serve(self, measures: Any) -> dict[str, Any]:
        """Return the probability of label 1 for each row of measures."""
        return {"probability": tf.sigmoid(tf.linalg.matvec(measures, self.weights) + self.bias)}


def train() -> Flowers:
    """Fit the weights to the flowers of the two species."""
    measures, species = load_iris(return_X_y=True)
    of_two = species > 0
    fitted = LogisticRegression().fit(measures[of_two], species[of_two] - 1)
    return Flowers(fitted.coef_[0].astype(np.float32), float(fitted.intercept_[0]))


def train_demo(out: Path) -> dict[str, Any]:
    """Save the model under `out`; return what it answers."""
    flowers = train()
    tf.saved_model.save(flowers, str(out / "tensorflow" / "1"), signatures={"serving_default": flowers.serve})
    answer = flowers.serve(tf.constant(PAYLOAD, dtype=tf.float32))["probability"].numpy()
    return {"tensorflow-model": answer.tolist()}


def main() -> None:
    """Train, save, and print the answers."""
    parser = argparse.ArgumentParser(description="Train the demo's TensorFlow model and record what it answers.")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write to")
    parser.add_argument("sets", nargs="*", choices=[[], "tensorflow"], help="tensorflow, the only one")
    out = parser.parse_args().out
    predictions = {name: {"predictions": answer} for name, answer in train_demo(out).items()}
    text = json.dumps({"instances": PAYLOAD} | predictions, indent=2)
    (out / "expected.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
