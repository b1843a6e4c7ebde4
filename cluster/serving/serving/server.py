"""Start a model server: load the model first, then open the ports."""

import argparse
from http import HTTPStatus
from pathlib import Path
from typing import cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from .binary_tensors import CheckedDataPlane, V2Bodies
from .container import give_up, stop_on_sigterm
from .model_file import UnusableModelError
from .sdk import ModelServer, app, configure_logging, logger
from .tabular_model import TabularModel


def server_arguments(*, description: str, threads: bool = False) -> argparse.Namespace:
    """Read the arguments that ClusterServingRuntimes pass to every server, with `threads` those for one prediction."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model_name", required=True, help="name of the model in URLs")
    parser.add_argument("--model_dir", required=True, type=Path, help="directory that holds the model file")
    parser.add_argument("--http_port", default=8080, type=int, help="port for v1 and v2 over HTTP (%(default)s)")
    parser.add_argument("--grpc_port", default=8081, type=int, help="port for v2 over gRPC (%(default)s)")
    if threads:
        parser.add_argument("--nthread", default=1, type=int, help="threads for one prediction (%(default)s)")
    return parser.parse_args()


def serve(model: TabularModel, *, arguments: argparse.Namespace) -> None:
    """Load the model and serve it until SIGTERM; with an unusable model, end with exit code 1 and no port open."""
    stop_on_sigterm()
    configure_logging()
    try:
        model.load()
    except UnusableModelError as error:
        give_up(f"model {model.name}: {error}")
    logger.info("loaded %s: %d features", model.name, model.n_features)
    app.add_exception_handler(RequestValidationError, refuse_malformed_request)
    app.add_middleware(V2Bodies)
    server = ModelServer(
        http_port=arguments.http_port,
        grpc_port=arguments.grpc_port,
        workers=1,
        event_loop="asyncio",
        enable_latency_logging=False,
    )
    server.dataplane = CheckedDataPlane(model_registry=server.registered_models)
    server.start([model])


async def refuse_malformed_request(_: Request, error: Exception) -> JSONResponse:
    """Answer a body that is not a v2 request as any other invalid input is answered: 400 and one `error`."""
    problem = cast(RequestValidationError, error).errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return JSONResponse({"error": f"{where}: {problem['msg']}"}, status_code=HTTPStatus.BAD_REQUEST)
