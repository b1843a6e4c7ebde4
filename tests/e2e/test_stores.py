"""Models from stores of other kinds than the demo's, each read from a server that asks for the credential.

The servers run on this machine, which the pods reach at the host's end of the cluster's network.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
from lightkube import Client
from lightkube.models.core_v1 import (
    HostPathVolumeSource,
    ObjectReference,
    PersistentVolumeClaimSpec,
    PersistentVolumeSpec,
    VolumeResourceRequirements,
)
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace, PersistentVolume, PersistentVolumeClaim

from cluster.artifacts import Cache
from cluster.catalog import VERSITYGW_PART, Catalog
from cluster.locations import cache_dir
from tests.e2e.asking import INSTANCES
from tests.e2e.cluster_objects import kubectl
from tests.e2e.machine import GATEWAY, NETWORK, NODE, Deployment
from tests.e2e.model_images import REGISTRY, REPOSITORY, registry_of_images
from tests.e2e.models_on_platform import stack_of_models
from tests.google_emulator import google_emulator
from tests.store_servers import Hub, Web, basic, serving
from tests.store_table import Case, StoreEvidence
from tests.unit.components.registry import Registry

NAMESPACE, CLAIM = "stores", "files"
HOST = NETWORK.host
FILE = "/iris/model.joblib"
HEADER, PASSWORD, TOKEN, IMAGE_PASSWORD = "header-7f3a", "password-7f3a", "hf_7f3a", "images-7f3a"
WRONG, RENEWED = "wrong-7f3a", "renewed-7f3a"
KEYS = {"access_key_id": "tls-reader", "secret_access_key": "tls-secret"}


@dataclass(frozen=True, kw_only=True)
class Servers:
    """URLs of the servers, and the file with the certificates of their authority."""

    header: str
    password: str
    hub: str
    google: str
    s3: str
    images: Registry
    authority: str


@pytest.fixture(scope="module")
def model_file(deployment: Deployment) -> bytes:
    """The demo's model for scikit-learn, from the cluster's own store."""
    file = deployment.environment.get("AWS_SHARED_CREDENTIALS_FILE")
    os_file = file or os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    assert os_file, "python -m cluster env names the credentials file"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os_file)
        session = boto3.Session(profile_name="kserve-multi-model", region_name="us-east-1")
        client = session.client("s3", endpoint_url=f"http://{NODE}:9000")
        return client.get_object(Bucket="models", Key="sklearn/model.joblib")["Body"].read()


@pytest.fixture(scope="module")
def servers(model_file: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder, authority = tmp_path_factory.mktemp("servers"), trustme.CA()
    (folder / "ca.pem").write_bytes(authority.cert_pem.bytes())
    files = {FILE: model_file}
    hub = Hub(model="acme/iris", files={"model.joblib": model_file}, token=TOKEN)
    (folder / "iris").mkdir()
    (folder / "iris" / "model.joblib").write_bytes(model_file)
    tags, login = ("right", "wrong", "missing", "expired"), ("reader", IMAGE_PASSWORD)
    with ExitStack() as stack:
        yield Servers(
            header=stack.enter_context(
                serving(Web(files=files, needed=("x-api-key", HEADER)), address=HOST, authority=authority)
            ),
            password=stack.enter_context(
                serving(Web(files=files, needed=("authorization", basic("reader", PASSWORD))), address=HOST)
            ),
            hub=stack.enter_context(serving(hub, address=HOST, authority=authority)),
            google=stack.enter_context(google_emulator("models", {"iris/model.joblib": model_file}, address=HOST)),
            images=stack.enter_context(registry_of_images(folder / "iris", tags=tags, login=login, folder=folder)),
            s3=stack.enter_context(s3_with_tls(model_file, folder=folder, authority=authority)),
            authority=str(folder / "ca.pem"),
        )


@contextmanager
def s3_with_tls(model_file: bytes, *, folder: Path, authority: trustme.CA) -> Iterator[str]:
    """The local cluster's S3 server once more, with TLS."""
    certificate = authority.issue_cert(HOST)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    place = folder / "buckets" / "models" / "iris"
    place.mkdir(parents=True)
    (place / "model.joblib").write_bytes(model_file)
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    program = Catalog(Cache(cache_dir() / "entries")).part(VERSITYGW_PART) / "versitygw"
    keys = ("--access", KEYS["access_key_id"], "--secret", KEYS["secret_access_key"])
    tls = ("--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem"))
    with (folder / "versitygw.log").open("w") as log:
        process = subprocess.Popen(
            [program, "--port", f"{HOST}:{port}", *keys, *tls, "posix", str(folder / "buckets")], stdout=log, stderr=log
        )
    try:
        _wait_for(port)
        yield f"https://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(port: int) -> None:
    for _ in range(100):
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError("versitygw does not listen")


def stores(servers: Servers, *, suffix: str = "") -> dict[str, dict[str, Any]]:
    """A store at each server, still without its secrets."""
    kinds: dict[str, dict[str, Any]] = {
        "header": {"kind": "https", "host": HOST, "ca_file": servers.authority},
        "password": {"kind": "https", "host": HOST, "username": "reader"},
        "hub": {"kind": "huggingface", "endpoint": servers.hub, "ca_file": servers.authority},
        "tls": {"kind": "s3", "endpoint": servers.s3, "ca_file": servers.authority},
        "images": {"kind": "oci", "registry": REGISTRY, "username": "reader"},
    }
    return {f"{name}{suffix}": store for name, store in kinds.items()}


SECRETS = {
    "header": {"headers.X-Api-Key": HEADER},
    "password": {"password": PASSWORD},
    "hub": {"token": TOKEN},
    "tls": KEYS,
    "images": {"password": IMAGE_PASSWORD},
}
# A name that goes with a wrong secret. versitygw says of an unknown one that there is no such bucket.
RIGHT_NAMES = ("access_key_id",)


# What the table of stores says of each store: kind, credential, and which server enforces it.
OF_TABLE = {
    "header": ("https", "header", "a web server of the tests"),
    "password": ("https", "password", "a web server of the tests"),
    "hub": ("huggingface", "token", "a hub of the tests"),
    "tls": ("s3", "keys", "versitygw with TLS of a private authority"),
    "images": ("oci", "password", "a registry of the tests"),
    "emulator": ("gcs", "anonymous", "nobody: gcp-storage-emulator asks for no credentials"),
    "claim": ("pvc", "none", "nobody: the pod mounts it"),
}


def saw(evidence: StoreEvidence, case: Case, words: str, *, store: str) -> None:
    kind, credential, server = OF_TABLE[store]
    evidence.saw(case, words, kind=kind, credential=credential, server=server, where="pod")


def locations(servers: Servers) -> dict[str, str]:
    return {
        "header": f"{servers.header}{FILE}",
        "password": f"{servers.password}{FILE}",
        "hub": "hf://acme/iris",
        "tls": "s3://models/iris",
        "images": image("right"),
        "emulator": "gs://models/iris",
        "claim": f"pvc://{CLAIM}/models/sklearn",
    }


def image(tag: str) -> str:
    return f"oci://{REGISTRY}/{REPOSITORY}:{tag}"


def model(name: str, uri: str, *, store: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "format": "sklearn",
        "storage_uri": uri,
        "storage": store,
        "check": {"instances": INSTANCES, "predictions": [1, 0]},
        **more,
    }


@pytest.fixture(scope="module")
def stack(servers: Servers, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A stack of models with every store, and a claim on the files of the cluster's own store; no models yet."""
    known = {
        **stores(servers),
        **stores(servers, suffix="-wrong"),
        "emulator": {"kind": "gcs", "anonymous": True, "endpoint": servers.google},
        "claim": {"kind": "pvc", "claim": CLAIM},
    }
    directory = tmp_path_factory.mktemp("stack")
    made = stack_of_models(NAMESPACE, directory=directory, deployment=deployment, storage=known)
    for name, secrets in SECRETS.items():
        wrong = {field: text if field in RIGHT_NAMES else WRONG for field, text in secrets.items()}
        set_secrets(made, name, secrets)
        set_secrets(made, f"{name}-wrong", wrong)
    client = deployment.client()
    make_claim(client)
    try:
        yield made
    finally:
        made.configure(models=[])
        made.destroy()
        made.remove()
        client.delete(PersistentVolumeClaim, CLAIM, namespace=NAMESPACE)
        client.delete(Namespace, NAMESPACE)
        client.delete(PersistentVolume, CLAIM)


def set_secrets(stack: Deployment, store: str, secrets: Mapping[str, str]) -> None:
    for field, text in secrets.items():
        path = f"kserve-multi-model:storage.{store}.{field}"
        said = stack.pulumi("config", "set", "--secret", "--path", path, text)
        assert said.status == 0, said.text


def make_claim(client: Client) -> None:
    """A claim on the folder in which the node's S3 server has its buckets."""
    client.create(Namespace(metadata=ObjectMeta(name=NAMESPACE)))
    size = {"storage": "1Gi"}
    client.create(
        PersistentVolume(
            metadata=ObjectMeta(name=CLAIM),
            spec=PersistentVolumeSpec(
                capacity=size,
                accessModes=["ReadOnlyMany"],
                hostPath=HostPathVolumeSource(path="/srv/s3/data"),
                storageClassName="",
                claimRef=ObjectReference(name=CLAIM, namespace=NAMESPACE),
            ),
        )
    )
    client.create(
        PersistentVolumeClaim(
            metadata=ObjectMeta(name=CLAIM, namespace=NAMESPACE),
            spec=PersistentVolumeClaimSpec(
                accessModes=["ReadOnlyMany"],
                storageClassName="",
                volumeName=CLAIM,
                resources=VolumeResourceRequirements(requests=size),
            ),
        )
    )


@pytest.mark.feature("models from HTTPS, with a header, a password or a private CA", mode="both")
@pytest.mark.feature("models from Hugging Face, with a token and an endpoint")
@pytest.mark.feature("models from S3 with TLS under a private CA")
@pytest.mark.feature("models from Google Cloud Storage, at an emulator without keys")
@pytest.mark.feature("models in images (modelcars), from a registry with a password")
@pytest.mark.feature("models from a folder of a PersistentVolumeClaim", mode="Standard")
def test_models_from_every_store_answer_by_value(
    stack: Deployment, servers: Servers, store_evidence: StoreEvidence
) -> None:
    modes = {"password": "Standard", "claim": "Standard"}
    wanted = [model(name, uri, store=name, mode=modes.get(name, "Knative")) for name, uri in locations(servers).items()]
    stack.configure(models=wanted)
    stack.up()
    done = stack.predict("--stack", stack.stack, "--json")
    assert done.status == 0, done.text
    for answered in json.loads(done.stdout)["models"]:
        saw(store_evidence, "right", str(answered["got"]), store=answered["endpoint"]["name"])
    stated, state = stack.stack_file.read_text(), stack.pulumi("stack", "export").stdout
    pods = json.dumps(kubectl(stack, "get", "pods,inferenceservices", "-n", NAMESPACE))
    of_basic = [basic("reader", password).split()[1] for password in (PASSWORD, IMAGE_PASSWORD)]
    for secret in (HEADER, PASSWORD, TOKEN, KEYS["secret_access_key"], IMAGE_PASSWORD, *of_basic):
        assert all(secret not in text for text in (stated, state, pods))


@pytest.mark.feature("refused credentials of every store name the store and the setting")
def test_refused_credentials_are_named(stack: Deployment, servers: Servers, store_evidence: StoreEvidence) -> None:
    """By the update at once, and by the doctor and the check while the pods are there and after they are gone."""
    servers.images.login = ("reader", RENEWED)
    places = places_with_keys(servers)
    refused = models_with_wrong_keys(places)
    expired = model("images-expired", image("expired"), store="images", timeout=90)
    # KServe gives the headers of one model to others of the very same location, so this one has another.
    missing = {"password-missing": f"{servers.password}/iris/other.joblib", "images-missing": image("missing")}
    keyless = [model(name, uri, store="", timeout=90) for name, uri in missing.items()]
    for declared in keyless:
        del declared["storage"]
    stack.configure(models=[*refused, expired, *keyless])
    expected = {(f"{name}-refused", "storage-keys-refused") for name in places}
    expected |= {("images-expired", "storage-keys-refused")} | {(name, "storage-keys-missing") for name in missing}
    seen: dict[tuple[str, str], str] = {}
    with ThreadPoolExecutor(1) as pool:
        # Without the option, Pulumi stops at the first model that fails.
        up = pool.submit(stack.pulumi, "up", "--yes", "--skip-preview", "--continue-on-error")
        while not seen.keys() >= expected and not up.done():
            seen |= found_by_doctor(stack)
            time.sleep(2)
        updated = up.result()
    assert updated.status != 0
    assert seen.keys() >= expected, seen
    for name, _ in expected:
        assert f"model {name}: its files cannot be fetched yet: " in updated.text
    for name, uri in places.items():
        assert_named(stack.predict("doctor", f"{name}-refused", "-n", NAMESPACE, "--lang", "en").text, uri, store=name)
        saw(store_evidence, "wrong", seen[f"{name}-refused", "storage-keys-refused"], store=name)
    saw(store_evidence, "expired", seen["images-expired", "storage-keys-refused"], store="images")
    for name in missing:
        saw(store_evidence, "missing", seen[name, "storage-keys-missing"], store=name.partition("-")[0])

    # At the deadline Knative takes the pods away, of some revisions later than of others.
    gone = gone_at_last(stack, models={name for name, _ in expected})
    assert {name.startswith("images") for name in gone} == {True, False}, gone
    left = found_by_doctor(stack)
    assert left.keys() >= expected, left
    assert {found: left[found] for found in expected} == {found: seen[found] for found in expected}
    # The update failed, so the stack has no endpoints of these models.
    checked = stack.predict(
        "--lang", "en", "--timeout", "10", stdin=json.dumps(endpoints_of(name for name, _ in expected))
    )
    assert checked.status == 2, checked.text
    for name, uri in places.items():
        assert_named(checked.text, uri, store=name)
    events = kubectl(stack, "get", "events", "-n", NAMESPACE, "--field-selector", "reason=ModelNotFetched")
    told = json.dumps([events, updated.text, checked.text])
    for secret in (HEADER, PASSWORD, TOKEN, KEYS["secret_access_key"], IMAGE_PASSWORD, WRONG):
        assert secret not in told


@pytest.mark.feature("models whose keys were wrong answer after an update with the right ones")
def test_mended_keys_bring_the_models_back(stack: Deployment, servers: Servers) -> None:
    """The models are declared as before: nothing but Secrets changes, and Knative has given their revisions up."""
    for name, secrets in (SECRETS | {"images": {"password": RENEWED}}).items():
        set_secrets(stack, f"{name}-wrong", secrets)
    models = models_with_wrong_keys(places_with_keys(servers))
    stack.configure(models=models)
    stack.up()
    checked = stack.predict("--stack", stack.stack, "--json")
    assert checked.status == 0, checked.text
    assert len(json.loads(checked.stdout)["models"]) == len(models)


def places_with_keys(servers: Servers) -> dict[str, str]:
    """The locations whose servers ask for credentials; of the images one that no pod has pulled."""
    return {name: uri for name, uri in locations(servers).items() if name in SECRETS} | {"images": image("wrong")}


def models_with_wrong_keys(places: Mapping[str, str]) -> list[dict[str, Any]]:
    return [model(f"{name}-refused", uri, store=f"{name}-wrong", timeout=90) for name, uri in places.items()]


def endpoints_of(names: Iterable[str]) -> dict[str, dict[str, object]]:
    """What a stack with these models would export."""
    return {
        name: {
            "name": name,
            "namespace": NAMESPACE,
            "url": f"http://{name}.{NAMESPACE}.example.com",
            "host": f"{name}.{NAMESPACE}.example.com",
            "protocol": "v1",
            "predict_path": f"/v1/models/{name}:predict",
            "metadata_path": f"/v1/models/{name}",
            "gateway_address": GATEWAY,
            "context": None,
            "check": {"instances": INSTANCES, "predictions": [1, 0], "tolerance": 1e-6},
        }
        for name in names
    }


def assert_named(said: str, uri: str, *, store: str) -> None:
    """That a text names a location and the setting of its store, whatever its line breaks."""
    words = "".join(said.split())
    assert uri in words, said
    assert f"storage.{store}-wrong(" in words, said


def gone_at_last(stack: Deployment, *, models: set[str]) -> set[str]:
    """The models that have no pod any more, once that is so for all of them, or after three minutes."""
    for _ in range(90):
        pods = kubectl(stack, "get", "pods", "-n", NAMESPACE)["items"]
        left = {pod["metadata"]["labels"]["serving.kserve.io/inferenceservice"] for pod in pods}
        if not models & left:
            break
        time.sleep(2)
    return models - left


def found_by_doctor(stack: Deployment) -> dict[tuple[str, str], str]:
    """What the doctor found: the model's name and the cause, and what the pod said."""
    told = stack.predict("doctor", "-n", NAMESPACE, "--json", "--lang", "en")
    found = [finding for check in json.loads(told.stdout)["checks"] for finding in check["findings"]]
    return {
        (finding["name"], finding["id"]): finding["evidence"][0]["text"]
        for finding in found
        if finding["kind"] == "InferenceService" and finding["evidence"]
    }
