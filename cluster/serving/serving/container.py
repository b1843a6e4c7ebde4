"""How a program of ours behaves as the first process of a container."""

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

# The kubelet mounts a writable file here and reports what it holds as the container's termination message, which
# KServe copies to `status.modelStatus.lastFailureInfo.message` of the InferenceService.
TERMINATION_LOG = Path(os.environ.get("TERMINATION_MESSAGE_PATH", "/dev/termination-log"))
TERMINATION_MESSAGE_BYTES = 4096


def stop_on_sigterm() -> None:
    """Leave at once at SIGTERM: the kernel ignores it for a first process that has no handler of its own.

    Not by an exception: code that it passes through may swallow it, or wait for threads first.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))


def give_up(reason: str) -> NoReturn:
    """End the program with exit code 1 and one line that says why, as `report` does."""
    report(reason)
    sys.exit(1)


def report(reason: str) -> None:
    """Say in one line why the program ends, on stderr and as the termination message.

    :param reason: what failed, why, and what to do; its line breaks are folded, as it must stay one line.
    """
    line = " ".join(reason.split())
    if TERMINATION_LOG.exists():
        try:
            TERMINATION_LOG.write_bytes(line.encode()[:TERMINATION_MESSAGE_BYTES])
        except OSError as error:
            print(f"could not write {TERMINATION_LOG}: {error}", file=sys.stderr)
    print(f"ERROR {line}", file=sys.stderr, flush=True)
