"""TensorFlow Serving's REST protocol as an ASGI application."""

import json
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from serving.compressed_bodies import CompressedBodies
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .errors import RefusedError
from .saved_model import DEFAULT_SIGNATURE
from .served_model import ServedModel, Version
from .tensors import columns_of, read_columns, read_rows, rows_of

MODEL = "/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
ASKED = re.compile(f"{MODEL}:(?P<verb>classify|regress|predict)", re.IGNORECASE)
DESCRIBED = re.compile(f"{MODEL}(?P<metadata>/metadata)?", re.IGNORECASE)
# A string, or what TensorFlow Serving takes for infinity beside the token that Python knows.
SHORT_INFINITY = re.compile(rb'("(?:[^"\\]|\\.)*")|\bInf\b')


def application(model: ServedModel) -> Starlette:
    """The application that serves this model."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        # Not in the event loop: other requests are answered while a graph runs.
        return await run_in_threadpool(_answer, model, method=request.method, path=_path(request), body=body)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    app.add_middleware(CompressedBodies)
    return app


def _path(request: Request) -> str:
    """The path as it was sent: an encoded slash in a model's name is none between names."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.decode("latin-1")


def _answer(model: ServedModel, *, method: str, path: str, body: bytes) -> Response:
    """The answer to one request; with an `error` where there is none."""
    try:
        return _json(_document(model, method=method, path=path, body=body))
    except RefusedError as refusal:
        return _json({"error": str(refusal)}, status=refusal.status)


def _document(model: ServedModel, *, method: str, path: str, body: bytes) -> dict[str, Any]:
    """What answers one request.

    :raises RefusedError: it cannot be answered.
    """
    found = (ASKED if method == "POST" else DESCRIBED).fullmatch(path)
    if found is None:
        status = HTTPStatus.BAD_REQUEST if path.lower().startswith("/v1/") else HTTPStatus.NOT_FOUND
        raise RefusedError(
            f"Malformed request: {method} {path}; expected POST /v1/models/<name>[/versions/<n>]:predict, or GET "
            "/v1/models/<name>[/versions/<n>][/metadata]",
            status=status,
        )
    name = unquote(found["name"])
    if found["label"]:
        raise RefusedError(f"{path}: a version has no labels here; name it as /versions/<n>, or none for the newest")
    number = int(found["version"]) if found["version"] else None
    if method == "POST":
        if found["verb"].lower() != "predict":
            raise RefusedError(f":{found['verb']} is not served; ask :predict", status=HTTPStatus.NOT_IMPLEMENTED)
        return predict(model.version(name, number), body)
    if found["metadata"]:
        return metadata(model.version(name, number), name=name)
    return status_of(model, name=name, number=number)


def predict(version: Version, body: bytes) -> dict[str, Any]:
    """Answer `{"instances": …}` or `{"inputs": …}`.

    :raises RefusedError: it cannot be answered.
    """
    document = _parse(body)
    given = [key for key in ("instances", "inputs") if key in document]
    if len(given) != 1:
        keys = ", ".join(f'"{key}"' for key in document) or "an empty object"
        raise RefusedError(f'body: expected one of "instances" (rows) and "inputs" (columns), got {keys}')
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise RefusedError(f'"signature_name": expected a string, got {name!r:.80}')
    signature = version.model.signature(name or DEFAULT_SIGNATURE)
    if given == ["instances"]:
        tensors = read_rows(document["instances"], specs=signature.inputs)
        return {"predictions": rows_of(version.model.predict(signature, tensors))}
    tensors = read_columns(document["inputs"], specs=signature.inputs)
    return {"outputs": columns_of(version.model.predict(signature, tensors))}


def _parse(body: bytes) -> dict[str, Any]:
    """The object in a body.

    :raises RefusedError: it is not JSON, or no object.
    """
    if b"Inf" in body:
        body = SHORT_INFINITY.sub(lambda found: found[1] or b"Infinity", body)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"body: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise RefusedError(f'body: expected a JSON object with "instances" or "inputs", got {document!r:.80}')
    return document


def metadata(version: Version, *, name: str) -> dict[str, Any]:
    """The signatures of a version."""
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version.number)},
        "metadata": {"signature_def": {"signature_def": version.model.metadata()}},
    }


def status_of(model: ServedModel, *, name: str, number: int | None) -> dict[str, Any]:
    """The state of a model's versions, or of one.

    :raises RefusedError: no such model or version is known.
    """
    states = model.states()
    if name != model.name:
        raise RefusedError(
            f"Could not find any versions of model {name}; this server has {model.name}", status=HTTPStatus.NOT_FOUND
        )
    if number is not None and number not in states:
        raise RefusedError(f"Could not find version {number} of model {name}", status=HTTPStatus.NOT_FOUND)
    return {
        "model_version_status": [
            {"version": str(each), "state": state, "status": {"error_code": "OK", "error_message": ""}}
            for each, state in states.items()
            if number in (None, each)
        ]
    }


def _json(document: dict[str, Any], *, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A response with NaN and Infinity as TensorFlow Serving writes them, and text that is not UTF-8 as it is."""
    text = json.dumps(document, ensure_ascii=False)
    return Response(text.encode("utf-8", "surrogateescape"), status, media_type="application/json")
