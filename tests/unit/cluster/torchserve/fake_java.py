"""Answers in place of Java and TorchServe: `FAKE_TORCHSERVE` says what is done after the model is asked for."""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

PROPERTIES = dict(
    line.split("=", 1) for line in Path(sys.argv[sys.argv.index("-f") + 1]).read_text().splitlines() if line
)
BEHAVIOUR = os.environ.get("FAKE_TORCHSERVE", "")
# As TorchServe prints it: of a handler that cannot be imported, and of a worker that cannot even start.
FAILURES = {
    "fails": """\
2026-11-29T08:41:34,100 [INFO ] MODEL_LOG - Traceback (most recent call last):
2026-11-29T08:41:34,100 [INFO ] MODEL_LOG - ImportError: no module named torchvision
2026-11-29T08:41:34,101 [INFO ] MODEL_LOG - ModuleNotFoundError: No module named 'ts.torch_handler.handler'
2026-11-29T08:41:34,246 [WARN ] org.pytorch.serve.wlm.BatchAggregator - Load model failed: flowers, error: Worker died.
""",
    "fails to start": """\
2026-11-29T09:06:40,735 [WARN ] MODEL_LOG - RuntimeError: Unable to find torch_shm_manager
2026-11-29T09:06:41,007 [ERROR] org.pytorch.serve.wlm.WorkerThread - Backend worker error
org.pytorch.serve.wlm.WorkerInitializationException: Backend stream closed.
2026-11-29T09:06:41,007 [WARN ] org.pytorch.serve.wlm.WorkerThread - Auto recovery failed again
""",
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/models":
            self.answer({"models": [{"modelName": "flowers", "modelUrl": "flowers.mar"}]})
        else:
            status = "UNLOADING" if BEHAVIOUR == "loads" else "READY"
            self.answer([{"modelName": "flowers", "modelVersion": "1.0", "workers": [{"id": "1", "status": status}]}])

    def do_POST(self) -> None:
        if "flowers" in self.path and BEHAVIOUR == "dies":
            os._exit(3)
        self.answer({"predictions": [1, 0]})

    def answer(self, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: object) -> None:
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def stop(*_: object) -> None:
    Path(os.environ["STOPPED"]).touch()
    os._exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, stop)
    if BEHAVIOUR in FAILURES:
        print(FAILURES[BEHAVIOUR], flush=True)
        time.sleep(60)
    if BEHAVIOUR == "refuses":
        sys.exit("Invalid configuration: Model version 1.0 is already registered for model flowers")
    for name in ("inference_address", "management_address"):
        server = Server(PROPERTIES[name].removeprefix("unix:"), Handler)
        threading.Thread(target=server.serve_forever).start()


main()
