"""Start a model server: load the model first, then open the ports."""

import argparse
from functools import partialmethod
from http import HTTPStatus
from pathlib import Path
from typing import cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from .binary_tensors import CheckedDataPlane, V2Bodies
from .compressed_bodies import CompressedBodies
from .container import give_up, stop_on_sigterm
from .model_file import NoModelError, UnusableModelError
from .model_repository import Build, TabularModelRepository, is_filled_later
from .sdk import ModelServer, RESTServerProcess, app, configure_logging, logger, sdk_parser
from .tabular_model import TabularModel

WORKER_SILENCE_SECONDS = 60


def server_arguments(*, description: str, threads: bool = False) -> argparse.Namespace:
    """Read the arguments of KServe's own servers, those of its SDK among them; with `threads` those for one prediction.

    Unknown ones are ignored, as there.
    """
    parser = argparse.ArgumentParser(description=description, parents=[sdk_parser])
    parser.add_argument("--model_dir", required=True, type=Path, help="directory that holds the model file")
    if threads:
        parser.add_argument("--nthread", default=1, type=int, help="threads for one prediction (%(default)s)")
    arguments, unknown = parser.parse_known_args()
    arguments.unknown = unknown
    return arguments


def serve(build: Build, *, arguments: argparse.Namespace, workers: int | None = None) -> None:
    """Load the model and serve it until SIGTERM; with an unusable model, end with exit code 1 and no port open.

    :param workers: how many processes answer HTTP, whatever --workers says.
    """
    stop_on_sigterm()
    if arguments.configure_logging:
        configure_logging(arguments.log_config_file)
    if arguments.unknown:
        logger.warning("unknown arguments, which do nothing: %s", " ".join(arguments.unknown))
    models, repository = _load(build, arguments)
    # The other arguments are the defaults of its parameters: the SDK reads the command line when it is imported.
    server = ModelServer(registered_models=repository, workers=workers or arguments.workers)
    server.dataplane = CheckedDataPlane(model_registry=server.registered_models)
    server.start(models)


def _load(build: Build, arguments: argparse.Namespace) -> tuple[list[TabularModel], TabularModelRepository | None]:
    """The model; or none, and the repository that KServe's agent fills."""
    model = build(arguments.model_name, arguments.model_dir)
    try:
        model.load()
    except UnusableModelError as error:
        if not isinstance(error, NoModelError) or not is_filled_later(arguments.model_dir):
            give_up(f"model {model.name}: {error}")
        logger.info("%s: no model yet; KServe's agent brings those of TrainedModels", arguments.model_dir)
        return [], TabularModelRepository(arguments.model_dir, build=build)
    logger.info("loaded %s: %s features", model.name, "text, or any" if model.n_features is None else model.n_features)
    return [model], None


async def refuse_malformed_request(_: Request, error: Exception) -> JSONResponse:
    """Answer a body that is not a v2 request as any other invalid input is answered: 400 and one `error`."""
    problem = cast(RequestValidationError, error).errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return JSONResponse({"error": f"{where}: {problem['msg']}"}, status_code=HTTPStatus.BAD_REQUEST)


# When this is imported and not later: the processes of --workers import it, too, and start from there.
app.add_exception_handler(RequestValidationError, refuse_malformed_request)
app.add_middleware(V2Bodies)
app.add_middleware(CompressedBodies)
# The SDK replaces a process that says nothing for 5 seconds; with little CPU, importing the libraries takes longer.
RESTServerProcess.is_alive = partialmethod(RESTServerProcess.is_alive, timeout=WORKER_SILENCE_SECONDS)
