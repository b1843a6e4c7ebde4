"""The service: requests reach a version and come back named, rewards are kept and outlive it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bandit.policy import EpsilonGreedy
from bandit.service import Service
from bandit.state import ConfigMap, Ledger, Owner, StateError

PATH = "/api/v1/namespaces/models/configmaps"
VERSIONS = "0123456789abcdef"


@dataclass
class ApiServer:
    """What the Kubernetes API does with ConfigMaps, version by version."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: int = 0
    broken: bool = False
    between: Callable[[], Awaitable[None]] | None = None

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route(PATH, self.create, methods=["POST"]),
                Route(PATH + "/{name}", self.read, methods=["GET"]),
                Route(PATH + "/{name}", self.update, methods=["PUT"]),
            ]
        )

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.application())
        return httpx.AsyncClient(transport=transport, base_url="http://kubernetes")

    async def read(self, request: Request) -> Response:
        await asyncio.sleep(0)  # as over a network, others get a turn
        found = self.objects.get(request.path_params["name"])
        if self.broken:
            return Response("etcd is gone", 500)
        return JSONResponse(found) if found else Response(status_code=404)

    async def create(self, request: Request) -> Response:
        said = await request.json()
        if said["metadata"]["name"] in self.objects:
            return Response(status_code=409)
        return await self._store(said)

    async def update(self, request: Request) -> Response:
        said = await request.json()
        if self.between:
            between, self.between = self.between, None
            await between()
        found = self.objects.get(said["metadata"]["name"])
        if found is None or found["metadata"]["resourceVersion"] != said["metadata"]["resourceVersion"]:
            return Response(status_code=409)
        return await self._store(said)

    async def _store(self, said: dict[str, Any]) -> Response:
        self.writes += 1
        said["metadata"]["resourceVersion"] = str(self.writes)
        self.objects[said["metadata"]["name"]] = said
        return JSONResponse(said)


def ledger(api: ApiServer, versions: str = VERSIONS) -> Ledger:
    owner = Owner(name="iris-bandit", uid="u1")
    return Ledger(ConfigMap(api.client(), namespace="models", name="iris-bandit", owner=owner), versions=versions)


async def answering(request: Request) -> Response:
    if "gone" in str(request.url.hostname):
        raise httpx.ConnectError("no such host")
    said = await request.json()
    version = str(request.url.hostname).partition("-")[0]
    return JSONResponse({"predictions": [version], "asked": said}, 400 if said == "bad" else 200)


@asynccontextmanager
async def running(api: ApiServer, *, epsilon: float = 0.1, **urls: str) -> AsyncIterator[httpx.AsyncClient]:
    models = Starlette(routes=[Route("/predict", answering, methods=["POST"])])
    service = Service(
        urls={"latest": "http://latest-iris/predict", "prev": "http://prev-iris/predict"} | urls,  # type: ignore[arg-type]
        versions=VERSIONS,
        policy=EpsilonGreedy(epsilon=epsilon),
        ledger=ledger(api),
        models=httpx.AsyncClient(transport=httpx.ASGITransport(app=models)),
        chance=random.Random(7),  # noqa: S311 - the same on every run
    )
    application = service.application()
    async with application.router.lifespan_context(application):
        transport = httpx.ASGITransport(app=application)
        yield httpx.AsyncClient(transport=transport, base_url="http://bandit")


def run(test: Callable[[], Awaitable[None]]) -> None:
    loop = asyncio.new_event_loop()  # asyncio.run would leave the thread without one
    loop.run_until_complete(test())
    loop.close()


def test_an_answer_is_passed_on_and_says_which_version_gave_it() -> None:
    async def test() -> None:
        async with running(ApiServer()) as client:
            for _ in range(10):
                answer = await client.post("/predict", json={"instances": [1]})
                arm = answer.headers["Bandit-Arm"]
                assert answer.json() == {"predictions": [arm], "asked": {"instances": [1]}}
                assert answer.headers["Bandit-Request"].startswith(f"{VERSIONS}.{arm}.")

    run(test)


def test_a_models_error_is_passed_on_too() -> None:
    async def test() -> None:
        async with running(ApiServer()) as client:
            answer = await client.post("/predict", json="bad")
            assert (answer.status_code, "Bandit-Request" in answer.headers) == (400, True)

    run(test)


def test_where_a_version_is_not_there_the_other_answers() -> None:
    async def test() -> None:
        async with running(ApiServer(), prev="http://gone/predict") as client:
            arms = {(await client.post("/predict", json=1)).headers["Bandit-Arm"] for _ in range(20)}
            assert arms == {"latest"}
        async with running(ApiServer(), prev="http://gone/predict", latest="http://gone/predict") as client:
            answer = await client.post("/predict", json=1)
            assert answer.status_code == 503
            assert "latest" in answer.json()["error"]
            assert "prev" in answer.json()["error"]

    run(test)


def test_rewards_move_the_split_and_outlive_the_service() -> None:
    api = ApiServer()

    async def test() -> None:
        async with running(api) as client:
            assert (await client.get("/split")).json()["arms"]["latest"] == {"rewards": 0, "mean": None, "share": 0.5}
            answered = await client.post("/predict", json=1)
            arm, name = answered.headers["Bandit-Arm"], answered.headers["Bandit-Request"]
            shown = (await client.post("/rewards", json={"request": name, "reward": 1})).json()
            assert shown["arms"][arm] == {"rewards": 1, "mean": 1.0, "share": pytest.approx(0.95)}
            for _ in range(3):
                await client.post("/rewards", json={"arm": "prev", "reward": 0.25})
            before = (await client.get("/split")).json()
            assert (before["epsilon"], before["versions"]) == (0.1, VERSIONS)
        async with running(api) as client:
            assert (await client.get("/split")).json() == before
            assert (await client.get("/healthz")).status_code == 200

    run(test)


@pytest.mark.parametrize(
    ("said", "status", "problem"),
    [
        ({"arm": "latest", "reward": 1.5}, 400, "reward: Input should be less than or equal to 1"),
        ({"arm": "latest"}, 400, "reward: Field required"),
        ({"arm": "third", "reward": 1}, 400, "arm"),
        ({"reward": 1}, 400, "either `request` or `arm`"),
        ({"reward": 1, "arm": "prev", "request": "x"}, 400, "either `request` or `arm`"),
        ({"reward": 1, "request": "fedcba9876543210.latest.1"}, 404, "names no request to the versions there are now"),
        ({"reward": 1, "request": f"{VERSIONS}.third.1"}, 404, "names no request"),
        ([], 400, "body"),
    ],
    ids=str,
)
def test_what_is_no_reward_is_refused_and_not_kept(said: Any, status: int, problem: str) -> None:
    api = ApiServer()

    async def test() -> None:
        async with running(api) as client:
            answer = await client.post("/rewards", json=said)
            assert answer.status_code == status
            assert problem in answer.json()["error"]

    run(test)
    assert api.objects == {}


def test_the_configmap_goes_with_the_service_account() -> None:
    api = ApiServer()
    run(lambda: ledger(api).add("latest", 1))
    (owner,) = api.objects["iris-bandit"]["metadata"]["ownerReferences"]
    assert owner == {"apiVersion": "v1", "kind": "ServiceAccount", "name": "iris-bandit", "uid": "u1"}


def test_rewards_that_come_together_are_written_together_and_all_kept() -> None:
    api = ApiServer()

    async def test() -> None:
        one = ledger(api)
        await asyncio.gather(*(one.add("latest", 0.5) for _ in range(50)))
        assert (one.tallies["latest"].count, one.tallies["latest"].total) == (50, 25)
        assert (await ledger(api).refresh()) == one.tallies

    run(test)
    assert api.writes < 10


def test_two_processes_add_up() -> None:
    api = ApiServer()

    async def test() -> None:
        one, other = ledger(api), ledger(api)
        await one.add("latest", 1)
        api.between = lambda: other.add("prev", 0.5)  # while `one` is about to write
        await one.add("latest", 1)
        assert (one.tallies["latest"].count, one.tallies["prev"].count) == (2, 1)
        assert (await other.refresh()) == one.tallies

    run(test)


def test_rewards_of_other_versions_stay_and_do_not_count() -> None:
    api = ApiServer()

    async def test() -> None:
        before, after = ledger(api), ledger(api, "fedcba9876543210")
        await before.add("latest", 1)
        await after.add("prev", 1)
        assert after.tallies["latest"].count == 0
        assert (await before.refresh())["latest"].count == 1

    run(test)


def test_a_reward_that_cannot_be_kept_is_not_acknowledged_and_not_lost() -> None:
    api = ApiServer()

    async def test() -> None:
        async with running(api) as client:
            api.broken = True
            answer = await client.post("/rewards", json={"arm": "latest", "reward": 1})
            assert answer.status_code == 503
            assert "the API server answers 500: etcd is gone" in answer.json()["error"]
            api.broken = False
            shown = (await client.post("/rewards", json={"arm": "latest", "reward": 1})).json()
            assert shown["arms"]["latest"]["rewards"] == 2

    run(test)


def test_what_is_kept_and_unreadable_is_said() -> None:
    api = ApiServer()
    api.objects["iris-bandit"] = {"metadata": {"resourceVersion": "1"}, "data": {VERSIONS: "{"}}

    async def test() -> None:
        with pytest.raises(StateError, match=f"what is kept of {VERSIONS} is unreadable"):
            await ledger(api).refresh()

    run(test)
