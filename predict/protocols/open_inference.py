"""The messages of the open inference protocol's gRPC service that the check needs, in protobuf's own terms.

Made when the program runs, since the published stubs come with packages a hundred times their size. Message and field
names, numbers and types are the protocol's; nesting does not show on the wire.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

SERVICE = "inference.GRPCInferenceService"
_PACKAGE = "inference"
# Message → field → number and type; * after a type: repeated.
_TENSOR = {"name": (1, "string"), "datatype": (2, "string"), "shape": (3, "int64*")}
_MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "ModelReadyRequest": {"name": (1, "string")},
    "ModelReadyResponse": {"ready": (1, "bool")},
    "ModelMetadataRequest": {"name": (1, "string")},
    "TensorMetadata": _TENSOR,
    "ModelMetadataResponse": {
        "name": (1, "string"),
        "versions": (2, "string*"),
        "platform": (3, "string"),
        "inputs": (4, "TensorMetadata*"),
        "outputs": (5, "TensorMetadata*"),
    },
    "InferTensorContents": {
        "bool_contents": (1, "bool*"),
        "int_contents": (2, "int32*"),
        "int64_contents": (3, "int64*"),
        "uint_contents": (4, "uint32*"),
        "uint64_contents": (5, "uint64*"),
        "fp32_contents": (6, "float*"),
        "fp64_contents": (7, "double*"),
        "bytes_contents": (8, "bytes*"),
    },
    "InferTensor": {**_TENSOR, "contents": (5, "InferTensorContents")},
    "ModelInferRequest": {
        "model_name": (1, "string"),
        "inputs": (5, "InferTensor*"),
        "raw_input_contents": (7, "bytes*"),
    },
    "ModelInferResponse": {
        "model_name": (1, "string"),
        "outputs": (5, "InferTensor*"),
        "raw_output_contents": (6, "bytes*"),
    },
}


def _described() -> FileDescriptorProto:
    file = FileDescriptorProto(name="open_inference.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            bare = kind.removesuffix("*")
            label = FieldDescriptorProto.LABEL_REPEATED if kind.endswith("*") else FieldDescriptorProto.LABEL_OPTIONAL
            field = described.field.add(name=name, number=number, label=label)
            if bare in _MESSAGES:
                field.type = FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{bare}"
            else:
                field.type = FieldDescriptorProto.Type.Value(f"TYPE_{bare.upper()}")
    return file


# A pool of its own: another client in the same process may have the published stubs loaded.
_POOL = DescriptorPool()
_POOL.AddSerializedFile(_described().SerializeToString())


def message_class(name: str) -> Any:
    """The class of a message, whose fields no type checker knows."""
    return GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def classes_of(method: str) -> tuple[type[Message], type[Message]]:
    """The classes of a method's request and response."""
    return message_class(f"{method}Request"), message_class(f"{method}Response")
