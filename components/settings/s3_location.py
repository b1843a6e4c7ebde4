"""Locations in S3: whether they name a folder or one file.

S3 has no folders. KServe's storage initializer takes every object whose key begins like the location, unless one has
exactly this key: `s3://models/flowers` brings the files of `flowers-v2` along, and `s3://models/flowers/` does not.
"""

from __future__ import annotations

import re

# Endings of files that model servers load, and of archives. A folder with such a name is written with a slash.
_ARCHIVES = "tar|tgz|zip|gz|bz2|xz|zst|lz4|7z"
_PICKLES = "joblib|pkl|pickle|dill|cloudpickle|skops|sav"
_TREES = "bst|ubj|json|model|txt|cbm"
_NETWORKS = (
    "onnx|ort|pt|pt2|pth|mar|ckpt|safetensors|gguf|ggml|bin|h5|hdf5|keras|pb|tflite|pdmodel|pdiparams|plan|engine"
)
_OTHERS = "pmml|xml|mlmodel|npy|npz|parquet|msgpack|yaml|yml|rds|rdata|jar"
_FILE = re.compile(rf".+\.({_ARCHIVES}|{_PICKLES}|{_TREES}|{_NETWORKS}|{_OTHERS})", re.IGNORECASE)
# A dot with what may be the ending of a file: a letter first, and not a version, as in model.v2 and flowers-1.0.rc1.
_ENDING = re.compile(r".+\.(?!(?:v|rc|dev|post|alpha|beta|a|b|r)[\d-]+$)[a-z][a-z0-9_]{0,11}", re.IGNORECASE)


def in_s3(uri: str) -> bool:
    """Whether a location is in S3."""
    return uri.startswith("s3://")


def ends_as_a_folder(uri: str) -> bool:
    """Whether a location says itself that it is a folder: by a slash at its end, or as a whole bucket."""
    return uri.endswith("/") or not _key(uri)


def names_a_file(uri: str) -> bool:
    """Whether the last part of a location in S3 has the ending of a model's file or an archive."""
    return bool(_FILE.fullmatch(_last_part(uri)))


def may_name_a_file(uri: str) -> bool:
    """Whether a location in S3 that is taken as a folder has an ending that may be a file's."""
    return not ends_as_a_folder(uri) and not names_a_file(uri) and bool(_ENDING.fullmatch(_last_part(uri)))


def as_a_folder(uri: str) -> str:
    """The location with a slash at its end, so that KServe takes the folder's files alone."""
    return uri if ends_as_a_folder(uri) else f"{uri}/"


def _key(uri: str) -> str:
    return uri.partition("://")[2].partition("/")[2]


def _last_part(uri: str) -> str:
    return _key(uri).rpartition("/")[2]
