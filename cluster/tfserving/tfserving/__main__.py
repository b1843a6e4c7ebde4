"""Load the model, then open the port: `python3 -m tfserving --model_base_path DIR --rest_api_port PORT …`."""

import sys

import uvicorn
from serving.container import give_up, stop_on_sigterm
from serving.model_file import UnusableModelError

from .flags import read_flags


def main() -> None:
    """Serve until SIGTERM; with an unusable model, end with exit code 1 and no port open."""
    stop_on_sigterm()
    flags = read_flags(sys.argv[1:])
    # TensorFlow takes seconds to import: wrong flags and SIGTERM end the program before.
    from .rest import application  # noqa: PLC0415
    from .served_model import ServedModel  # noqa: PLC0415

    try:
        model = ServedModel(flags.model_name, flags.model_base_path, options=flags.options)
    except UnusableModelError as error:
        give_up(f"model {flags.model_name}: {error}")
    (version,) = model.states()
    print(f"INFO loaded version {version} of {model.name}", file=sys.stderr, flush=True)
    if flags.poll_seconds > 0:
        model.watch(seconds=flags.poll_seconds)
    # A container's port is reached from outside it.
    uvicorn.run(application(model), host="0.0.0.0", port=flags.rest_api_port, log_level="warning")  # noqa: S104


if __name__ == "__main__":
    main()
