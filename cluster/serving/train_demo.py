"""Train the demo's models and record what they answer: `python train_demo.py --out DIR`.

Iris, versicolor (0) or virginica (1), four measures in cm: an sklearn classifier that answers labels, the same one as
an ONNX graph, and two binary boosters, XGBoost's and LightGBM's, that answer probabilities. DIR then holds, one model a
folder as KServe wants it:

    sklearn/model.joblib  xgboost/model.ubj         the demo
    sklearn-v2/…          xgboost-v2/…              a second version, asked the other way round: is it versicolor?
    xgboost-json/model.json                         xgboost/ in XGBoost's other format
    lightgbm/model.bst    onnx/model.onnx           further formats
    centimetres/model.joblib                        measures in inches to cm, for a graph to ask first
    expected.json                                   the payload, and each model's answer to it

Nothing in it is random: the models, and with them the answers, are the same on every run.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import onnxruntime
import xgboost
from numpy.typing import NDArray
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

# A typical flower of each species, near its medians: sepal length and width, petal length and width.
VIRGINICA = [6.5, 3.0, 5.5, 2.0]
VERSICOLOR = [5.9, 2.8, 4.3, 1.3]

CM_PER_INCH = 2.54

# Boosting rounds by version; the second is surer, so that it is told from the first with its rows swapped, too.
ROUNDS = {"": 8, "-v2": 24}


def flowers() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return measures of shape (100, 4) in cm and labels of shape (100,): 0 versicolor, 1 virginica."""
    measures, species = load_iris(return_X_y=True)
    of_two = species > 0
    return measures[of_two], species[of_two] - 1


def train_booster(measures: NDArray[np.float64], labels: NDArray[np.int64], *, rounds: int) -> xgboost.Booster:
    """Return a booster that answers the probability of label 1."""
    parameters = {
        "objective": "binary:logistic",
        "base_score": 0.5,
        "eta": 0.15,
        "max_depth": 2,
        "nthread": 1,
        "tree_method": "exact",
    }
    return xgboost.train(parameters, xgboost.DMatrix(measures, labels), num_boost_round=rounds)


def train_lightgbm(measures: NDArray[np.float64], labels: NDArray[np.int64]) -> lightgbm.Booster:
    """Return a booster that answers the probability of label 1."""
    parameters = {
        "objective": "binary",
        "learning_rate": 0.15,
        "max_depth": 2,
        "num_leaves": 4,
        "min_data_in_leaf": 5,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(measures, labels), num_boost_round=8)


def save_graph(classifier: Pipeline, file: Path) -> onnxruntime.InferenceSession:
    """Write the classifier as a graph that answers labels, then probabilities; return it as it is read again."""
    rows = np.zeros((1, 4), dtype=np.float32)
    graph = to_onnx(classifier, rows, options={"zipmap": False}, target_opset=17, naming="iris")
    file.write_bytes(graph.SerializeToString(deterministic=True))
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def train(out: Path) -> dict[str, Any]:
    """Train and save every model under `out`; return the content of expected.json."""
    measures, labels = flowers()
    payload = [VIRGINICA, VERSICOLOR]
    expected: dict[str, Any] = {"instances": payload}
    for version, targets in (("", labels), ("-v2", 1 - labels)):
        classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(measures, targets)
        joblib.dump(classifier, new_folder(out / f"sklearn{version}") / "model.joblib")
        expected[f"sklearn-model{version}"] = {"predictions": classifier.predict(payload).tolist()}

        booster = train_booster(measures, targets, rounds=ROUNDS[version])
        booster.save_model(new_folder(out / f"xgboost{version}") / "model.ubj")
        expected[f"xgboost-model{version}"] = {"predictions": booster.inplace_predict(np.array(payload)).tolist()}
        if not version:
            booster.save_model(new_folder(out / "xgboost-json") / "model.json")
            graph = save_graph(classifier, new_folder(out / "onnx") / "model.onnx")
            (answer,) = graph.run(["label"], {graph.get_inputs()[0].name: np.array(payload, dtype=np.float32)})
            expected["onnx-model"] = {"predictions": answer.tolist()}

    light = train_lightgbm(measures, labels)
    light.save_model(new_folder(out / "lightgbm") / "model.bst")
    expected["lightgbm-model"] = {"predictions": np.asarray(light.predict(np.array(payload))).tolist()}
    converter = LinearRegression(fit_intercept=False).fit(measures / CM_PER_INCH, measures)
    joblib.dump(converter, new_folder(out / "centimetres") / "model.joblib")
    return expected


def new_folder(path: Path) -> Path:
    """Make the folder if need be, and return it."""
    path.mkdir(parents=True, exist_ok=True)
    return path


def main() -> None:
    """Train, save, and print the answers."""
    parser = argparse.ArgumentParser(description="Train the demo's models and record what they answer.")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write to")
    out = parser.parse_args().out
    text = json.dumps(train(out), indent=2)
    (out / "expected.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
