"""What KServe's storage initializer needs to read a store: pure descriptions of Secrets, accounts and variables.

KServe 0.20 gives the initializer variables or a volume for each Secret of the pod's service account, and chooses which
by the keys of the Secret. What it cannot pass that way, or would write into the pod in plain text, as the headers of a
web server, comes from a ClusterStorageContainer, which adds variables to the initializer of the models that name it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch

from components.settings.stores.azure import AzureStorage
from components.settings.stores.gcs import GcsStorage
from components.settings.stores.hdfs import HdfsStorage
from components.settings.stores.https import HttpsStorage
from components.settings.stores.huggingface import HuggingFaceStorage
from components.settings.stores.oci import DOCKER_HUB, OciStorage
from components.settings.stores.pvc import PvcStorage
from components.settings.stores.s3 import S3Storage
from components.settings.stores.store import Store, plain

S3_ANNOTATION = "serving.kserve.io/s3-"
READ_ONLY_ANNOTATION = "storage.kserve.io/readonly"
AZURE_IDENTITY = "azure.workload.identity"
DOCKER_CONFIG = "kubernetes.io/dockerconfigjson"
# KServe recognises a Secret for S3 by these names. Without keys their values are empty.
NO_S3_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
# Docker Hub's entry in a pull secret.
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
# Google's libraries ask the node for its own credentials unless this says otherwise.
NOT_ON_GOOGLE = {"NO_GCE_CHECK": "true"}


@dataclass(frozen=True, kw_only=True)
class StoreObjects:
    """What a store needs in the namespace of its models.

    Attributes:
        secret: text of the Secret that the account lists, by key; None for no such Secret.
        binary: more of it, in base64.
        pull_secret: text of the Secret that images are pulled with.
        variables: of the storage initializer.
        certificates_annotations: annotations of one more Secret that the account lists, for the certificates.
        secret_variables: of the storage initializer, from a Secret that only it refers to.
        pod_labels: labels of the models' pods.
        pod_annotations: annotations of the models' pods.

    """

    secret: Mapping[str, str] | None = None
    binary: Mapping[str, str] = field(default_factory=dict)
    secret_annotations: Mapping[str, str] = field(default_factory=dict)
    account_annotations: Mapping[str, str] = field(default_factory=dict)
    certificates_annotations: Mapping[str, str] = field(default_factory=dict)
    pull_secret: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    secret_variables: Mapping[str, str] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_variables(self) -> bool:
        """Whether the store needs a ClusterStorageContainer for each of its models."""
        return bool(self.variables or self.secret_variables)


def store_objects(store: Store, *, config_map: str | None) -> StoreObjects:
    """Describe what a store needs, whose server has its certificate from an authority in this ConfigMap, if any."""
    objects = _of_kind(store)
    if config_map is None:
        return objects
    # By this annotation of a Secret with S3 keys KServe mounts certificates, and the initializer uses them for S3 and
    # for every web server. It is KServe's only way to give one model's initializer certificates of its own.
    mounted = {f"{S3_ANNOTATION}cabundle-configmap": config_map}
    if not isinstance(store, S3Storage):
        return replace(objects, certificates_annotations=mounted)
    if store.role:
        return replace(objects, account_annotations={**objects.account_annotations, **mounted})
    return replace(objects, secret_annotations={**objects.secret_annotations, **mounted})


def needs_variables(store: Store) -> bool:
    """Whether a store needs a ClusterStorageContainer for each of its models."""
    return _of_kind(store).has_variables


@singledispatch
def _of_kind(store: Store) -> StoreObjects:
    raise TypeError(f"no objects are known for a store of kind {store.kind}")


@_of_kind.register
def _s3(store: S3Storage) -> StoreObjects:
    scheme, _, location = store.url.partition("://")
    annotations = {
        f"{S3_ANNOTATION}endpoint": location,
        f"{S3_ANNOTATION}usehttps": "1" if scheme == "https" else "0",
        f"{S3_ANNOTATION}region": store.region,
        f"{S3_ANNOTATION}verifyssl": "1" if store.verify_ssl else "0",
        f"{S3_ANNOTATION}usevirtualbucket": str(store.virtual_bucket).lower(),
        f"{S3_ANNOTATION}useanoncredential": str(store.anonymous).lower(),
    }
    if store.role:
        # KServe reads a service account's annotations only where it has a role. A Secret would set empty keys.
        return StoreObjects(account_annotations={"eks.amazonaws.com/role-arn": store.role, **annotations})
    keys = store.keys
    given = {
        "AWS_ACCESS_KEY_ID": plain(keys.access_key_id if keys else None),
        "AWS_SECRET_ACCESS_KEY": plain(keys.secret_access_key if keys else None),
    }
    return StoreObjects(secret=given, secret_annotations=annotations)


@_of_kind.register
def _gcs(store: GcsStorage) -> StoreObjects:
    if store.anonymous:
        emulator = {"STORAGE_EMULATOR_HOST": store.endpoint} if store.endpoint else {}
        return StoreObjects(variables=NOT_ON_GOOGLE | emulator)
    if store.service_account:
        return StoreObjects(account_annotations={"iam.gke.io/gcp-service-account": store.service_account})
    return StoreObjects(secret={"gcloud-application-credentials.json": store.key_text or ""})


@_of_kind.register
def _azure(store: AzureStorage) -> StoreObjects:
    if text := plain(store.storage_key) or plain(store.sas_token).lstrip("?"):
        # Azure's client takes a SAS token in the place of a key.
        return StoreObjects(secret={"AZURE_STORAGE_ACCESS_KEY": text})
    # KServe refers to the tenant's key even where the Secret has none, and then the pod does not start.
    identity = {"AZURE_CLIENT_ID": store.client_id or "", "AZURE_TENANT_ID": store.tenant_id or ""}
    if store.client_secret:
        return StoreObjects(secret=identity | {"AZURE_CLIENT_SECRET": plain(store.client_secret)})
    if not store.tenant_id:
        return StoreObjects(secret=identity)
    federated = {"client-id": store.client_id or "", "tenant-id": store.tenant_id}
    return StoreObjects(
        secret=identity,
        account_annotations={f"{AZURE_IDENTITY}/{name}": value for name, value in federated.items()},
        pod_labels={f"{AZURE_IDENTITY}/use": "true"},
    )


@_of_kind.register
def _https(store: HttpsStorage) -> StoreObjects:
    headers = {name: plain(value) for name, value in store.headers.items()}
    if store.username:
        headers["Authorization"] = f"Basic {store.basic_credentials}"
    # A Secret of the account with `https-host` would put the headers into the pod in plain text.
    return StoreObjects(secret_variables={f"{store.host}-headers": json.dumps(headers)} if headers else {})


@_of_kind.register
def _hdfs(store: HdfsStorage) -> StoreObjects:
    texts = {
        "HDFS_NAMENODE": store.namenode,
        "HDFS_ROOTPATH": store.root_path,
        "USER_PROXY": store.user_proxy,
        "KERBEROS_PRINCIPAL": store.kerberos_principal,
        "TLS_CERT": store.tls_certificate,
        "TLS_KEY": plain(store.tls_key),
        "TLS_CA": store.certificates,
        "TLS_SKIP_VERIFY": None if store.verify_ssl else "true",
    }
    keytab = "".join(plain(store.kerberos_keytab).split())
    return StoreObjects(
        secret={name: text for name, text in texts.items() if text},
        binary={"KERBEROS_KEYTAB": keytab} if keytab else {},
    )


@_of_kind.register
def _huggingface(store: HuggingFaceStorage) -> StoreObjects:
    return StoreObjects(
        secret={"HF_TOKEN": plain(store.token)} if store.token else None,
        variables={"HF_ENDPOINT": store.endpoint} if store.endpoint else {},
    )


@_of_kind.register
def _pvc(store: PvcStorage) -> StoreObjects:
    return StoreObjects(pod_annotations={} if store.read_only else {READ_ONLY_ANNOTATION: "false"})


@_of_kind.register
def _oci(store: OciStorage) -> StoreObjects:
    return StoreObjects(pull_secret=_docker_config(store))


def _docker_config(store: OciStorage) -> str:
    password = plain(store.password)
    both = base64.b64encode(f"{store.username}:{password}".encode()).decode()
    registry = _DOCKER_HUB_KEY if store.registry == DOCKER_HUB else store.registry
    return json.dumps({"auths": {registry: {"username": store.username, "password": password, "auth": both}}})
