"""Keys of the stores that models are downloaded from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.objects import inside
from components.serving.store_objects import DOCKER_CONFIG, NO_S3_KEYS, StoreObjects, store_objects
from components.settings.stack import Settings
from components.settings.stores.certificates import CERTIFICATES_KEY, Certificates
from components.settings.stores.hdfs import HdfsStorage
from components.settings.stores.store import Store


@dataclass(frozen=True, kw_only=True)
class StorageCredentialsArgs:
    """A store, its name in the settings, and the namespace of the models that use it.

    Attributes:
        stack: name of the stack as it was when it was first deployed, because a renamed stack keeps its objects.

    """

    stack: str
    name: str
    storage: Store
    namespace: str

    @property
    def own_name(self) -> str:
        """Name of its objects. Another stack may have a store of the same name in the namespace."""
        return f"{re.sub('[^a-z0-9-]', '-', self.stack.lower())}-storage-{self.name}"


@dataclass(frozen=True, kw_only=True)
class StoreAccess:
    """What the models of a store have in their specs.

    Attributes:
        service_account: name of the service account with the keys.
        variables: of their storage initializers, as Kubernetes writes them.
        pull_secrets: names of Secrets that their images are pulled with.
        secrets: of the store, to be left out of what its clients say.

    """

    service_account: pulumi.Output[str]
    variables: tuple[Mapping[str, Any], ...] = ()
    pull_secrets: tuple[str, ...] = ()
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)


class StorageCredentials(pulumi.ComponentResource):
    """A service account whose pods can read a store when they download a model, and what else KServe needs for that.

    Attributes:
        access: what the models of the store have in their specs.

    """

    access: StoreAccess

    def __init__(self, name: str, *, args: StorageCredentialsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:storage:StorageCredentials", name, {}, opts)
        below = pulumi.ResourceOptions(parent=self)
        objects = store_objects(args.storage, config_map=_certificates(name, args=args, opts=below))
        secrets = _secrets(name, args=args, objects=objects, opts=below)
        account = k8s.core.v1.ServiceAccount(
            name,
            metadata=_metadata(args, annotations=objects.account_annotations),
            secrets=[k8s.core.v1.ObjectReferenceArgs(name=secret.metadata.name) for secret in secrets] or None,
            opts=below,
        )
        self.access = StoreAccess(
            service_account=account.metadata.name,
            variables=_variables(name, args=args, objects=objects, opts=below),
            pull_secrets=_pull_secret(name, args=args, objects=objects, opts=below),
            pod_labels=objects.pod_labels,
            pod_annotations=objects.pod_annotations,
            secrets=args.storage.secrets,
        )
        self.register_outputs({"service_account": account.metadata.name})


def storage_credentials(
    settings: Settings, *, stack: str, namespaces: Mapping[str, pulumi.Resource], opts: pulumi.ResourceOptions
) -> dict[tuple[str, str], StorageCredentials]:
    """Credentials for each store and each namespace whose models use it, by both names.

    `namespaces` are those that the stack declares.
    """
    return {
        (store, namespace): StorageCredentials(
            f"{namespace}/{store}",
            args=StorageCredentialsArgs(
                stack=stack,
                name=store,
                storage=settings.storage[store],
                namespace=namespace,
            ),
            opts=inside(namespace, namespaces, opts),
        )
        for store, namespace in settings.used_stores
    }


def _metadata(
    args: StorageCredentialsArgs, *, suffix: str = "", annotations: Mapping[str, str] | None = None
) -> k8s.meta.v1.ObjectMetaArgs:
    # An empty map of annotations would show as a difference in every preview.
    return k8s.meta.v1.ObjectMetaArgs(
        name=f"{args.own_name}{suffix}", namespace=args.namespace, annotations=annotations or None
    )


def _certificates(name: str, *, args: StorageCredentialsArgs, opts: pulumi.ResourceOptions) -> str | None:
    """Name of the ConfigMap with the store's certificates, which is made where they come from a file."""
    store = args.storage
    if not isinstance(store, Certificates) or isinstance(store, HdfsStorage):  # HDFS has them in its Secret
        return None
    text = store.certificates
    if text is None:
        return store.ca_config_map
    metadata = _metadata(args, suffix="-certificates")
    k8s.core.v1.ConfigMap(f"{name}/certificates", metadata=metadata, data={CERTIFICATES_KEY: text}, opts=opts)
    return f"{args.own_name}-certificates"


def _secrets(
    name: str, *, args: StorageCredentialsArgs, objects: StoreObjects, opts: pulumi.ResourceOptions
) -> list[k8s.core.v1.Secret]:
    """Secrets that the account lists, from which KServe makes variables or volumes of the initializer."""
    secrets = []
    if objects.secret is not None:
        metadata = _metadata(args, annotations=objects.secret_annotations)
        data = _kept_secret(objects.binary) or None
        secrets.append(
            k8s.core.v1.Secret(name, metadata=metadata, string_data=_kept_secret(objects.secret), data=data, opts=opts)
        )
    if objects.certificates_annotations:
        metadata = _metadata(args, suffix="-certificates", annotations=objects.certificates_annotations)
        secrets.append(k8s.core.v1.Secret(f"{name}/certificates", metadata=metadata, string_data=NO_S3_KEYS, opts=opts))
    return secrets


def _pull_secret(
    name: str, *, args: StorageCredentialsArgs, objects: StoreObjects, opts: pulumi.ResourceOptions
) -> tuple[str, ...]:
    """Name of the Secret that the kubelet pulls the store's images with; none for other kinds.

    The models name it, not their account: Kubernetes adds an account's to pods that name none only.
    """
    if objects.pull_secret is None:
        return ()
    data = _kept_secret({".dockerconfigjson": objects.pull_secret})
    metadata = _metadata(args, suffix="-pull")
    k8s.core.v1.Secret(f"{name}/pull", metadata=metadata, type=DOCKER_CONFIG, string_data=data, opts=opts)
    return (f"{args.own_name}-pull",)


def _variables(
    name: str, *, args: StorageCredentialsArgs, objects: StoreObjects, opts: pulumi.ResourceOptions
) -> tuple[Mapping[str, Any], ...]:
    """Variables that KServe makes from no Secret; the models' ClusterStorageContainers add them to their initializers.

    KServe may choose one of those for a model of the same location in another namespace, which does without the Secret.
    """
    plain = tuple({"name": key, "value": text} for key, text in objects.variables.items())
    if not objects.secret_variables:
        return plain
    metadata = _metadata(args, suffix="-variables")
    data = _kept_secret({_data_key(key): text for key, text in objects.secret_variables.items()})
    k8s.core.v1.Secret(f"{name}/variables", metadata=metadata, string_data=data, opts=opts)
    secret = {"name": f"{args.own_name}-variables", "optional": True}
    referred = tuple(
        {"name": key, "valueFrom": {"secretKeyRef": {**secret, "key": _data_key(key)}}}
        for key in objects.secret_variables
    )
    return plain + referred


def _data_key(variable: str) -> str:
    """Key of a Secret for a variable, which may have an IPv6 address in its name."""
    return re.sub(r"[^-._a-zA-Z0-9]", "-", variable)


def _kept_secret(texts: Mapping[str, str]) -> dict[str, pulumi.Output[str]]:
    return {key: pulumi.Output.secret(text) for key, text in texts.items()}
