"""Keys to the stores that models are fetched from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as k8s

from components.settings.stack import S3Storage

ANNOTATION = "serving.kserve.io/s3-"


@dataclass(frozen=True, kw_only=True)
class StorageCredentialsArgs:
    """A store by its name in the settings, and the namespace of the models that may open it."""

    name: str
    storage: S3Storage
    namespace: str


class StorageCredentials(pulumi.ComponentResource):
    """A service account whose pods get a store's keys when they fetch a model.

    Attributes:
        service_account: its name.

    """

    service_account: pulumi.Output[str]

    def __init__(self, name: str, *, args: StorageCredentialsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:storage:StorageCredentials", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        keys = args.storage.keys
        # Other stacks in the namespace may have a store of the same name.
        own_name = f"{re.sub('[^a-z0-9-]', '-', pulumi.get_stack().lower())}-storage-{args.name}"
        # KServe takes a secret for S3's by these names; an anonymous store has them without a value.
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
