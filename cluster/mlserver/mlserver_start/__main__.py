"""MLServer's own command line, which ends with an error and one line where a model fails to load.

By itself, MLServer then ends as if nothing was wrong, and the kubelet reports no reason.
"""

import logging
import os
import signal
import sys
from pathlib import Path
from tempfile import gettempdir

# The kubelet mounts a writable file here and reports what it holds as the container's termination message, which
# KServe copies to `status.modelStatus.lastFailureInfo.message` of the InferenceService.
TERMINATION_LOG = Path(os.environ.get("TERMINATION_MESSAGE_PATH", "/dev/termination-log"))
TERMINATION_MESSAGE_BYTES = 4096


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
    # The kernel ignores it for a first process without a handler; MLServer has its own once everything is imported.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
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
    _report(f"the model cannot be loaded: {type(failed.error).__name__}: {failed.error}")
    return 1


def _report(reason: str) -> None:
    line = " ".join(reason.split())
    if TERMINATION_LOG.exists():
        try:
            TERMINATION_LOG.write_bytes(line.encode()[:TERMINATION_MESSAGE_BYTES])
        except OSError as error:
            print(f"could not write {TERMINATION_LOG}: {error}", file=sys.stderr)
    print(f"ERROR {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
