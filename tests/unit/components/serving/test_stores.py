"""Stores of every kind as KServe's storage initializer gets them: exactly which variables, files and accounts."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from components.serving.storage_container import StorageContainer
from components.serving.storage_credentials import StorageCredentials, StorageCredentialsArgs, StoreAccess
from components.settings.model import Model, ValidationContext
from components.settings.stores.store import Store
from components.settings.stores.union import AnyStore
from releases.local import LOCAL
from tests.kserve_credentials import CERTIFICATES, Initializer, initializer_of
from tests.store_table import StoreEvidence
from tests.unit.components.recording import Recording, record, without_secrets
from tests.unit.components.settings.test_stores import CLIENT, GOOGLE_KEY, PEM, TENANT

OWN_NAME = "dev-storage-mine"


def declared(store: dict[str, Any]) -> tuple[Recording, StoreAccess]:
    adapter: TypeAdapter[Store] = TypeAdapter(AnyStore)
    args = StorageCredentialsArgs(
        stack="dev",
        name="mine",
        storage=adapter.validate_python(store),
        namespace="models",
    )
    made: list[StorageCredentials] = []
    recording = record(lambda: made.append(StorageCredentials("models/mine", args=args)))
    return recording, made[0].access


def initializer(store: dict[str, Any], **existing: Any) -> Initializer:
    recording, access = declared(store)
    return initializer_of(recording, variables=access.variables, **existing)


def objects(recording: Recording) -> dict[str, str]:
    """Name of each object by its kind."""
    found = [r for r in recording.resources.values() if r.type.startswith("kubernetes:")]
    return {r.type.rpartition(":")[2]: r.plain["metadata"]["name"] for r in found}


def account(store: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = declared(store)[0].the(":ServiceAccount", "models/mine").plain
    return found


HTTPS = {"kind": "https", "host": "models.example.com"}


def test_headers_reach_the_initializer_by_reference_only() -> None:
    """KServe's own way, a Secret with https-host, would write them into the pod."""
    store = HTTPS | {"headers": {"X-Api-Key": "key-text", "X-Team": "ml"}}
    found = initializer(store)
    assert found.plain == {}
    headers = json.loads(found.referred["models.example.com-headers"])
    assert headers == {"X-Api-Key": "key-text", "X-Team": "ml"}
    recording, access = declared(store)
    assert objects(recording) == {"ServiceAccount": OWN_NAME, "Secret": f"{OWN_NAME}-variables"}
    assert "secrets" not in account(store)
    name = "models.example.com-headers"
    reference = {"name": f"{OWN_NAME}-variables", "key": name, "optional": True}
    assert access.variables == ({"name": name, "valueFrom": {"secretKeyRef": reference}},)


def test_a_models_container_has_the_variables_of_its_store() -> None:
    variables = declared({"kind": "huggingface", "endpoint": "http://hub"})[1].variables
    around = ValidationContext(release=LOCAL, storage=None, mode="Knative")
    document = {"name": "iris", "format": "sklearn", "storage_uri": "hf://acme/iris", "storage": "mine"}
    model = Model.model_validate(document, context=around)
    assert StorageContainer.of(model, namespace="models", default=None) is None
    made = StorageContainer.of(model, namespace="models", default=None, variables=variables)
    assert made
    assert made.spec["container"]["env"] == [{"name": "HF_ENDPOINT", "value": "http://hub"}]
    assert made.spec["container"]["resources"]["limits"]
    assert made.spec["supportedUriFormats"] == [{"regex": "^hf://acme/iris$"}]


def test_a_password_is_sent_as_basic_authentication() -> None:
    found = initializer(HTTPS | {"username": "reader", "password": "pass:wörd"})
    sent = json.loads(found.referred["models.example.com-headers"])["Authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == "reader:pass:wörd"


def test_headers_for_an_ipv6_address() -> None:
    recording, access = declared(HTTPS | {"host": "::1", "headers": {"A": "b"}})
    (key,) = recording.the(":Secret", "models/mine/variables").plain["stringData"]
    assert key == "--1-headers"
    assert initializer_of(recording, variables=access.variables).referred == {"::1-headers": '{"A": "b"}'}


def test_google_by_key_file(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(GOOGLE_KEY)
    path = "/var/secrets/gcloud-application-credentials.json"
    for store in ({"key": GOOGLE_KEY}, {"key_file": str(file)}):
        found = initializer({"kind": "gcs", **store})
        assert found.plain == {"GOOGLE_APPLICATION_CREDENTIALS": path}
        assert found.files == {path: GOOGLE_KEY.encode()}
        assert declared({"kind": "gcs", **store})[1].variables == ()


def test_google_by_workload_identity(store_evidence: StoreEvidence) -> None:
    identity = "reader@acme.iam.gserviceaccount.com"
    store = {"kind": "gcs", "service_account": identity}
    assert account(store)["metadata"]["annotations"] == {"iam.gke.io/gcp-service-account": identity}
    assert initializer(store) == Initializer()
    store_evidence.declared(kind="gcs", credential="service account (workload identity)")


def test_google_without_a_key() -> None:
    assert initializer({"kind": "gcs", "anonymous": True}).plain == {"NO_GCE_CHECK": "true"}
    found = initializer({"kind": "gcs", "anonymous": True, "endpoint": "http://emulator:4443"})
    assert found.plain == {"NO_GCE_CHECK": "true", "STORAGE_EMULATOR_HOST": "http://emulator:4443"}


def test_azure_by_service_principal(store_evidence: StoreEvidence) -> None:
    store = {"kind": "azure", "client_secret": "principal", "client_id": CLIENT, "tenant_id": TENANT}
    expected = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": "principal"}
    assert initializer(store).referred == expected
    store_evidence.declared(kind="azure", credential="service principal")


@pytest.mark.parametrize("key", [{"storage_key": "a2V5"}, {"sas_token": "?a2V5&sig=1"}])
def test_azure_by_key_or_sas_token(key: dict[str, str], store_evidence: StoreEvidence) -> None:
    ((name, text),) = key.items()
    assert initializer({"kind": "azure", **key}).referred == {"AZURE_STORAGE_ACCESS_KEY": text.lstrip("?")}
    store_evidence.declared(kind="azure", credential={"storage_key": "storage key", "sas_token": "SAS token"}[name])


def test_azure_by_identity(store_evidence: StoreEvidence) -> None:
    of_node = {"kind": "azure", "managed_identity": True, "client_id": CLIENT}
    assert initializer(of_node).referred == {"AZURE_CLIENT_ID": CLIENT, "AZURE_TENANT_ID": ""}
    assert declared(of_node)[1].pod_labels == {}
    of_pod = of_node | {"tenant_id": TENANT}
    assert account(of_pod)["metadata"]["annotations"] == {
        "azure.workload.identity/client-id": CLIENT,
        "azure.workload.identity/tenant-id": TENANT,
    }
    assert declared(of_pod)[1].pod_labels == {"azure.workload.identity/use": "true"}
    store_evidence.declared(kind="azure", credential="managed identity")


def test_hugging_face() -> None:
    found = initializer({"kind": "huggingface", "token": "hf_x"})
    assert (found.plain, found.referred) == ({}, {"HF_TOKEN": "hf_x"})
    found = initializer({"kind": "huggingface", "token": "hf_x", "endpoint": "http://hub"})
    assert (found.plain, found.referred) == ({"HF_ENDPOINT": "http://hub"}, {"HF_TOKEN": "hf_x"})


def test_s3_by_role(store_evidence: StoreEvidence) -> None:
    role = "arn:aws-us-gov:iam::123456789012:role/models"
    store = {"kind": "s3", "role": role, "region": "us-gov-west-1"}
    assert account(store)["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == role
    found = initializer(store)
    assert found.referred == {}
    assert found.plain["AWS_ENDPOINT_URL"] == "https://s3.us-gov-west-1.amazonaws.com"
    assert found.plain["AWS_DEFAULT_REGION"] == "us-gov-west-1"
    assert "Secret" not in objects(declared(store)[0])
    store_evidence.declared(kind="s3", credential="IAM role")


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [("https://h:1/storage/v1/s3", None), ("http://[2001:db8::1]:9000", None), ("https://h/", "https://h")],
)
def test_endpoints_of_s3(endpoint: str, url: str | None) -> None:
    found = initializer({"kind": "s3", "anonymous": True, "endpoint": endpoint})
    assert found.plain["AWS_ENDPOINT_URL"] == (url or endpoint)


WITH_CERTIFICATES = [
    {"kind": "s3", "anonymous": True},
    {"kind": "s3", "role": "arn:aws:iam::123456789012:role/models"},
    HTTPS,
    HTTPS | {"headers": {"A": "b"}},
    {"kind": "huggingface", "token": "hf_x", "endpoint": "https://hub"},
]


@pytest.mark.parametrize("store", WITH_CERTIFICATES)
def test_certificates_of_a_private_authority(store: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(PEM)
    of_file = initializer(store | {"ca_file": str(tmp_path / "ca.pem")})
    of_config_map = initializer(store | {"ca_config_map": "theirs"}, config_maps={"theirs": PEM})
    for found in (of_file, of_config_map):
        assert found.files == {f"{CERTIFICATES}/cabundle.crt": PEM.encode()}
        assert found.plain["CA_BUNDLE_VOLUME_MOUNT_POINT"] == CERTIFICATES


def test_hdfs(tmp_path: Path, store_evidence: StoreEvidence) -> None:
    (tmp_path / "ca.pem").write_text(PEM)
    keytab = base64.b64encode(b"\x05\x02keytab").decode()
    found = initializer(
        {
            "kind": "hdfs",
            "namenode": "https://a:9871;https://b:9871",
            "root_path": "/models",
            "kerberos_principal": "reader@EXAMPLE.COM",
            "kerberos_keytab": f"{keytab[:4]}\n{keytab[4:]}",
            "tls_certificate": "cert",
            "tls_key": "key",
            "ca_file": str(tmp_path / "ca.pem"),
            "verify_ssl": False,
        }
    )
    folder = "/var/secrets/kserve-hdfscreds"
    assert found.files == {
        f"{folder}/HDFS_NAMENODE": b"https://a:9871;https://b:9871",
        f"{folder}/HDFS_ROOTPATH": b"/models",
        f"{folder}/KERBEROS_PRINCIPAL": b"reader@EXAMPLE.COM",
        f"{folder}/KERBEROS_KEYTAB": b"\x05\x02keytab",
        f"{folder}/TLS_CERT": b"cert",
        f"{folder}/TLS_KEY": b"key",
        f"{folder}/TLS_CA": PEM.encode(),
        f"{folder}/TLS_SKIP_VERIFY": b"true",
    }
    store_evidence.declared(kind="hdfs", credential="Kerberos, client certificate")


def test_a_claim_needs_no_keys() -> None:
    recording, access = declared({"kind": "pvc", "claim": "models"})
    assert objects(recording) == {"ServiceAccount": OWN_NAME}
    assert access.pod_annotations == {}
    _, access = declared({"kind": "pvc", "claim": "models", "read_only": False})
    assert access.pod_annotations == {"storage.kserve.io/readonly": "false"}


@pytest.mark.parametrize(
    ("registry", "entry"),
    [({}, "https://index.docker.io/v1/"), ({"registry": "registry.example.com:5000"}, "registry.example.com:5000")],
)
def test_images_are_pulled_with_the_password(
    registry: dict[str, str], entry: str, store_evidence: StoreEvidence
) -> None:
    store = {"kind": "oci", "username": "reader", "password": "registry-pass", **registry}
    recording, access = declared(store)
    secret = recording.the(":Secret", "models/mine/pull").plain
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    auths = json.loads(secret["stringData"][".dockerconfigjson"])["auths"]
    assert base64.b64decode(auths[entry]["auth"]).decode() == "reader:registry-pass"
    assert access.pull_secrets == (f"{OWN_NAME}-pull",)
    store_evidence.declared(kind="oci", credential="password")


SECRETS = [
    (HTTPS | {"headers": {"X-Api-Key": "secret-text"}}, "secret-text"),
    (HTTPS | {"username": "u", "password": "secret-text"}, base64.b64encode(b"u:secret-text").decode()),
    ({"kind": "gcs", "key": GOOGLE_KEY}, "google-private"),
    ({"kind": "azure", "storage_key": "secret-text"}, "secret-text"),
    ({"kind": "azure", "sas_token": "sv=1&sig=secret-text"}, "secret-text"),
    ({"kind": "azure", "client_secret": "secret-text", "client_id": CLIENT, "tenant_id": TENANT}, "secret-text"),
    ({"kind": "huggingface", "token": "secret-text", "endpoint": "https://hub"}, "secret-text"),
    ({"kind": "hdfs", "namenode": "http://a", "tls_certificate": "c", "tls_key": "secret-text"}, "secret-text"),
    ({"kind": "hdfs", "namenode": "http://a", "kerberos_principal": "p", "kerberos_keytab": "c2VjcmV0"}, "c2VjcmV0"),
    ({"kind": "oci", "username": "u", "password": "secret-text"}, "secret-text"),
]


@pytest.mark.parametrize(("store", "text"), SECRETS)
def test_no_key_is_in_plain_text_in_the_state(store: dict[str, Any], text: str) -> None:
    recording, access = declared(store)
    in_the_open = json.dumps([without_secrets(r.inputs) for r in recording.resources.values()])
    assert text not in in_the_open
    assert text in json.dumps([r.plain for r in recording.resources.values()])
    assert text not in f"{access.variables} {access.pod_labels} {access.pod_annotations}"
