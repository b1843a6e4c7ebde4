"""`python -m bandit`: serve on port 8080, inside a pod."""

from __future__ import annotations

import argparse

import httpx2 as httpx
import uvicorn

from bandit.policy import EpsilonGreedy
from bandit.service import Service
from bandit.state import ConfigMap, Ledger, Owner, client_in_pod

PORT = 8080


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="bandit")
    parser.add_argument("--latest", required=True, help="URL where the version on trial predicts")
    parser.add_argument("--prev", required=True, help="URL where the version before it predicts")
    parser.add_argument("--versions", required=True, help="names the two; other rewards are kept for other versions")
    parser.add_argument("--epsilon", required=True, type=float, help="share of the requests for any version")
    parser.add_argument("--timeout", required=True, type=float, help="seconds a prediction may take")
    parser.add_argument("--namespace", required=True, help="of the ConfigMap with the rewards")
    parser.add_argument("--state", required=True, help="name of the ConfigMap with the rewards")
    parser.add_argument("--owner", required=True, help="the ServiceAccount the ConfigMap goes with")
    parser.add_argument("--owner-uid", required=True, help="the UID of that ServiceAccount")
    said = parser.parse_args()
    kept = ConfigMap(
        client_in_pod(),
        namespace=said.namespace,
        name=said.state,
        owner=Owner(name=said.owner, uid=said.owner_uid),
    )
    service = Service(
        urls={"latest": said.latest, "prev": said.prev},
        versions=said.versions,
        policy=EpsilonGreedy(epsilon=said.epsilon),
        ledger=Ledger(kept, versions=said.versions),
        models=httpx.AsyncClient(timeout=httpx.Timeout(said.timeout, connect=5), trust_env=False),
    )
    uvicorn.run(service.application(), host="0.0.0.0", port=PORT, access_log=False)  # noqa: S104 - in a pod


if __name__ == "__main__":
    main()
