"""KServe's v1 or v2 over HTTP, answered by TorchServe."""

from __future__ import annotations

import json

import httpx2 as httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from torchserve_image.configuration import ENVELOPES, V1, V2
from torchserve_image.torchserve import TorchServe, UnknownModelError

# What TorchServe's handlers may read of a request's headers.
PASSED_ON = ("x-request-id", "explain")
PATHS = {"predict": "/v1/models/{}:predict", "explain": "/v1/models/{}:explain", "infer": "/v2/models/{}/infer"}


def api(torchserve: TorchServe, *, envelope: str) -> Starlette:
    """The application: health, metadata and predictions of one model, in the protocol of `envelope`."""
    front = _Front(torchserve, envelope)
    return Starlette(
        routes=[
            Route("/", front.live),
            Route("/v1/models", front.listed),
            Route("/v1/models/{name}", front.ready),
            Route("/v1/models/{name}:{verb}", front.predict_v1, methods=["POST"]),
            Route("/v2", front.server),
            Route("/v2/health/live", front.live),
            Route("/v2/health/ready", front.ready),
            Route("/v2/models/{name}", front.metadata),
            Route("/v2/models/{name}/ready", front.ready),
            Route("/v2/models/{name}/infer", front.predict_v2, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _refusal, UnknownModelError: _not_ready, httpx.HTTPError: _not_ready},
    )


async def _refusal(_: Request, error: Exception) -> Response:
    status, words = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
    return JSONResponse({"error": words}, status_code=status)


async def _not_ready(_: Request, error: Exception) -> Response:
    words = str(error) if isinstance(error, UnknownModelError) else f"TorchServe does not answer: {error!r}"
    return JSONResponse({"error": words}, status_code=503)


class _Front:
    """Answers requests for one model."""

    def __init__(self, torchserve: TorchServe, envelope: str) -> None:
        self._torchserve = torchserve
        self._envelope = envelope

    async def live(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def listed(self, _: Request) -> Response:
        return JSONResponse({"models": [self._torchserve.name]})

    async def server(self, _: Request) -> Response:
        return JSONResponse({"name": "torchserve", "version": "0.12.0", "extensions": []})

    async def ready(self, request: Request) -> Response:
        """Of the model, and so of the server, which has no other."""
        self._check_name(request)
        is_loaded = await self._torchserve.is_loaded()
        answer = {"name": self._torchserve.name, "ready": is_loaded}
        return JSONResponse(answer, status_code=200 if is_loaded else 503)

    async def metadata(self, request: Request) -> Response:
        self._check_name(request)
        status = await self._torchserve.status()
        answer = {"name": self._torchserve.name, "versions": [status.model_version], "platform": "pytorch"}
        # The archive does not say what the model takes and answers.
        return JSONResponse({**answer, "inputs": [], "outputs": []})

    async def predict_v1(self, request: Request) -> Response:
        verb = request.path_params["verb"]
        if verb not in ("predict", "explain"):
            raise HTTPException(404, f"there is no {verb!r} in v1: :predict or :explain")
        # TorchServe's envelope reads from the header which of the two is asked for.
        return await self._predict(request, V1, PATHS[verb], {"explain": str(verb == "explain")})

    async def predict_v2(self, request: Request) -> Response:
        return await self._predict(request, V2, PATHS["infer"], {})

    async def _predict(self, request: Request, envelope: str, path: str, more: dict[str, str]) -> Response:
        self._check_name(request)
        if envelope != self._envelope:
            spoken, asked = _protocol(self._envelope), _protocol(envelope)
            raise HTTPException(400, f"this server speaks {spoken}, not {asked}: set the model's protocol to {asked}")
        body = await request.body()
        _check_body(body, {V1: "instances", V2: "inputs"}[envelope])
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        answer = await self._torchserve.predict(path, body, headers | more | {"content-type": "application/json"})
        return Response(answer.body, status_code=answer.status, media_type="application/json")

    def _check_name(self, request: Request) -> None:
        """Refuse another name than the model's; a path without a name means it.

        Raises:
            HTTPException: as it is said.
        """
        name = request.path_params.get("name", self._torchserve.name)
        if name != self._torchserve.name:
            raise HTTPException(404, f"there is no model {name!r} here: this is {self._torchserve.name!r}")


def _protocol(envelope: str) -> str:
    return next(protocol for protocol, name in ENVELOPES.items() if name == envelope)


def _check_body(body: bytes, field: str) -> None:
    """Refuse what TorchServe could only call a failure of the model.

    Raises:
        HTTPException: the body is not an object with a list in `field`.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the request's body is not JSON: {error}") from error
    found = document.get(field) if isinstance(document, dict) else None
    if not isinstance(found, list) or not found:
        raise HTTPException(400, f"the request's body needs a list in {field!r} that is not empty")
