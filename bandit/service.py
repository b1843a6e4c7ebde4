"""The HTTP service: passes requests on, takes rewards, and shows the split."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

import httpx2 as httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bandit.policy import ARMS, Arm, EpsilonGreedy, Tallies, Tally
from bandit.state import Ledger, StateError

ARM_HEADER = "Bandit-Arm"
REQUEST_HEADER = "Bandit-Request"


class Reward(BaseModel):
    """What an answer was worth, from 0 to 1; of a `request`, as the answer's header named it, or of an `arm`."""

    model_config = ConfigDict(extra="forbid")

    reward: float = Field(ge=0, le=1, allow_inf_nan=False)
    request: str | None = None
    arm: Arm | None = None

    @model_validator(mode="after")
    def _is_of_one(self) -> Self:
        if (self.request is None) == (self.arm is None):
            raise ValueError("say either `request` or `arm`")
        return self


@dataclass(frozen=True, kw_only=True)
class Service:
    """The service; `urls` says where each arm predicts, `versions` names the pair of versions behind them.

    A request's name says all that a reward needs, so that no memory of requests is kept, or lost.
    """

    urls: Mapping[Arm, str]
    versions: str
    policy: EpsilonGreedy
    ledger: Ledger
    models: httpx.AsyncClient
    chance: random.Random = field(default_factory=random.SystemRandom)

    def application(self) -> Starlette:
        """The ASGI application; it starts when the rewards have been read."""

        @asynccontextmanager
        async def reading(_: Starlette) -> AsyncIterator[None]:
            await self.ledger.refresh()
            yield

        return Starlette(
            routes=[
                Route("/predict", self.predict, methods=["POST"]),
                Route("/rewards", self.reward, methods=["POST"]),
                Route("/split", self.split, methods=["GET"]),
                Route("/healthz", self.healthy, methods=["GET"]),
            ],
            lifespan=reading,
        )

    async def predict(self, request: Request) -> Response:
        """The answer of an arm, whatever its status; of the other where one cannot be reached."""
        body, kind = await request.body(), request.headers.get("content-type", "application/json")
        chosen = self.policy.choose(self.ledger.tallies, self.chance)
        problems: list[str] = []
        for arm in sorted(ARMS, key=lambda arm: arm != chosen):
            try:
                answer = await self.models.post(self.urls[arm], content=body, headers={"Content-Type": kind})
            except httpx.ConnectError as problem:  # there is no such version now; nothing was sent
                problems.append(f"{arm}: {problem}")
                continue
            except httpx.HTTPError as problem:
                return _refused(502, f"{arm}: {type(problem).__name__}: {problem}")
            named = {ARM_HEADER: arm, REQUEST_HEADER: f"{self.versions}.{arm}.{uuid.uuid4().hex}"}
            kind = answer.headers.get("content-type", "application/json")
            return Response(answer.content, answer.status_code, headers=named, media_type=kind)
        return _refused(503, "no version can be reached: " + "; ".join(problems))

    async def reward(self, request: Request) -> Response:
        """Keep a reward, then show the split."""
        try:
            said = Reward.model_validate_json(await request.body())
        except ValidationError as error:
            problems = (f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
            return _refused(400, "; ".join(problems))
        arm = said.arm or self._arm_of(said.request or "")
        if arm is None:
            return _refused(404, f"{said.request!r} names no request to the versions there are now")
        try:
            await self.ledger.add(arm, said.reward)
        except StateError as problem:
            return _refused(503, str(problem))
        return JSONResponse(self._shown(self.ledger.tallies))

    async def split(self, _: Request) -> Response:
        """Where requests go, and why."""
        try:
            return JSONResponse(self._shown(await self.ledger.refresh()))
        except StateError as problem:
            return _refused(503, str(problem))

    async def healthy(self, _: Request) -> Response:
        """It has read the rewards, or would not answer."""
        return JSONResponse({"ready": True})

    def _arm_of(self, request: str) -> Arm | None:
        return next((arm for arm in ARMS if request.startswith(f"{self.versions}.{arm}.")), None)

    def _shown(self, tallies: Tallies) -> dict[str, object]:
        split = self.policy.split(tallies)
        arms = {
            arm: {"rewards": tally.count, "mean": tally.mean, "share": split[arm]}
            for arm, tally in ((arm, tallies.get(arm, Tally())) for arm in ARMS)
        }
        return {"epsilon": self.policy.epsilon, "versions": self.versions, "arms": arms}


def _refused(status: int, problem: str) -> Response:
    return JSONResponse({"error": problem}, status_code=status)
