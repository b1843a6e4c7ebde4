"""TensorFlow without its Python API.

`import tensorflow` imports all of that API, Keras among it: two thirds of the time until a server is ready. A server
runs graphs that exist already. So the package is made known without running its `__init__`, and the few modules that
run graphs are imported. Import what is needed of TensorFlow from here.
"""

import os
import sys
from importlib.util import find_spec, module_from_spec

# TensorFlow reads both when it is loaded. It says what fails, and not how it was built; and it computes without oneDNN,
# as TensorFlow Serving does.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
if "tensorflow" not in sys.modules:
    _spec = find_spec("tensorflow")
    if _spec is None:
        raise ModuleNotFoundError("tensorflow is not installed", name="tensorflow")
    sys.modules["tensorflow"] = module_from_spec(_spec)

from tensorflow.core.protobuf.config_pb2 import CallableOptions, ConfigProto
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow.python.client.session import Session
from tensorflow.python.framework.dtypes import DType, as_dtype
from tensorflow.python.framework.errors_impl import OpError
from tensorflow.python.framework.ops import Graph
from tensorflow.python.saved_model.loader_impl import SavedModelLoader

__all__ = [
    "CallableOptions",
    "ConfigProto",
    "DType",
    "Graph",
    "OpError",
    "SavedModelLoader",
    "Session",
    "SignatureDef",
    "as_dtype",
]
