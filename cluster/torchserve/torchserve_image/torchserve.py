"""What is asked of TorchServe: which models it has, whether they are loaded, and their answers."""

from __future__ import annotations

import json
from dataclasses import dataclass

import httpx2 as httpx
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

# TorchServe's own way to say that a worker has its model.
LOADED = "READY"
# Never resolved: requests go through a socket.
URL = "http://torchserve"


class _Told(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Listed(_Told):
    model_name: str


class _Models(_Told):
    models: list[_Listed]


class _Worker(_Told):
    status: str


class ModelStatus(_Told):
    """What TorchServe tells about a version of a model."""

    model_version: str
    workers: list[_Worker] = Field(default_factory=list)

    @property
    def is_loaded(self) -> bool:
        """Whether a worker can answer for it."""
        return any(worker.status == LOADED for worker in self.workers)


_STATUSES = TypeAdapter(list[ModelStatus])


class UnknownModelError(Exception):
    """TorchServe has no model that answers to the name."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer of TorchServe."""

    status: int
    body: bytes

    def renamed(self, name: str) -> Answer:
        """The answer under the model's name, or KServe's form of an error."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return self
        if not isinstance(document, dict):
            return self
        if self.status >= 400:
            return self._error(document)
        if "model_name" in document:
            document["model_name"] = name
        return Answer(status=self.status, body=json.dumps(document).encode())

    def _error(self, document: dict[str, object]) -> Answer:
        message = document.get("message", document)
        # TorchServe says 503 for an error in the handler, which would be the same the next time.
        if self.status == 503 and message == "Prediction failed":
            words = "the model's handler failed, often for a request of another shape; its error is in the server's log"
            return Answer(status=500, body=json.dumps({"error": f"{message}: {words}"}).encode())
        return Answer(status=self.status, body=json.dumps({"error": message}).encode())


class TorchServe:
    """Asks TorchServe through its two addresses; a model has the name `name`, whatever its archive is called."""

    def __init__(self, *, name: str, inference: httpx.AsyncClient, management: httpx.AsyncClient) -> None:
        self.name = name
        self._inference = inference
        self._management = management
        self._archive: str | None = None

    async def archive(self) -> str:
        """Return TorchServe's own name of the model: the same, or else that of the one model that there is.

        Raises:
            httpx.HTTPError: TorchServe does not answer, as while it starts.
            UnknownModelError: there is no such model, or another one beside it.
        """
        if self._archive is None:
            self._archive = await self._find_archive()
        return self._archive

    async def _find_archive(self) -> str:
        answer = await self._management.get("/models")
        names = [listed.model_name for listed in _Models.model_validate_json(answer.raise_for_status().content).models]
        if self.name in names:
            return self.name
        if len(names) == 1:
            return names[0]
        there = " and ".join(names) or "none"
        raise UnknownModelError(
            f"the model store has {there}, of which none is named {self.name}: name the archive so, or keep one"
        )

    async def status(self) -> ModelStatus:
        """Return what TorchServe tells about the model's default version.

        Raises:
            httpx.HTTPError: TorchServe does not answer, as while it starts.
            UnknownModelError: there is no such model.
        """
        answer = await self._management.get(f"/models/{await self.archive()}")
        return _STATUSES.validate_json(answer.raise_for_status().content)[0]

    async def is_loaded(self) -> bool:
        """Whether TorchServe answers, and a worker has the model.

        Raises:
            UnknownModelError: there is no such model.
        """
        try:
            return (await self.status()).is_loaded
        except httpx.HTTPError:
            return False

    async def predict(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Return the answer to a request in the protocol that TorchServe speaks; `path` has `{}` for the model's name.

        Raises:
            httpx.HTTPError: TorchServe does not answer.
            UnknownModelError: there is no such model.
        """
        archive = await self.archive()
        response = await self._inference.post(path.format(archive), content=body, headers=headers)
        return Answer(status=response.status_code, body=response.content).renamed(self.name)
