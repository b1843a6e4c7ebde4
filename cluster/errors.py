"""The error of the local cluster: what failed, what to do about it, and the end of the log."""

from __future__ import annotations

from pathlib import Path

LOG_TAIL_LINES = 15


class ClusterError(Exception):
    """A failure that is shown to the user, without a traceback.

    Args:
        message: what failed, naming the part.
        hint: what to do about it.
        log: the failing part's log file; its last lines are appended to the text.
    """

    def __init__(self, message: str, *, hint: str | None = None, log: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.log = log

    def __str__(self) -> str:
        lines = [self.message]
        if self.log is not None and self.log.is_file():
            tail = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            lines += [f"--- last lines of {self.log}", *tail, "---"]
        if self.hint:
            lines.append(self.hint)
        return "\n".join(lines)
