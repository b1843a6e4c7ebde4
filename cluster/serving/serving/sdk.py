"""KServe's server SDK without the parts of it that a model server never calls.

`import kserve` also imports its Kubernetes client and pandas, three quarters of its import time and half of the image.
The lock leaves out the client (see pyproject.toml), and pandas but for scikit-learn, which imports it when a request
needs it; while the SDK is imported, empty modules stand in their place.
Import what is needed of KServe from here.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

# Module name -> the names that the SDK takes from it when it is imported.
NEVER_CALLED = {"kserve.api.kserve_client": "KServeClient", "pandas": "DataFrame"}


@contextmanager
def stand_ins() -> Iterator[None]:
    """Make each module of NEVER_CALLED importable, and gone again afterwards."""
    for module, name in NEVER_CALLED.items():
        sys.modules[module] = ModuleType(module)
        setattr(sys.modules[module], name, type(name, (), {}))
    try:
        yield
    finally:
        for module in NEVER_CALLED:
            del sys.modules[module]


with stand_ins():
    from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
    from kserve.errors import InvalidInput
    from kserve.logging import configure_logging, logger
    from kserve.model_repository import ModelRepository
    from kserve.model_server import app
    from kserve.model_server import parser as sdk_parser
    from kserve.protocol.dataplane import DataPlane
    from kserve.protocol.rest.multiprocess.server import RESTServerProcess
    from kserve.utils.numpy_codec import from_np_dtype
    from kserve.utils.utils import get_predict_response

__all__ = [
    "DataPlane",
    "InferOutput",
    "InferRequest",
    "InferResponse",
    "InvalidInput",
    "Model",
    "ModelRepository",
    "ModelServer",
    "RESTServerProcess",
    "app",
    "configure_logging",
    "from_np_dtype",
    "get_predict_response",
    "logger",
    "sdk_parser",
]
