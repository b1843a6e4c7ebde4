"""A SavedModel: loaded, its signatures known, and run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from serving.model_file import UnusableModelError

from .errors import RefusedError
from .flags import LoadOptions
from .library import CallableOptions, ConfigProto, Graph, OpError, SavedModelLoader, Session, SignatureDef, as_dtype
from .tensors import Tensor, TensorSpec

DEFAULT_SIGNATURE = "serving_default"
# What TensorFlow sets as the method of a signature that is asked by :predict.
METHODS = tuple(f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress"))
# TensorFlow's error codes that are not the server's fault, as TensorFlow Serving answers them; the others are 500.
STATUSES = {
    3: HTTPStatus.BAD_REQUEST,  # INVALID_ARGUMENT
    4: HTTPStatus.GATEWAY_TIMEOUT,  # DEADLINE_EXCEEDED
    5: HTTPStatus.NOT_FOUND,  # NOT_FOUND
    8: HTTPStatus.TOO_MANY_REQUESTS,  # RESOURCE_EXHAUSTED
    9: HTTPStatus.BAD_REQUEST,  # FAILED_PRECONDITION
    11: HTTPStatus.BAD_REQUEST,  # OUT_OF_RANGE
    12: HTTPStatus.NOT_IMPLEMENTED,  # UNIMPLEMENTED
}


@dataclass(frozen=True, kw_only=True)
class Signature:
    """One function of a model.

    Attributes:
        run: takes a tensor an input and returns one an output, in their order.
    """

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    run: Callable[..., list[Tensor | bytes]]


class SavedModel:
    """One version of a model, loaded."""

    def __init__(self, folder: Path, *, options: LoadOptions):
        """Load it.

        :raises UnusableModelError: it cannot be.
        """
        config = ConfigProto(
            intra_op_parallelism_threads=options.intra_op_threads,
            inter_op_parallelism_threads=options.inter_op_threads,
        )
        self._session = Session(graph=Graph(), config=config)
        try:
            graph = SavedModelLoader(str(folder)).load(self._session, list(options.tags))
        except (OpError, OSError, RuntimeError, ValueError, TypeError, KeyError, DecodeError) as error:
            raise UnusableModelError(f"{folder}: TensorFlow cannot load it: {_reason(error)}") from error
        self._definitions: dict[str, SignatureDef] = dict(sorted(graph.signature_def.items()))
        self._signatures: dict[str, Signature] = {}
        self._unusable: dict[str, str] = {}
        for name, definition in self._definitions.items():
            if definition.inputs and definition.outputs and definition.method_name in METHODS:
                try:
                    self._signatures[name] = self._signature(name, definition, timeout_ms=options.timeout_ms)
                except OpError as error:  # the others can be asked
                    self._unusable[name] = _reason(error)

    def _signature(self, name: str, definition: SignatureDef, *, timeout_ms: int) -> Signature:
        inputs, outputs = _specs(definition.inputs), _specs(definition.outputs)
        options = CallableOptions()
        options.feed.extend(spec.tensor for spec in inputs.values())
        options.fetch.extend(spec.tensor for spec in outputs.values())
        options.run_options.timeout_in_ms = timeout_ms
        run = self._session._make_callable_from_options(options)
        return Signature(name=name, inputs=inputs, outputs=outputs, run=run)

    def signature(self, name: str) -> Signature:
        """The signature of this name that can be asked.

        :raises RefusedError: there is none.
        """
        if name in self._unusable:
            raise RefusedError(f'"signature_name": the signature "{name}" cannot be run: {self._unusable[name]}')
        if name not in self._signatures:
            known = ", ".join(f'"{each}"' for each in self._signatures) or "none"
            raise RefusedError(f'"signature_name": the model has no signature "{name}" to ask; it has {known}')
        return self._signatures[name]

    def predict(self, signature: Signature, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs by name.

        :raises RefusedError: the graph does not take these tensors, or does not answer in time.
        """
        try:
            outputs = signature.run(*(tensors[name] for name in signature.inputs))
        except OpError as error:
            status = STATUSES.get(error.error_code, HTTPStatus.INTERNAL_SERVER_ERROR)
            raise RefusedError(f"{_reason(error)}; {_taken_and_got(signature, tensors)}", status=status) from error
        # TensorFlow gives a string without dimensions as bytes.
        read = (np.array(each, dtype=object) if isinstance(each, bytes) else each for each in outputs)
        return dict(zip(signature.outputs, read, strict=True))

    def metadata(self) -> dict[str, Any]:
        """The signatures, as TensorFlow Serving writes them."""
        write = partial(MessageToDict, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        return {name: write(definition) for name, definition in self._definitions.items()}


def _specs(tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
    """What a signature says of its tensors, by name."""
    specs = {}
    for name, info in sorted(tensors.items()):
        shape = None
        if info.HasField("tensor_shape") and not info.tensor_shape.unknown_rank:
            shape = tuple(None if each.size < 0 else each.size for each in info.tensor_shape.dim)
        specs[name] = TensorSpec(name=name, tensor=info.name, dtype=as_dtype(info.dtype).name, shape=shape)
    return specs


def _reason(error: Exception) -> str:
    """The first line of what went wrong; those after it are places in the graph."""
    text = error.message if isinstance(error, OpError) else str(error)
    return str(text).strip().split("\n")[0] or type(error).__name__


def _taken_and_got(signature: Signature, tensors: Mapping[str, Tensor]) -> str:
    taken = ", ".join(map(str, signature.inputs.values()))
    got = ", ".join(f'"{name}" of {list(tensor.shape)}' for name, tensor in tensors.items())
    return f'signature "{signature.name}" takes {taken}; got {got}'
