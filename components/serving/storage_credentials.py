"""Keys of the stores that models are downloaded from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as k8s

from components.settings.stack import S3Storage, Settings

ANNOTATION = "serving.kserve.io/s3-"


@dataclass(frozen=True, kw_only=True)
class StorageCredentialsArgs:
    """A store, its name in the settings, and the namespace of the models that use it.

    Attributes:
        stack: name of the stack as it was when it was first deployed, because a renamed stack keeps its objects.

    """

    stack: str
    name: str
    storage: S3Storage
    namespace: str


class StorageCredentials(pulumi.ComponentResource):
    """A service account whose pods get a store's keys when they download a model.

    Attributes:
        service_account: its name.

    """

    service_account: pulumi.Output[str]

    def __init__(self, name: str, *, args: StorageCredentialsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:storage:StorageCredentials", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        keys = args.storage.keys
        # Another stack may have a store of the same name in the namespace.
        own_name = f"{re.sub('[^a-z0-9-]', '-', args.stack.lower())}-storage-{args.name}"
        # KServe recognises a secret for S3 by these names. For an anonymous store their values are empty.
        secret = k8s.core.v1.Secret(
            name,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=own_name, namespace=args.namespace, annotations=_annotations(args.storage)
            ),
            string_data={
                "AWS_ACCESS_KEY_ID": pulumi.Output.secret(keys.access_key_id.get_secret_value() if keys else ""),
                "AWS_SECRET_ACCESS_KEY": pulumi.Output.secret(
                    keys.secret_access_key.get_secret_value() if keys else ""
                ),
            },
            opts=inside,
        )
        account = k8s.core.v1.ServiceAccount(
            name,
            metadata=k8s.meta.v1.ObjectMetaArgs(name=own_name, namespace=args.namespace),
            secrets=[k8s.core.v1.ObjectReferenceArgs(name=secret.metadata.name)],
            opts=inside,
        )
        self.service_account = account.metadata.name
        self.register_outputs({"service_account": self.service_account})


def storage_credentials(
    settings: Settings, *, stack: str, opts: pulumi.ResourceOptions
) -> dict[tuple[str, str], StorageCredentials]:
    """Credentials for each store and each namespace whose models use it, by both names."""
    return {
        (store, namespace): StorageCredentials(
            f"{namespace}/{store}",
            args=StorageCredentialsArgs(stack=stack, name=store, storage=settings.storage[store], namespace=namespace),
            opts=opts,
        )
        for store, namespace in settings.used_stores
    }


def _annotations(storage: S3Storage) -> dict[str, str]:
    endpoint = urlsplit(storage.endpoint or "https://s3.amazonaws.com")
    return {
        f"{ANNOTATION}endpoint": endpoint.netloc,
        f"{ANNOTATION}usehttps": "1" if endpoint.scheme == "https" else "0",
        f"{ANNOTATION}region": storage.region,
        f"{ANNOTATION}verifyssl": "1" if storage.verify_ssl else "0",
        f"{ANNOTATION}usevirtualbucket": str(storage.virtual_bucket).lower(),
        f"{ANNOTATION}useanoncredential": str(storage.anonymous).lower(),
    }
