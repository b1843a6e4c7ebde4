"""Rewards, kept in a ConfigMap: an acknowledged one outlives the process, and several processes add up."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
from pydantic import TypeAdapter, ValidationError

from bandit.policy import Arm, Tallies, Tally, added

IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")
ATTEMPTS = 10
_TALLIES = TypeAdapter(dict[Arm, Tally])


class StateError(Exception):
    """The rewards could not be read or kept."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The ServiceAccount that the ConfigMap goes with when it is deleted."""

    name: str
    uid: str


@dataclass(frozen=True, kw_only=True)
class Read:
    """A ConfigMap as it was read: all of its data, and its version; None where there is none yet."""

    data: dict[str, str]
    version: str | None


class ConfigMap:
    """One ConfigMap, through the API server; `client` is a client of it."""

    def __init__(self, client: httpx.AsyncClient, *, namespace: str, name: str, owner: Owner) -> None:
        self._client = client
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._name = name
        self._owner = owner

    async def read(self) -> Read:
        """Its data; raises StateError."""
        answer = await self._ask("GET", f"{self._path}/{self._name}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return Read(data={}, version=None)
        document = _checked(answer).json()
        return Read(data=document.get("data") or {}, version=document["metadata"]["resourceVersion"])

    async def write(self, data: dict[str, str], *, over: Read) -> bool:
        """Write all of its data; False where it is not as it was read any more. Raises StateError."""
        owner = {"apiVersion": "v1", "kind": "ServiceAccount", "name": self._owner.name, "uid": self._owner.uid}
        metadata: dict[str, Any] = {"name": self._name, "ownerReferences": [owner]}
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        if over.version is None:
            answer = await self._ask("POST", self._path, json=document)
        else:
            metadata["resourceVersion"] = over.version
            answer = await self._ask("PUT", f"{self._path}/{self._name}", json=document)
        # Not found: it was deleted since.
        if answer.status_code in {httpx.codes.CONFLICT, httpx.codes.NOT_FOUND}:
            return False
        _checked(answer)
        return True

    async def _ask(self, method: str, path: str, **said: Any) -> httpx.Response:
        try:
            return await self._client.request(method, path, **said)
        except httpx.HTTPError as problem:
            raise StateError(f"the API server does not answer: {type(problem).__name__}: {problem}") from problem


def _checked(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        raise StateError(f"the API server answers {answer.status_code}: {answer.text[:500]}")
    return answer


class _Token(httpx.Auth):
    """Kubernetes renews it in its file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = f"Bearer {self._file.read_text().strip()}"
        yield request


def client_in_pod(files: Path = IN_POD) -> httpx.AsyncClient:
    """A client of the API server, as the pod's service account."""
    return httpx.AsyncClient(
        base_url="https://kubernetes.default.svc",
        auth=_Token(files / "token"),
        verify=ssl.create_default_context(cafile=str(files / "ca.crt")),
        trust_env=False,
        timeout=10,
    )


class Ledger:
    """The rewards of a pair of versions, named by `versions`; those of other pairs stay beside them.

    Each process adds what it was told to what is kept, and tries again where another one was quicker: so rewards are
    neither lost nor counted twice while an old pod and a new one overlap.
    """

    def __init__(self, kept: ConfigMap, *, versions: str) -> None:
        self._kept = kept
        self._versions = versions
        self._known: dict[Arm, Tally] = added({}, {})
        self._waiting: dict[Arm, Tally] = {}
        self._one_writer = asyncio.Lock()

    @property
    def tallies(self) -> Tallies:
        """As last read or written, without asking."""
        return self._known

    async def refresh(self) -> Tallies:
        """Read what is kept; raises StateError."""
        self._known = self._of(await self._kept.read())
        return self._known

    async def add(self, arm: Arm, reward: float) -> None:
        """Return when the reward is kept; raises StateError, and may then still keep it later."""
        self._waiting = added(self._waiting, {arm: Tally(count=1, total=reward)})
        async with self._one_writer:
            if any(tally.count for tally in self._waiting.values()):
                await self._write()

    async def _write(self) -> None:
        taken, self._waiting = self._waiting, {}
        try:
            for _ in range(ATTEMPTS):
                read = await self._kept.read()
                total = added(self._of(read), taken)
                text = _TALLIES.dump_json(total).decode()
                if await self._kept.write({**read.data, self._versions: text}, over=read):
                    self._known = total
                    return
            raise StateError(f"others wrote {ATTEMPTS} times in between")
        except BaseException:
            self._waiting = added(taken, self._waiting)
            raise

    def _of(self, read: Read) -> dict[Arm, Tally]:
        text = read.data.get(self._versions)
        try:
            return added(_TALLIES.validate_json(text) if text else {}, {})
        except ValidationError as problem:
            raise StateError(f"what is kept of {self._versions} is unreadable: {problem}") from problem
