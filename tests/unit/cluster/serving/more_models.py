"""Models beside the demo's, for the tests: run by the serving project's interpreter as `more_models.py DIR`."""
# mypy: ignore-errors

import pickle
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

MEASURES = ["sepal_length_(cm)", "sepal_width_(cm)", "petal_length_(cm)", "petal_width_(cm)"]


def main(out: Path) -> None:
    measures, species = load_iris(return_X_y=True)
    for name, model in {
        "names": LogisticRegression(max_iter=500).fit(measures, load_iris().target_names[species]),
        "unfitted": LogisticRegression(),
        "no-estimator": {"weights": [1, 2, 3]},
        "prices": prices(),
        "text": make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
            ["a good film", "good actors", "a bad film", "bad actors"], ["praise", "praise", "blame", "blame"]
        ),
        # Fitted on rows of text without names of columns.
        "categories": make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(
            np.array([["a", "x"], ["b", "y"], ["a", "y"], ["b", "x"]], dtype=object), [0, 1, 0, 1]
        ),
        "one-number": IsotonicRegression().fit([1, 2, 3], [10, 20, 30]),
        # Two outputs: the species, of three, and whether the petal is long.
        "two-outputs": DecisionTreeClassifier(random_state=0).fit(
            measures, np.column_stack([species, measures[:, 2] > 3])
        ),
        "unfitted-text": make_pipeline(TfidfVectorizer(), LogisticRegression()),
    }.items():
        (out / name).mkdir(parents=True)
        (out / name / "model.pkl").write_bytes(pickle.dumps(model))
    (out / "softprob").mkdir()
    three = {"objective": "multi:softprob", "num_class": 3, "nthread": 1}
    # Trained on named features, as from a table; the protocols send none.
    table = xgboost.DMatrix(measures, species, feature_names=list("abcd"))
    xgboost.train(three, table, 5).save_model(out / "softprob" / "model.ubj")
    for name, booster in {"linear": {"booster": "gblinear"}, "flags": {"min_child_weight": 0}}.items():
        (out / name).mkdir()
        rows, labels = (measures, species) if name == "linear" else (measures > measures.mean(axis=0), species)
        given = {"objective": "reg:squarederror", "nthread": 1, **booster}
        xgboost.train(given, xgboost.DMatrix(rows, labels), 5).save_model(out / name / "model.json")
    (out / "columns").mkdir()
    booster = lightgbm.train(
        {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(measures, species, feature_name=MEASURES),
        num_boost_round=5,
    )
    booster.save_model(out / "columns" / "model.bst")
    for name, graph in {
        "zipmap": to_onnx(
            LogisticRegression(max_iter=500).fit(measures, species),
            measures[:1].astype(np.float32),
            target_opset=17,
        ),
        "two-inputs": sum_of(("a", "b"), columns=4),
        "any-width": sum_of(("a",), columns="columns"),
    }.items():
        (out / name).mkdir()
        (out / name / "model.onnx").write_bytes(graph.SerializeToString())


def prices():
    """A pipeline that takes the columns `kind`, text, and `size`, a number: 10 a unit of size, 100 more if new."""
    columns = ColumnTransformer([("kind", OneHotEncoder(), ["kind"]), ("size", SimpleImputer(), ["size"])])
    table = pd.DataFrame({"kind": ["old", "new", "old", "new"], "size": [1, 2, 3, 4]})  # 2.5 on average
    return make_pipeline(columns, LinearRegression()).fit(table, [10, 120, 30, 140])


def sum_of(names, *, columns):
    """A graph that adds up its inputs."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", columns]) for name in names]
    output = helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["rows", columns])
    graph = helper.make_graph([helper.make_node("Sum", names, ["sum"])], "sum", inputs, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
