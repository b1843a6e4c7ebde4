"""Train models and record what they answer: `python train_demo.py --out DIR [demo|lightgbm|onnx|pmml …]`.

Iris, versicolor (0) or virginica (1), four measures in cm: an sklearn classifier that answers labels, the same one as
an ONNX graph and in MLflow's format, and what answers probabilities: two binary boosters, XGBoost's and LightGBM's, and
the classifier in TensorFlow. DIR then holds, one model a folder as KServe wants it:

    demo      sklearn/model.joblib  xgboost/model.ubj
              sklearn-v2/…          xgboost-v2/…         a second version, asked the other way round: is it versicolor?
              xgboost-json/model.json                    xgboost/ in XGBoost's other format
              centimetres/model.joblib                   measures in inches to cm, for a graph to ask first
    lightgbm  lightgbm/model.bst
    onnx      onnx/model.onnx                            the classifier of sklearn/
    pmml      pmml/model.pmml                            the classifier of sklearn/, with a categorical field
    mlflow    mlflow/MLmodel …                           the classifier of sklearn/
    tensorflow  tensorflow/1/saved_model.pb …            its probabilities, in the folder of a version
    all       expected.json                              the payload, and each model's answer to it

Nothing in it is random: the models, and with them the answers, are the same on every run. mlflow needs the packages of
`cluster/mlserver`, and tensorflow those of `cluster/tfserving`, so they are only trained when they are named.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    import lightgbm
    import onnxruntime
    import xgboost

# A typical flower of each species, near its medians: sepal length and width, petal length and width.
VIRGINICA = [6.5, 3.0, 5.5, 2.0]
VERSICOLOR = [5.9, 2.8, 4.3, 1.3]
PAYLOAD = [VIRGINICA, VERSICOLOR]

CM_PER_INCH = 2.54

# Boosting rounds by version; the second is surer, so that it is told from the first with its rows swapped, too.
ROUNDS = {"": 8, "-v2": 24}


def flowers() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return measures of shape (100, 4) in cm and labels of shape (100,): 0 versicolor, 1 virginica."""
    measures, species = load_iris(return_X_y=True)
    of_two = species > 0
    return measures[of_two], species[of_two] - 1


def train_classifier(measures: NDArray[np.float64], labels: NDArray[np.int64]) -> Pipeline:
    """Return a classifier that answers labels."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(measures, labels)


def train_booster(measures: NDArray[np.float64], labels: NDArray[np.int64], *, rounds: int) -> xgboost.Booster:
    """Return a booster that answers the probability of label 1."""
    import xgboost  # noqa: PLC0415

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
    import lightgbm  # noqa: PLC0415

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
    import onnxruntime  # noqa: PLC0415
    from skl2onnx import to_onnx  # noqa: PLC0415

    rows = np.zeros((1, 4), dtype=np.float32)
    graph = to_onnx(classifier, rows, options={"zipmap": False}, target_opset=17, naming="iris")
    file.write_bytes(graph.SerializeToString(deterministic=True))
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def train_demo(out: Path) -> dict[str, Any]:
    """Train and save the demo's models under `out`; return what each answers."""
    measures, labels = flowers()
    expected: dict[str, Any] = {}
    for version, targets in (("", labels), ("-v2", 1 - labels)):
        classifier = train_classifier(measures, targets)
        joblib.dump(classifier, new_folder(out / f"sklearn{version}") / "model.joblib")
        expected[f"sklearn-model{version}"] = classifier.predict(PAYLOAD).tolist()

        booster = train_booster(measures, targets, rounds=ROUNDS[version])
        booster.save_model(new_folder(out / f"xgboost{version}") / "model.ubj")
        expected[f"xgboost-model{version}"] = booster.inplace_predict(np.array(PAYLOAD)).tolist()
        if not version:
            booster.save_model(new_folder(out / "xgboost-json") / "model.json")
    converter = LinearRegression(fit_intercept=False).fit(measures / CM_PER_INCH, measures)
    joblib.dump(converter, new_folder(out / "centimetres") / "model.joblib")
    return expected


def train_light(out: Path) -> dict[str, Any]:
    """Train and save LightGBM's model under `out`; return what it answers."""
    booster = train_lightgbm(*flowers())
    booster.save_model(new_folder(out / "lightgbm") / "model.bst")
    return {"lightgbm-model": np.asarray(booster.predict(np.array(PAYLOAD))).tolist()}


def train_onnx(out: Path) -> dict[str, Any]:
    """Save the demo's classifier as a graph under `out`; return what it answers."""
    graph = save_graph(train_classifier(*flowers()), new_folder(out / "onnx") / "model.onnx")
    (answer,) = graph.run(["label"], {graph.get_inputs()[0].name: np.array(PAYLOAD, dtype=np.float32)})
    return {"onnx-model": answer.tolist()}


# Of the measures and the season, which makes a flower a little more one or the other.
PMML_TEXT = """\
<?xml version="1.0" encoding="UTF-8"?>
<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">
  <Header description="Iris, versicolor or virginica"/>
  <DataDictionary>
{fields}
    <DataField name="season" optype="categorical" dataType="string">
      <Value value="spring"/>
      <Value value="summer"/>
    </DataField>
    <DataField name="species" optype="categorical" dataType="string">
      <Value value="virginica"/>
      <Value value="versicolor"/>
    </DataField>
  </DataDictionary>
  <RegressionModel functionName="classification" normalizationMethod="logit">
    <MiningSchema>
{mining_fields}
      <MiningField name="season"/>
      <MiningField name="species" usageType="target"/>
    </MiningSchema>
    <Output>
      <OutputField name="probability" optype="continuous" dataType="double" feature="probability" value="virginica"/>
    </Output>
    <RegressionTable intercept="{intercept}" targetCategory="virginica">
{predictors}
      <CategoricalPredictor name="season" value="summer" coefficient="1"/>
    </RegressionTable>
    <RegressionTable intercept="0" targetCategory="versicolor"/>
  </RegressionModel>
</PMML>
"""
MEASURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")


def train_pmml(out: Path) -> dict[str, Any]:
    """Write the demo's classifier as PMML under `out`, with a season as well; return its answer in spring."""
    classifier = train_classifier(*flowers())
    scaler, regression = (step for _, step in classifier.steps)
    weights = regression.coef_[0] / scaler.scale_
    text = PMML_TEXT.format(
        fields="\n".join(f'    <DataField name="{name}" optype="continuous" dataType="double"/>' for name in MEASURES),
        mining_fields="\n".join(f'      <MiningField name="{name}"/>' for name in MEASURES),
        intercept=regression.intercept_[0] - scaler.mean_ @ weights,
        predictors="\n".join(
            f'      <NumericPredictor name="{name}" coefficient="{weight}"/>'
            for name, weight in zip(MEASURES, weights, strict=True)
        ),
    )
    (new_folder(out / "pmml") / "model.pmml").write_text(text)
    labels = np.array(["versicolor", "virginica"])[classifier.predict(PAYLOAD)]
    probabilities = classifier.predict_proba(PAYLOAD)[:, 1]
    answers = zip(labels.tolist(), probabilities.tolist(), strict=True)
    return {"pmml-model": [{"species": label, "probability": probability} for label, probability in answers]}


def train_mlflow(out: Path) -> dict[str, Any]:
    """Save the demo's classifier in MLflow's format under `out`; return what MLServer answers, a column of labels."""
    import mlflow.sklearn  # noqa: PLC0415
    from mlflow.models import Model, infer_signature  # noqa: PLC0415

    classifier, rows = train_classifier(*flowers()), np.array(PAYLOAD)
    answer = classifier.predict(rows)
    mlflow.sklearn.save_model(
        classifier,
        out / "mlflow",
        # With a signature of tensors, MLServer decodes a request that does not name its content type.
        signature=infer_signature(rows, answer),
        # Otherwise the environment is searched for them, and both are new on every run.
        pip_requirements=["scikit-learn"],
        mlflow_model=Model(model_uuid="0" * 32, utc_time_created="2026-01-01 00:00:00.000000"),
    )
    return {"mlflow-model": answer[:, np.newaxis].tolist()}


def train_tensorflow(out: Path) -> dict[str, Any]:
    """Save the demo's classifier as a SavedModel under `out`; return the probabilities of label 1 that it answers."""
    import tensorflow as tf  # noqa: PLC0415

    scaler, regression = (step for _, step in train_classifier(*flowers()).steps)
    model = tf.Module()
    model.weights = tf.Variable(regression.coef_[0] / scaler.scale_, dtype=tf.float32)
    model.bias = tf.Variable(
        regression.intercept_[0] - scaler.mean_ @ (regression.coef_[0] / scaler.scale_), dtype=tf.float32
    )

    def probability(measures: Any) -> dict[str, Any]:
        return {"probability": tf.sigmoid(tf.linalg.matvec(measures, model.weights) + model.bias)}

    model.serve = tf.function(probability, input_signature=[tf.TensorSpec([None, 4], tf.float32, name="measures")])
    tf.saved_model.save(model, str(out / "tensorflow" / "1"), signatures={"serving_default": model.serve})
    return {"tensorflow-model": model.serve(tf.constant(PAYLOAD))["probability"].numpy().tolist()}


# Each imports the libraries of its formats alone.
SETS = {"demo": train_demo, "lightgbm": train_light, "onnx": train_onnx, "pmml": train_pmml}
# With the packages of other images.
OTHER_SETS = {"mlflow": train_mlflow, "tensorflow": train_tensorflow}


def new_folder(path: Path) -> Path:
    """Make the folder if need be, and return it."""
    path.mkdir(parents=True, exist_ok=True)
    return path


def main() -> None:
    """Train, save, and print the answers."""
    all_sets = SETS | OTHER_SETS
    parser = argparse.ArgumentParser(description="Train the demo's models and record what they answer.")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write to")
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(all_sets)}; {', '.join(SETS)} when none is named")
    arguments = parser.parse_args()
    out = arguments.out
    answers = [all_sets[name](out) for name in arguments.sets or SETS]
    predictions = {name: {"predictions": answer} for given in answers for name, answer in given.items()}
    text = json.dumps({"instances": PAYLOAD} | predictions, indent=2)
    (out / "expected.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
