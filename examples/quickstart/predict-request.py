"""Ask both models about the same two flowers by protocol v2, and print their predictions.

    python predict-request.py --gateway http://localhost:8080 --namespace default

Ends with 1 when a model does not answer with a prediction.
"""

from __future__ import annotations

import argparse
import sys

import requests

# Sepal length and width, petal length and width in cm; a row a flower.
FLOWERS = [[6.5, 3.0, 5.5, 2.0], [5.9, 2.8, 4.3, 1.3]]
MODELS = {"Sklearn": "sklearn-model", "XGBoost": "xgboost-model"}
# As `kubectl get inferenceservices` shows them.
HOST, STANDARD = "{model}.{namespace}.{domain}", "{model}-{namespace}.{domain}"


def predict(model: str, *, gateway: str, host: str, timeout: float = 60) -> list[float]:
    """One prediction a row.

    Raises:
        requests.RequestException: the gateway cannot be reached, or answers with another status than 200.
        KeyError, ValueError: the answer is no prediction.
    """
    request = {
        "inputs": [{"name": "input-0", "shape": [len(FLOWERS), 4], "datatype": "FP32", "data": FLOWERS}],
    }
    # The gateway chooses the model by the Host header: no DNS is needed.
    answer = requests.post(f"{gateway}/v2/models/{model}/infer", json=request, headers={"Host": host}, timeout=timeout)
    answer.raise_for_status()
    predictions: list[float] = answer.json()["outputs"][0]["data"]
    return predictions


def main() -> int:
    """Ask each model, and print a line for it."""
    parser = argparse.ArgumentParser(description="Ask both models about the same two flowers.")
    parser.add_argument("--gateway", default="http://localhost:8080", help="the gateway's URL (%(default)s)")
    parser.add_argument("--namespace", default="default", help="of the InferenceServices (%(default)s)")
    parser.add_argument("--domain", default="example.com", help="of the models' hosts (%(default)s)")
    parser.add_argument("--host", default=HOST, help=f"a model's host ({HOST}); in KServe's mode Standard {STANDARD}")
    given = parser.parse_args()
    status = 0
    for name, model in MODELS.items():
        host = given.host.replace("{model}", model)
        host = host.replace("{namespace}", given.namespace).replace("{domain}", given.domain)
        try:
            predictions = predict(model, gateway=given.gateway.rstrip("/"), host=host)
        except (requests.RequestException, LookupError, TypeError, ValueError) as problem:
            print(f"{name} 模型没有响应 (no prediction from {host} at {given.gateway}): {problem}", file=sys.stderr)
            status = 1
        else:
            print(f"{name} 模型响应: {{'predictions': {predictions}}}")
    return status


if __name__ == "__main__":
    sys.exit(main())
