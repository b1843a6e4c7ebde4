"""A store of any kind, which the setting `kind` chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import Discriminator, GetJsonSchemaHandler, SecretStr, Tag
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from components.settings.errors import KIND_TAG, UNKNOWN_KIND
from components.settings.stores.azure import AzureStorage
from components.settings.stores.gcs import GcsStorage
from components.settings.stores.hdfs import HdfsStorage
from components.settings.stores.https import HttpsStorage
from components.settings.stores.huggingface import HuggingFaceStorage
from components.settings.stores.oci import OciStorage
from components.settings.stores.pvc import PvcStorage
from components.settings.stores.s3 import S3Storage
from components.settings.stores.store import Store

CLASSES: tuple[type[Store], ...] = (
    S3Storage,
    GcsStorage,
    AzureStorage,
    HttpsStorage,
    HuggingFaceStorage,
    HdfsStorage,
    PvcStorage,
    OciStorage,
)
# Of a store that names none: stacks from before there were others.
DEFAULT_KIND = "s3"
KINDS = {kind: store for store in CLASSES for kind in get_args(store.model_fields["kind"].annotation)}


def _tag(store: object) -> str | None:
    kind = store.get("kind", DEFAULT_KIND) if isinstance(store, Mapping) else getattr(store, "kind", DEFAULT_KIND)
    return f"{KIND_TAG}{KINDS[kind].__name__}" if isinstance(kind, str) and kind in KINDS else None


class _ChosenByKind:
    """In the schema: the settings of the kind that a store names, so that an editor tells of those only."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        choices = handler(schema)["oneOf"]
        return {
            "type": "object",
            "properties": {"kind": {"type": "string", "enum": [*KINDS]}},
            "allOf": [_condition(store, choice) for store, choice in zip(CLASSES, choices, strict=True)],
        }


def _condition(store: type[Store], choice: JsonSchemaValue) -> JsonSchemaValue:
    kinds = [kind for kind, of_kind in KINDS.items() if of_kind is store]
    named = {} if DEFAULT_KIND in kinds else {"required": ["kind"]}
    return {"if": {"properties": {"kind": {"enum": kinds}}, **named}, "then": choice}


AnyStore = Annotated[
    Annotated[S3Storage, Tag(f"{KIND_TAG}S3Storage")]
    | Annotated[GcsStorage, Tag(f"{KIND_TAG}GcsStorage")]
    | Annotated[AzureStorage, Tag(f"{KIND_TAG}AzureStorage")]
    | Annotated[HttpsStorage, Tag(f"{KIND_TAG}HttpsStorage")]
    | Annotated[HuggingFaceStorage, Tag(f"{KIND_TAG}HuggingFaceStorage")]
    | Annotated[HdfsStorage, Tag(f"{KIND_TAG}HdfsStorage")]
    | Annotated[PvcStorage, Tag(f"{KIND_TAG}PvcStorage")]
    | Annotated[OciStorage, Tag(f"{KIND_TAG}OciStorage")],
    Discriminator(
        _tag,
        custom_error_type=UNKNOWN_KIND,
        custom_error_message=f"must be one of {', '.join(map(repr, KINDS))}",
    ),
    _ChosenByKind(),
]


def _has_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_has_secret, get_args(annotation)))


# Settings that are secrets: one value each, but for those that are a mapping of secrets.
SECRETS = tuple(
    dict.fromkeys(
        name for store in CLASSES for name, field in store.model_fields.items() if _has_secret(field.annotation)
    )
)
