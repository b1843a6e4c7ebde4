"""Start TorchServe, and answer for it: `python3 -m torchserve_image --model_name NAME [--model_dir DIR]`."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Serve until SIGTERM, or until TorchServe ends."""
    # The kernel ignores it for a first process without a handler; the server has its own once it answers.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    from torchserve_image.server import run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
