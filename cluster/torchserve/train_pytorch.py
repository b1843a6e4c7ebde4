"""Train the demo's classifier and pack it for TorchServe: `python train_pytorch.py --out DIR pytorch`.

Iris, versicolor (0) or virginica (1), four measures in cm: as in `serving/train_demo.py`, here as TorchScript. DIR then
holds

    pytorch/config/config.properties   what TorchServe reads: how many workers there are
    pytorch/model-store/flowers.mar    the classifier with its handler, `handler.py`
    expected.json                      the payload, and the model's answer to it
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from model_archiver.model_archiver_config import ModelArchiverConfig
from model_archiver.model_packaging import generate_model_archive
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# A typical flower of each species, near its medians: sepal length and width, petal length and width.
VIRGINICA = [6.5, 3.0, 5.5, 2.0]
VERSICOLOR = [5.9, 2.8, 4.3, 1.3]
PAYLOAD = [VIRGINICA, VERSICOLOR]

FOLDER = "pytorch"
# The archive's name, which is not the model's: whoever asks does not know it.
ARCHIVE = "flowers"
HANDLER = Path(__file__).parent / "handler.py"
CONFIGURATION = "default_workers_per_model=1\n"


class Classifier(torch.nn.Module):  # type: ignore[misc]
    """Answers the label of each row of measures."""

    def __init__(self, weights: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(weights)
        self.bias = torch.nn.Parameter(bias)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return 0 or 1 for each row."""
        return (rows @ self.weights + self.bias > 0).to(torch.int64)


def train_classifier() -> torch.jit.ScriptModule:
    """Return scikit-learn's classifier of the demo as TorchScript, with the scaling in its weights."""
    measures, species = load_iris(return_X_y=True)
    of_two = species > 0
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(measures[of_two], species[of_two] - 1)
    scaler, regression = fitted[0], fitted[1]
    weights = regression.coef_[0] / scaler.scale_
    bias = regression.intercept_[0] - weights @ scaler.mean_
    return torch.jit.script(Classifier(torch.tensor(weights).float(), torch.tensor(bias).float()))


def pack(model: torch.jit.ScriptModule, store: Path) -> None:
    """Write the model with its handler as an archive into the folder `store`."""
    store.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.pt"
        model.save(str(file))
        generate_model_archive(
            ModelArchiverConfig(
                model_name=ARCHIVE,
                handler=str(HANDLER),
                version="1.0",
                serialized_file=str(file),
                export_path=str(store),
            )
        )


def main() -> None:
    """Train, save, and print the answers."""
    parser = argparse.ArgumentParser(description="Train the demo's model for TorchServe and record what it answers.")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write to")
    parser.add_argument("set", choices=[FOLDER], help="what the folder is called")
    out: Path = parser.parse_args().out
    model = train_classifier()
    pack(model, out / FOLDER / "model-store")
    configuration = out / FOLDER / "config" / "config.properties"
    configuration.parent.mkdir()
    configuration.write_text(CONFIGURATION)
    answer = {"predictions": model(torch.tensor(PAYLOAD)).tolist()}
    text = json.dumps({"instances": PAYLOAD, "pytorch-model": answer}, indent=2)
    (out / "expected.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
