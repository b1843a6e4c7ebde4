"""Saves boosters in MLflow's format, loads them, and prints what they answer: `python flavors.py DIR`."""
# mypy: ignore-errors

import json
import sys
from pathlib import Path

import mlflow.lightgbm
import mlflow.pyfunc
import mlflow.xgboost
import numpy as np
from train_demo import PAYLOAD, flowers, train_booster, train_lightgbm

out, (measures, labels) = Path(sys.argv[1]), flowers()
boosters = {
    "xgboost": (mlflow.xgboost, train_booster(measures, labels, rounds=8)),
    "lightgbm": (mlflow.lightgbm, train_lightgbm(measures, labels)),
}
answers = {}
for name, (flavor, booster) in boosters.items():
    flavor.save_model(booster, out / name, pip_requirements=[name])
    answers[name] = mlflow.pyfunc.load_model(str(out / name)).predict(np.array(PAYLOAD)).tolist()
print(json.dumps(answers))
