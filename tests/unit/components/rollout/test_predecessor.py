"""A model waits until nothing is left of a deleted one of the same name."""

from __future__ import annotations

import httpx2 as httpx
import pytest

from components.rollout.hooks import PredecessorRemoval
from components.rollout.wait import RolloutError, WaitScope
from components.teardown.leftovers import OBJECTS, Leftovers
from tests.unit.components.rollout.test_knative_rollout import run
from tests.unit.components.teardown.test_leftovers import HERE, NOTHING, cluster, deleted, iris, items, route
from tests.unit.predict.server import Server

pytestmark = pytest.mark.usefixtures("pauses")


def test_waits_for_leftover_objects_but_not_for_pods(api: Server, pauses: list[float]) -> None:
    """Its pods may still finish their requests."""
    going = route("iris-predictor", deleted=True)
    cluster(api, routes=(items(going), NOTHING), pods=(items(iris("iris-1", deleted=True)),))
    run(removal(api, timeout=60))
    assert len(pauses) == 1
    assert deleted(api) == []


def test_fails_if_leftovers_stay(api: Server) -> None:
    cluster(api, routes=(items(route("iris-predictor")),))
    with pytest.raises(RolloutError, match=r"iris cannot be made: .* after 0 s: routes/iris-predictor$"):
        run(removal(api, timeout=0))


def removal(api: Server, *, timeout: int) -> PredecessorRemoval:
    scope = WaitScope(connect=lambda: httpx.Client(base_url=api.address), namespace=HERE, timeout=timeout)
    leftovers = Leftovers(namespace=HERE, models=("iris",), kinds=OBJECTS)
    return PredecessorRemoval(scope=scope, name="iris", leftovers=leftovers)
