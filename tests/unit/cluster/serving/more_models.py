"""Models beside the demo's, for the tests: run by the serving project's interpreter as `more_models.py DIR`."""
# mypy: ignore-errors

import pickle
import sys
from pathlib import Path

import xgboost
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def main(out: Path) -> None:
    measures, species = load_iris(return_X_y=True)
    for name, model in {
        "names": LogisticRegression(max_iter=500).fit(measures, load_iris().target_names[species]),
        "unfitted": LogisticRegression(),
        "no-estimator": {"weights": [1, 2, 3]},
    }.items():
        (out / name).mkdir(parents=True)
        (out / name / "model.pkl").write_bytes(pickle.dumps(model))
    (out / "softprob").mkdir()
    three = {"objective": "multi:softprob", "num_class": 3, "nthread": 1}
    # Trained on named features, as from a table; the protocols send none.
    table = xgboost.DMatrix(measures, species, feature_names=list("abcd"))
    xgboost.train(three, table, 5).save_model(out / "softprob" / "model.ubj")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
