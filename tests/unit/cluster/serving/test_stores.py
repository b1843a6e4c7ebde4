"""KServe's storage initializer at servers that ask for credentials, with what KServe gives it for a stack's stores.

What the initializer says is what the doctor reads.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
from pydantic import TypeAdapter

from components.serving.spec import InferenceServiceSpec
from components.serving.storage_credentials import StorageCredentials, StorageCredentialsArgs
from components.settings.model import Model, ValidationContext
from components.settings.stores.store import Store
from components.settings.stores.union import AnyStore
from releases.official_0_20 import OFFICIAL_0_20 as OFFICIAL
from tests.azurite import ACCOUNT, HOST, KEY, NEXT_KEY, azurite
from tests.google_emulator import google_emulator
from tests.kserve_credentials import initializer_of
from tests.store_servers import Google, Hub, Web, basic, serving
from tests.store_table import Case, StoreEvidence
from tests.unit.cluster.serving import s3_server
from tests.unit.cluster.serving.programs import container_environment
from tests.unit.components.recording import record

WEB, HUB = "a web server of the tests", "a hub of the tests"
GOOGLE = "a Google Cloud Storage of the tests, which checks the key's signature"
S3 = "an S3 server of the tests, which checks signatures"
# KServe's own entry point, in as many words as are needed.
ENTRY_POINT = """
import sys
from kserve_storage import Storage, configure_logging
configure_logging()
try:
    Storage.download_files([sys.argv[1]], [sys.argv[2]])
except Exception as error:
    print(f"Storage initialization failed: {error}", file=sys.stderr)
    sys.exit(1)
"""
MODEL = b"model"


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """Runs downloads with a stack's store, as KServe runs them in a pod.

    Attributes:
        python: interpreter with KServe's storage package.
        folder: of the test.

    """

    python: Path
    folder: Path

    def run(
        self, store: Mapping[str, Any], uri: str, *, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Download the model at a location."""
        adapter: TypeAdapter[Store] = TypeAdapter(AnyStore)
        made: list[StorageCredentials] = []
        args = StorageCredentialsArgs(
            stack="dev", name="mine", storage=adapter.validate_python(store), namespace="models"
        )
        recording = record(lambda: made.append(StorageCredentials("models/mine", args=args)))
        surroundings = initializer_of(recording, variables=made[0].access.variables)
        paths = {path: str(self.folder / "mounted" / path.lstrip("/")) for path in surroundings.files}
        for path, content in surroundings.files.items():
            place = Path(paths[path])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        folders = {str(Path(path).parent): str(Path(place).parent) for path, place in paths.items()}
        # A pod has the files where the variables say; here they are in the test's folder.
        variables = {
            name: paths.get(value, folders.get(value, value)) for name, value in surroundings.environment.items()
        }
        shutil.rmtree(self.folder / "models", ignore_errors=True)
        shutil.rmtree(self.folder / ".cache", ignore_errors=True)
        return subprocess.run(
            [self.python, "-c", ENTRY_POINT, uri, self.folder / "models"],
            env=container_environment({"HOME": str(self.folder), **variables, **(environment or {})}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def fetched(self, store: Mapping[str, Any], uri: str, **more: Any) -> dict[str, bytes]:
        """Files of a download that must not fail."""
        ended = self.run(store, uri, **more)
        assert ended.returncode == 0, ended.stderr
        root = self.folder / "models"
        found = [path for path in root.rglob("*") if path.is_file() and ".cache" not in path.parts]
        return {str(path.relative_to(root)): path.read_bytes() for path in found}

    def refusal(self, store: Mapping[str, Any], uri: str, **more: Any) -> str:
        """What a download that must fail says at last."""
        ended = self.run(store, uri, **more)
        assert ended.returncode == 1, ended.stdout
        return ended.stderr.rpartition("Storage initialization failed: ")[2].strip()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Records what KServe's storage package says of a credential."""

    evidence: StoreEvidence
    kind: str
    credential: str
    server: str

    def __call__(self, **said: str | dict[str, bytes]) -> None:
        """Record by case a refusal, or the files of a download."""
        for case, words in said.items():
            text = words if isinstance(words, str) else ", ".join(sorted(words))
            where = {"kind": self.kind, "credential": self.credential, "server": self.server}
            self.evidence.saw(cast(Case, case), text, **where, where="kserve-storage")


def packed(name: str, content: bytes) -> bytes:
    """An archive with one file."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return archive.getvalue()


def untrusted(said: str) -> str:
    """The words on a certificate."""
    found = re.search(r"(?<=CERTIFICATE_VERIFY_FAILED\] ).*?(?= \(_ssl)", said)
    assert found, said
    return found[0]


@pytest.fixture
def downloads(python: Path, tmp_path: Path) -> Downloads:
    return Downloads(python=python, folder=tmp_path)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.cert_pem.bytes())
    return str(file)


# Web servers


@pytest.mark.parametrize(
    ("credential", "needed", "right", "wrong"),
    [
        ("header", ("x-api-key", "key"), {"headers": {"X-Api-Key": "key"}}, {"headers": {"X-Api-Key": "old"}}),
        (
            "password",
            ("authorization", basic("reader", "pass:word")),
            {"username": "reader", "password": "pass:word"},
            {"username": "reader", "password": "old"},
        ),
    ],
)
def test_a_web_server_gets_header_or_password(
    downloads: Downloads,
    credential: str,
    needed: tuple[str, str],
    right: dict[str, Any],
    wrong: dict[str, Any],
    authority: trustme.CA,
    ca_file: str,
    store_evidence: StoreEvidence,
) -> None:
    seen = Seen(evidence=store_evidence, kind="https", credential=credential, server=WEB)
    server = Web(files={"/iris/model.joblib": MODEL}, needed=needed)
    with serving(server, authority=authority) as url:
        uri, store = f"{url}/iris/model.joblib", {"kind": "https", "host": "127.0.0.1", "ca_file": ca_file}
        files = downloads.fetched(store | right, uri)
        assert files == {"model.joblib": MODEL}
        refused = f"HTTP authentication failed for '{uri}'. Verify credentials."
        with_wrong = downloads.refusal(store | wrong, uri)
        assert with_wrong == refused
        with_none = downloads.refusal(store, uri)
        assert with_none == refused
        seen(right=files, wrong=with_wrong, missing=with_none)
        elsewhere = f"{url}/iris/other.joblib"
        assert downloads.refusal(store | right, elsewhere) == f"HTTP resource not found at '{elsewhere}'."
        without = {key: value for key, value in store.items() if key != "ca_file"}
        seen(untrusted=untrusted(downloads.run(without | right, uri).stderr))
        server.needed = (needed[0], "the next")
        with_expired = downloads.refusal(store | right, uri)
        assert with_expired == refused
        seen(expired=with_expired)


def test_a_web_server_that_forbids(downloads: Downloads, store_evidence: StoreEvidence) -> None:
    with serving(Web(files={}, needed=("x-api-key", "key"), refusal=403)) as url:
        store = {"kind": "https", "host": "127.0.0.1", "headers": {"X-Api-Key": "another's"}}
        said = downloads.refusal(store, f"{url}/m.joblib")
    assert said == f"HTTP access denied for '{url}/m.joblib'. Verify permissions."
    Seen(evidence=store_evidence, kind="https", credential="header", server=WEB)(forbidden=said)


# Hugging Face


def test_a_hub_gets_the_token(
    downloads: Downloads, authority: trustme.CA, ca_file: str, store_evidence: StoreEvidence
) -> None:
    seen = Seen(evidence=store_evidence, kind="huggingface", credential="token", server=HUB)
    hub = Hub(model="acme/iris", files={"model.joblib": MODEL, "config/a.json": b"{}"}, token="hf_right")
    with serving(hub, authority=authority) as url:
        store = {"kind": "huggingface", "endpoint": url, "ca_file": ca_file}
        uri = "hf://acme/iris"
        right = store | {"token": "hf_right"}
        files = downloads.fetched(right, uri)
        assert files == {"model.joblib": MODEL, "config/a.json": b"{}"}
        refused = "HuggingFace authentication failed. Set HF_TOKEN or request access to the gated repository."
        with_wrong = downloads.refusal(store | {"token": "hf_wrong"}, uri)
        assert with_wrong == refused
        with_none = downloads.refusal(store, uri)
        assert with_none == refused
        hub.token = "hf_next"
        with_expired = downloads.refusal(right, uri)
        assert with_expired == refused
        seen(right=files, wrong=with_wrong, missing=with_none, expired=with_expired)


# Google Cloud Storage


@contextmanager
def google(**said: Any) -> Iterator[tuple[Google, str]]:
    keys = {"keys/churn-pickle": MODEL, "keys/churn-pickle-v2": b"other"}
    folders = {"iris/model.joblib": MODEL, "iris-v2/model.joblib": b"other"}
    server = Google(bucket="models", files=folders | keys, **said)
    with serving(server) as url:
        yield server, url


def at(url: str) -> dict[str, str]:
    """What leads Google's client to another server, and still makes it sign in."""
    return {"API_ENDPOINT_OVERRIDE": url}


def test_google_gets_a_token_for_the_key(downloads: Downloads, store_evidence: StoreEvidence) -> None:
    seen = Seen(evidence=store_evidence, kind="gcs", credential="service account's key", server=GOOGLE)
    with google() as (server, url):
        right = {"kind": "gcs", "key": server.key(url)}
        files = downloads.fetched(right, given_to_kserve("gs://models/iris"), environment=at(url))
        assert files == {"model.joblib": MODEL}  # and nothing of iris-v2
        key = downloads.fetched(right, given_to_kserve("gs://models/keys/churn-pickle"), environment=at(url))
        assert key == {"churn-pickle": MODEL}
        wrong = {"kind": "gcs", "key": Google(bucket="", files={}).key(url)}
        refused = "GCS error: ('invalid_grant: Invalid JWT Signature.'"
        with_wrong = downloads.refusal(wrong, "gs://models/iris", environment=at(url))
        assert with_wrong.startswith(refused)
        with_none = downloads.refusal({"kind": "gcs", "anonymous": True}, "gs://models/iris", environment=at(url))
        assert with_none == "GCS authentication failed. Verify GOOGLE_APPLICATION_CREDENTIALS or use anonymous access."
        server.forbidden = True
        forbidden = downloads.refusal(right, "gs://models/iris", environment=at(url))
        assert forbidden == "Access denied to GCS resource 'models'. Verify permissions."
        server.revoked = True
        revoked = downloads.refusal(right, "gs://models/iris", environment=at(url))
        assert revoked.startswith(refused)
        seen(right=files, wrong=with_wrong, missing=with_none, expired=revoked, forbidden=forbidden)


def test_an_emulator_is_asked_without_a_key(downloads: Downloads) -> None:
    files = {"iris/model.joblib": MODEL, "iris/more/a.txt": b"a", "iris-v2/model.joblib": b"other"}
    with google_emulator("models", files) as url:
        store = {"kind": "gcs", "anonymous": True, "endpoint": url}
        assert downloads.fetched(store, "gs://models/iris") == {"model.joblib": MODEL, "more/a.txt": b"a"}
        assert downloads.refusal(store, "gs://models/nothing") == "GCS resource 'models' not found."
        assert downloads.refusal(store, "gs://nobody/iris") == "GCS resource 'nobody' not found."


# S3


def test_s3_with_a_private_authority(
    downloads: Downloads, authority: trustme.CA, ca_file: str, store_evidence: StoreEvidence
) -> None:
    seen = Seen(evidence=store_evidence, kind="s3", credential="keys", server=S3)
    with s3_server.serving({"iris/model.joblib": MODEL}, authority=authority) as server:
        keys = {"access_key_id": s3_server.KEY, "secret_access_key": s3_server.SECRET}
        store = {"kind": "s3", "endpoint": server.url, "ca_file": ca_file}
        uri = f"s3://{s3_server.BUCKET}/iris"
        files = downloads.fetched(store | keys, uri)
        assert files == {"model.joblib": MODEL}
        with_wrong = downloads.refusal(store | keys | {"secret_access_key": "wrong"}, uri)
        with_none = downloads.refusal(store | {"anonymous": True}, uri)
        assert with_wrong == with_none == "S3 error [403]: Forbidden"
        without_authority = downloads.refusal({"kind": "s3", "endpoint": server.url, **keys}, uri)
        unverified = {"kind": "s3", "endpoint": server.url, "verify_ssl": False, **keys}
        assert downloads.fetched(unverified, uri) == {"model.joblib": MODEL}
        server.secret = "the-next"
        with_expired = downloads.refusal(store | keys, uri)
        assert with_expired == "S3 error [403]: Forbidden"
        words = {"wrong": with_wrong, "missing": with_none, "expired": with_expired}
        seen(right=files, untrusted=untrusted(without_authority), **words)


def given_to_kserve(uri: str, **settings: Any) -> str:
    """The location that the program declares for a model of these settings."""
    document = {"name": "iris", "format": "sklearn", "storage_uri": uri, **settings}
    model = Model.model_validate(document, context=ValidationContext(release=OFFICIAL, storage=None, mode="Knative"))
    spec = InferenceServiceSpec(model=model, runtimes=OFFICIAL.runtimes, store=None, resources=None)
    return str(spec.components()["predictor"]["model"]["storageUri"])


# Beside each folder and file, others whose names begin alike.
KEYS = {
    "flowers/model.joblib": MODEL,
    "flowers/deep/notes.txt": b"notes",
    "flowers-v2/model.joblib": b"second",
    "flowers.old/model.joblib": b"old",
    "v1.2/model.joblib": MODEL,
    "v1.20/model.joblib": b"later",
    "model.pkl/model.joblib": MODEL,
    "model.pkl-2/model.joblib": b"second",
    "files/model.joblib": MODEL,
    "files/model.joblib.old": b"old",
    "test/churn-pickle": MODEL,
    "test/churn-pickle-v2": b"second",
    "test/churn-pickle/model.joblib": b"a folder of the same name",
    "packed/flowers.tar.gz": packed("model.joblib", MODEL),
    "packed/flowers.tar.gz.sha256": b"a sum",
}


@pytest.fixture(scope="module")
def s3_of_keys() -> Iterator[dict[str, Any]]:
    """A store of these objects."""
    with s3_server.serving(KEYS) as server:
        keys = {"access_key_id": s3_server.KEY, "secret_access_key": s3_server.SECRET}
        yield {"kind": "s3", "endpoint": server.url, **keys}


@pytest.mark.parametrize(
    ("path", "settings", "files"),
    [
        ("flowers", {}, {"model.joblib": MODEL, "deep/notes.txt": b"notes"}),
        ("flowers/", {}, {"model.joblib": MODEL, "deep/notes.txt": b"notes"}),
        ("v1.2", {}, {"model.joblib": MODEL}),
        ("model.pkl/", {}, {"model.joblib": MODEL}),
        ("model.pkl", {"storage_file": False}, {"model.joblib": MODEL}),
        ("files/model.joblib", {}, {"model.joblib": MODEL}),
        ("test/churn-pickle", {"storage_file": True}, {"churn-pickle": MODEL}),
        ("test/churn-pickle", {}, {"model.joblib": b"a folder of the same name"}),
        ("packed/flowers.tar.gz", {}, {"model.joblib": MODEL}),
    ],
)
def test_a_folder_or_file_of_s3_comes_without_what_begins_alike(
    downloads: Downloads, s3_of_keys: dict[str, Any], path: str, settings: dict[str, Any], files: dict[str, bytes]
) -> None:
    uri = f"s3://{s3_server.BUCKET}/{path}"
    assert downloads.fetched(s3_of_keys, given_to_kserve(uri, **settings)) == files


def test_without_the_slash_kserve_takes_what_begins_alike(downloads: Downloads, s3_of_keys: dict[str, Any]) -> None:
    """Why the program writes it."""
    files = downloads.fetched(s3_of_keys, f"s3://{s3_server.BUCKET}/flowers")
    assert files.keys() == {"model.joblib", "deep/notes.txt", "-v2/model.joblib", ".old/model.joblib"}


def test_a_bucket_comes_whole(downloads: Downloads, s3_of_keys: dict[str, Any]) -> None:
    with s3_server.serving({"model.joblib": MODEL, "deep/notes.txt": b"notes"}) as server:
        for uri in (f"s3://{s3_server.BUCKET}", f"s3://{s3_server.BUCKET}/"):
            found = downloads.fetched(s3_of_keys | {"endpoint": server.url}, given_to_kserve(uri))
            assert found == {"model.joblib": MODEL, "deep/notes.txt": b"notes"}


def test_a_file_that_is_taken_as_a_folder_is_not_found(downloads: Downloads, s3_of_keys: dict[str, Any]) -> None:
    uri = given_to_kserve(f"s3://{s3_server.BUCKET}/test/churn-pickle-v2")
    said = downloads.refusal(s3_of_keys, uri)
    assert said == "Failed to fetch model. No model found in test/churn-pickle-v2/."


# Azure

UPLOAD = f"""
import sys
from datetime import datetime, timedelta, timezone
from azure.storage.blob import AccountSasPermissions, BlobServiceClient, ResourceTypes, generate_account_sas
service = BlobServiceClient("https://{HOST}", credential="{KEY}")
container = service.create_container("models")
container.upload_blob("iris/model.joblib", b"model")
for name in ("flowers/model.joblib", "flowers-v2/model.joblib"):
    container.upload_blob(name, b"model")
for days in (1, -1):
    end = datetime.now(timezone.utc) + timedelta(days=days)
    may = AccountSasPermissions(read=True, list=True)
    print(generate_account_sas("{ACCOUNT}", "{KEY}", ResourceTypes(container=True, object=True), may, end))
"""


def test_azure_gets_the_key_or_the_token(
    downloads: Downloads, python: Path, tmp_path: Path, store_evidence: StoreEvidence
) -> None:
    of_key = Seen(evidence=store_evidence, kind="azure", credential="storage key", server="Azurite")
    of_token = replace(of_key, credential="SAS token")
    with azurite(tmp_path, python=python) as server:
        environment = container_environment(server.environment)
        tokens = subprocess.run([python, "-c", UPLOAD], env=environment, capture_output=True, text=True, check=False)
        assert tokens.returncode == 0, tokens.stderr
        valid, expired = tokens.stdout.split()
        uri = f"https://{HOST}/models/iris"
        for seen, right in ((of_key, {"storage_key": KEY}), (of_token, {"sas_token": valid})):
            files = downloads.fetched({"kind": "azure", **right}, uri, environment=server.environment)
            assert files == {"model.joblib": MODEL}
            seen(right=files)
        for flowers in ("flowers", "flowers/"):  # KServe strips the slash, so nothing that is declared helps
            uri_of_flowers = given_to_kserve(f"https://{HOST}/models/{flowers}")
            found = downloads.fetched(
                {"kind": "azure", "storage_key": KEY}, uri_of_flowers, environment=server.environment
            )
            assert found.keys() == {"model.joblib", "-v2/model.joblib"}
        refused = "Azure authentication failed. Verify AZURE_CLIENT_ID/AZURE_CLIENT_SECRET or AZURE_STORAGE_ACCESS_KEY."
        nothing = {"kind": "pvc", "claim": "other"}
        wrong = {"kind": "azure", "storage_key": "b3RoZXI="}
        forged = {"kind": "azure", "sas_token": f"{valid.rpartition('sig=')[0]}sig=b3RoZXI%3D"}
        late = {"kind": "azure", "sas_token": expired}
        said = [downloads.refusal(s, uri, environment=server.environment) for s in (wrong, forged, late, nothing)]
        assert said == [refused] * 4
        of_token(wrong=said[1], expired=said[2], missing=said[3])
    folder = tmp_path / "next"
    folder.mkdir()
    with azurite(folder, python=python, key=NEXT_KEY) as server:
        of_next_key, of_old_key = (
            downloads.refusal({"kind": "azure", "storage_key": key}, uri, environment=server.environment)
            for key in (NEXT_KEY, KEY)
        )
        assert of_next_key == "Azure resource 'models' not found."  # it is taken, by a server without blobs
        assert of_old_key == refused
        of_key(wrong=said[0], missing=said[3], expired=of_old_key)
