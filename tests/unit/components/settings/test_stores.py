"""Stores of every kind: what they say, which locations they are for, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from components.settings.errors import SettingsError
from components.settings.secret_values import StoredSettings, secret_problems
from components.settings.stack import Settings, load, parse
from components.settings.stores.s3 import S3Storage
from components.settings.stores.store import Store
from components.settings.stores.union import CLASSES, KINDS, SECRETS, AnyStore
from tests.unit.components.conftest import ACCESS_KEY, PROFILE, SECRET_KEY
from tests.unit.components.settings.test_stack import set_config, valid_settings

GOOGLE_KEY = json.dumps({"type": "service_account", "private_key": "google-private"})
TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "66666666-7777-8888-9999-000000000000"
AZURE_URI = "https://acme.blob.core.windows.net/models/iris"
AZURE_FILES = "https://acme.file.core.windows.net/models/iris"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
# A store of each kind, and a location that it is for.
GOOD: dict[str, tuple[dict[str, Any], str]] = {
    "s3": ({"anonymous": True}, "s3://models/iris"),
    "gcs": ({"anonymous": True}, "gs://models/iris"),
    "azure": ({"storage_key": "a2V5"}, AZURE_URI),
    "https": ({"host": "models.example.com", "headers": {"X-Api-Key": "k"}}, "https://models.example.com/iris.joblib"),
    "huggingface": ({"token": "hf_token"}, "hf://acme/iris"),
    "hdfs": ({"namenode": "http://namenode:9870"}, "hdfs://models/iris"),
    "webhdfs": ({"namenode": "http://namenode:9870"}, "webhdfs://models/iris"),
    "pvc": ({"claim": "models"}, "pvc://models/iris"),
    "oci": (
        {"registry": "registry.example.com", "username": "reader", "password": "p"},
        "oci://registry.example.com/iris:1",
    ),
}


def settings_of(store: dict[str, Any], uri: str = "") -> dict[str, Any]:
    """Settings with one model of this store."""
    settings = valid_settings()
    kind = str(store.get("kind", "s3"))
    model = {"name": "iris", "format": "sklearn", "storage": "mine", "storage_uri": uri or GOOD[kind][1]}
    return {**settings, "graphs": [], "models": [model], "storage": {"mine": store}}


def refused(store: dict[str, Any], uri: str = "") -> str:
    with pytest.raises(SettingsError) as problem:
        parse(settings_of(store, uri))
    return "\n".join(problem.value.problems)


def test_all_that_is_secret_of_a_store_is_known_wherever_it_comes_from(tmp_path: Path) -> None:
    """What its clients may say of it is left out by these texts."""
    file = tmp_path / "key.json"
    file.write_text(GOOGLE_KEY)
    known = {
        "s3": secrets_of({"kind": "s3", "profile": PROFILE}),
        "gcs": secrets_of({"kind": "gcs", "key_file": str(file)}),
        "gcs in the settings": secrets_of({"kind": "gcs", "key": GOOGLE_KEY}),
        "azure": secrets_of({"kind": "azure", "sas_token": "?sv=2024&sig=ab%2Fcd"}),
        "https": secrets_of({"kind": "https", "host": "h", "username": "reader", "password": "pass-1"}),
    }
    assert known == {
        "s3": {ACCESS_KEY, SECRET_KEY},
        "gcs": {GOOGLE_KEY, "google-private"},
        "gcs in the settings": {GOOGLE_KEY, "google-private"},
        "azure": {"?sv=2024&sig=ab%2Fcd", "sv=2024&sig=ab%2Fcd", "ab/cd"},
        "https": {"pass-1", "cmVhZGVyOnBhc3MtMQ=="},
    }


def secrets_of(store: dict[str, Any]) -> set[str]:
    return {*TypeAdapter[Store](AnyStore).validate_python(store).secrets}


def test_every_kind_has_a_case() -> None:
    assert GOOD.keys() == KINDS.keys()
    assert set(KINDS.values()) == set(CLASSES)


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("scheme", GOOD)
def test_a_store_is_for_locations_of_its_kind_only(kind: str, scheme: str) -> None:
    store, uri = {"kind": kind, **GOOD[kind][0]}, GOOD[scheme][1]
    if kind == scheme:
        found = parse(settings_of(store, uri)).storage["mine"]
        assert found.kind == kind
        return
    problem = refused(store, uri)
    expected = f"models[0].storage: 'mine' is of kind {kind}, which does not work for '{uri}'; name a store of kind"
    assert problem == f"{expected} {scheme}"


def test_a_store_without_a_kind_is_an_s3_store() -> None:
    found = parse(settings_of({"anonymous": True})).storage["mine"]
    assert isinstance(found, S3Storage)
    assert found.kind == "s3"


WRONG_LOCATIONS = [
    ("https", GOOD["https"][0], "https://other.example.com/m.joblib", "is for the host 'models.example.com', not for"),
    ("https", GOOD["https"][0], "https://models.example.com/a/b.git/", "KServe sends a store's headers to no git"),
    ("azure", {"storage_key": "a2V5"}, f"{AZURE_URI}?sig=abc", "a query in storage_uri would be in plain text"),
    (
        "azure",
        {"managed_identity": True, "client_id": CLIENT},
        AZURE_FILES,
        "needs a storage_key or sas_token: KServe reads Azure Files with nothing else",
    ),
    ("pvc", {"claim": "models"}, "pvc://other/iris", "is the claim 'models', not 'other'; write pvc://models/<folder>"),
    ("oci", GOOD["oci"][0], "oci://acme/iris:1", "is for the registry 'registry.example.com', not for 'docker.io'"),
    ("oci", GOOD["oci"][0], "oci://localhost:5000/iris", "'registry.example.com', not for 'localhost:5000'"),
]


@pytest.mark.parametrize(("kind", "store", "uri", "problem"), WRONG_LOCATIONS)
def test_a_location_that_the_store_is_not_for(kind: str, store: dict[str, Any], uri: str, problem: str) -> None:
    said = refused({"kind": kind, **store}, uri)
    assert said.startswith("models[0].storage: 'mine' ")
    assert problem in said


@pytest.mark.parametrize(
    ("kind", "store", "uri"),
    [
        ("https", {"host": "models.example.com", "username": "u", "password": "p"}, "http://models.example.com:8080/m"),
        ("https", {"host": "::1", "headers": {"A": "b"}}, "https://[::1]:8443/m.joblib"),
        ("azure", {"sas_token": "?sv=1&sig=abc"}, AZURE_FILES),
        ("azure", {"storage_key": "a2V5"}, "https://acme.z1.blob.storage.azure.net/models/iris"),
        ("oci", {"username": "u", "password": "p"}, "oci://acme/iris:1"),
        ("huggingface", {"endpoint": "https://hub.example.com/hf"}, "hf://acme/iris:main"),
        ("gcs", {"anonymous": True, "endpoint": "http://emulator:4443"}, "gs://models/iris"),
        ("gcs", {"key": GOOGLE_KEY}, "gs://models/iris"),
        ("gcs", {"service_account": "reader@acme.iam.gserviceaccount.com"}, "gs://models/iris"),
        ("azure", {"client_secret": "s", "client_id": CLIENT, "tenant_id": TENANT}, AZURE_URI),
        ("azure", {"managed_identity": True, "client_id": CLIENT, "tenant_id": TENANT}, AZURE_URI),
        ("s3", {"role": "arn:aws-cn:iam::123456789012:role/team/models"}, "s3://models/iris"),
        ("hdfs", {"namenode": "https://a:9871;https://b:9871", "kerberos_principal": "p", "kerberos_keytab": "BQI="},
         "hdfs://models/iris"),
    ],
)  # fmt: skip
def test_locations_and_credentials_that_work(kind: str, store: dict[str, Any], uri: str) -> None:
    assert parse(settings_of({"kind": kind, **store}, uri)).storage["mine"].kind == kind


@pytest.mark.parametrize(
    "endpoint",
    ["https://store.example.com/storage/v1/s3", "http://[2001:db8::1]:9000", "https://[::1]", "http://minio:9000"],
)
def test_endpoints_of_s3(endpoint: str) -> None:
    found = parse(settings_of({"anonymous": True, "endpoint": f"{endpoint}/"})).storage["mine"]
    assert isinstance(found, S3Storage)
    assert found.url == endpoint


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("us-east-1", "https://s3.amazonaws.com"),
        ("eu-west-1", "https://s3.amazonaws.com"),
        ("cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "https://s3.us-gov-west-1.amazonaws.com"),
    ],
)
def test_partitions_of_amazon(region: str, url: str) -> None:
    found = parse(settings_of({"anonymous": True, "region": region})).storage["mine"]
    assert isinstance(found, S3Storage)
    assert found.url == url


ROLE = "arn:aws:iam::123456789012:role/a"
S3_FIELDS = ["storage.mine", "storage.mine.secret_access_key", "storage.mine.ca_config_map"]
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "ftp"}, "storage.mine.kind: must be one of 's3', 'gcs', 'azure', 'https', 'huggingface', 'hdfs', "),
    ({"kind": ["s3"]}, "storage.mine.kind: must be one of 's3'"),
    ({"kind": "gcs", "anonymous": True, "region": "r"}, "storage.mine.region: is a setting of kind s3; the settings"),
    ({"kind": "https", "host": "a", "token": "t"}, "storage.mine.token: is a setting of kind huggingface; "),
    ({"kind": "s3", "anonymous": True, "role": "arn:aws:iam::123456789012:role/a"}, "it has role and anonymous"),
    ({"kind": "s3", "role": "models"}, "storage.mine.role: 'models' is not a valid IAM role: write its ARN"),
    ({"kind": "s3", "anonymous": True, "endpoint": "https://a/?x=1"}, "is not an S3 endpoint"),
    ({"kind": "s3", "anonymous": True, "ca_file": "/nowhere.pem"}, "storage.mine.ca_file: cannot be read (No such"),
    (
        {"kind": "s3", "anonymous": True, "ca_config_map": "ca", "verify_ssl": False},
        "storage.mine.ca_config_map: has no effect with verify_ssl: false",
    ),
    ({"kind": "gcs"}, "storage.mine: needs exactly one of key, key_file, service_account, anonymous; it has none"),
    ({"kind": "gcs", "key": GOOGLE_KEY, "anonymous": True}, "it has key and anonymous"),
    ({"kind": "gcs", "key": "not-a-key"}, "storage.mine.key: is not a key of Google Cloud: JSON with a `type` of"),
    ({"kind": "gcs", "key": GOOGLE_KEY, "endpoint": "http://a"}, "storage.mine.endpoint: needs anonymous: true"),
    ({"kind": "gcs", "service_account": "reader"}, "write it as name@project.iam.gserviceaccount.com"),
    ({"kind": "gcs", "key_file": "/nowhere.json"}, "storage.mine.key_file: cannot be read (No such file"),
    ({"kind": "azure"}, "needs exactly one of client_secret, managed_identity, storage_key, sas_token; it has none"),
    ({"kind": "azure", "client_secret": "s"}, "storage.mine.client_id: is missing: client_secret needs it"),
    ({"kind": "azure", "managed_identity": True}, "storage.mine.client_id: is missing: managed_identity needs it"),
    ({"kind": "azure", "storage_key": "k", "client_id": CLIENT}, "storage.mine.client_id: has no effect with storage_"),
    ({"kind": "azure", "sas_token": "https://a"}, "storage.mine.sas_token: is not a SAS token, which has sig= in it"),
    ({"kind": "https", "headers": {"A": "b"}}, "storage.mine.host: is missing"),
    ({"kind": "https", "host": "https://a"}, "storage.mine.host: 'https://a' is not a valid host: write it in lower"),
    ({"kind": "https", "host": "a"}, "storage.mine: needs headers, username with password, ca_file or ca_config_map"),
    ({"kind": "https", "host": "a", "username": "u"}, "storage.mine.password: is missing: username needs it"),
    (
        {"kind": "https", "host": "a", "username": "u", "password": "p", "headers": {"authorization": "b"}},
        "storage.mine.headers: has Authorization, and so has username; keep one of them",
    ),
    ({"kind": "https", "host": "a", "headers": {"X-A": "b\nc"}}, "storage.mine.headers.X-A: has a line break in it"),
    ({"kind": "https", "host": "a", "headers": {"X A": "b"}}, "'X A' is not a valid header"),
    ({"kind": "huggingface"}, "storage.mine: needs a token or an endpoint"),
    ({"kind": "hdfs"}, "storage.mine.namenode: is missing"),
    (
        {"kind": "hdfs", "namenode": "http://a", "kerberos_principal": "p"},
        "storage.mine.kerberos_keytab: is missing: kerberos_principal needs it",
    ),
    (
        {"kind": "hdfs", "namenode": "http://a", "kerberos_principal": "p", "kerberos_keytab": "a keytab!"},
        "storage.mine.kerberos_keytab: is not base64",
    ),
    ({"kind": "hdfs", "namenode": "http://a", "ca_config_map": "c"}, "storage.mine.ca_config_map: does not work with"),
    ({"kind": "pvc"}, "storage.mine.claim: is missing"),
    ({"kind": "oci", "username": "u"}, "storage.mine.password: is missing"),
]


@pytest.mark.parametrize(("store", "problem"), WRONG)
def test_a_store_that_is_wrong(store: dict[str, Any], problem: str) -> None:
    said = refused(store, "s3://models/iris")
    assert problem in said
    for secret in ("not-a-key", "google-private", "a keytab!"):
        assert secret not in said


@pytest.mark.parametrize(
    ("store", "fields"),
    [
        ({"kind": "s3", "role": ROLE, "access_key_id": "a", "ca_config_map": "c", "verify_ssl": False}, S3_FIELDS),
        ({"kind": "gcs", "endpoint": "http://a"}, ["storage.mine", "storage.mine.endpoint"]),
        (
            {"kind": "https", "host": "a", "username": "u", "headers": {"Authorization": "b\nc"}},
            ["storage.mine.password", "storage.mine.headers", "storage.mine.headers.Authorization"],
        ),
        (
            {"kind": "hdfs", "namenode": "http://a", "kerberos_principal": "p", "tls_key": "k", "ca_config_map": "c"},
            ["storage.mine.kerberos_keytab", "storage.mine.tls_certificate", "storage.mine.ca_config_map"],
        ),
    ],
    ids=["s3", "gcs", "https", "hdfs"],
)
def test_all_problems_of_a_store_are_named_at_once(store: dict[str, Any], fields: list[str]) -> None:
    lines = refused(store).splitlines()
    assert [line.partition(": ")[0] for line in lines] == fields


def test_a_certificate_file_must_have_certificates(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    store = {"kind": "s3", "anonymous": True, "ca_file": str(file)}
    assert "storage.mine.ca_file: has no certificate in it; give a PEM file" in refused(store)
    file.write_text(PEM)
    assert parse(settings_of(store)).storage["mine"].kind == "s3"
    assert "exclude each other" in refused(store | {"ca_config_map": "ca"})


@pytest.mark.parametrize("kind", [kind for kind, (store, _) in GOOD.items() if store.keys() & set(SECRETS)])
def test_the_keys_of_every_kind_must_be_secrets(kind: str, project_folder: Path) -> None:
    store, uri = {"kind": kind, **GOOD[kind][0]}, GOOD[kind][1]
    set_config(settings_of(store, uri))
    (name,) = store.keys() & set(SECRETS)
    path = f"storage.mine.{name}" + (".X-Api-Key" if name == "headers" else "")
    with pytest.raises(SettingsError) as problem:
        load()
    assert problem.value.problems == (
        f"{path}: is in plain text; make it a secret: pulumi config set --secret --path {path}",
    )
    encrypted: dict[str, Any] = {"secure": "v1:encrypted"}
    stored = store | {name: {"X-Api-Key": encrypted} if name == "headers" else encrypted}
    file = yaml.safe_dump({"config": {"storage": {"mine": stored}}})
    (project_folder / "Pulumi.stack.yaml").write_text(file)
    set_config(settings_of(store, uri), secret=("storage",))
    assert isinstance(load(), Settings)


def test_every_key_of_a_store_may_be_a_secret() -> None:
    def store(value: object) -> dict[str, Any]:
        return {name: {"X-Api-Key": value, "X.Y": value} if name == "headers" else value for name in SECRETS}

    stored = StoredSettings(file=Path("stack.yaml"), settings={"storage": {"a": store({"secure": "v1:encrypted"})}})
    document = {"storage": {"a": store("decrypted")}}
    is_secret = {"storage": True, "registries": False}
    assert secret_problems(document, stored=stored, is_secret=is_secret) == []
    assert len(SECRETS) > 10
