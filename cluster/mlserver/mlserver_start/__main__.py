"""MLServer's own command line, which ends with an error and one line where a model fails to load.

By itself, MLServer then ends as if nothing was wrong, and the kubelet reports no reason.
"""

import logging
import os
import sys
from tempfile import gettempdir

from serving.container import report, stop_on_sigterm


class FailedLoad(logging.Handler):
    """Keeps the error that MLServer logs when a model failed to load at its start."""

    def __init__(self) -> None:
        super().__init__()
        self.error: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one record of MLServer's log."""
        if record.exc_info and (record.module, record.funcName) == ("server", "start"):
            self.error = record.exc_info[1]


def main() -> int:
    """Run the command line; returns the exit code, which is 1 where a model failed to load."""
    stop_on_sigterm()  # MLServer has a handler of its own once everything is imported
    # MLServer makes folders where it runs.
    os.chdir(gettempdir())
    from mlserver.cli import main as mlserver  # noqa: PLC0415

    failed = FailedLoad()
    logging.getLogger("mlserver").addHandler(failed)
    try:
        mlserver()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    else:
        code = 0
    if failed.error is None:
        return code
    report(f"the model cannot be loaded: {type(failed.error).__name__}: {failed.error}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
