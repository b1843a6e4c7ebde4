"""Secrets in the Kubernetes API's Protocol Buffers, which Helm sends instead of JSON."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

MAGIC = b"k8s\x00"
VARIABLE, DELIMITED = 0, 2


def secret_of(sent: bytes) -> dict[str, Any]:
    """The Secret in the body of a request, as the API has it in JSON."""
    if not sent.startswith(MAGIC):
        raise ValueError("not in Kubernetes' Protocol Buffers")
    # The numbers are of the messages Unknown, Secret and ObjectMeta in Kubernetes' generated.proto files.
    raw = dict(_fields(sent.removeprefix(MAGIC)))[2]
    secret = list(_fields(raw))
    metadata = list(_fields(dict(secret)[1]))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": dict(metadata)[1].decode(),
            "labels": {key.decode(): value.decode() for key, value in _entries(metadata, 11)},
        },
        "data": {key.decode(): base64.b64encode(value).decode() for key, value in _entries(secret, 2)},
        "type": dict(secret)[3].decode(),
    }


def _entries(message: list[tuple[int, bytes]], number: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a map."""
    for found, raw in message:
        if found == number:
            entry: Mapping[int, bytes] = dict(_fields(raw))
            yield entry[1], entry.get(2, b"")


def _fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each field that is text, bytes or a message."""
    at = 0
    while at < len(raw):
        key, at = _number(raw, at)
        size, at = _number(raw, at)
        if key & 7 == DELIMITED:
            yield key >> 3, raw[at : at + size]
            at += size
        elif key & 7 != VARIABLE:
            raise ValueError(f"field {key >> 3} has a wire type that no Secret has")


def _number(raw: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where the next field begins."""
    result = shift = 0
    while True:
        byte = raw[at]
        at += 1
        result |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return result, at
