import io
import signal
import socket
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from tests.running_server import run_server

from . import s3_server
from .programs import Program, container_environment
from .s3_server import BUCKET, KEY, REGION, SECRET, S3Server

OBJECTS = {
    "sklearn/model.joblib": b"first",
    "sklearn/notes/read.me": b"notes",
    "sklearn-v2/model.joblib": b"second",
    "empty/": b"",
    "hollow/model.joblib": b"",
}
KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the Secret that the predictor's ServiceAccount lists"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server.serving(OBJECTS) as server:
        yield server


@pytest.fixture
def keys(s3: S3Server) -> dict[str, str]:
    """The environment that KServe gives the init container for a Secret with S3 keys."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": s3.url,
        "S3_ENDPOINT": s3.url.removeprefix("http://"),
        "S3_USE_HTTPS": "0",
        "S3_VERIFY_SSL": "0",
    }


@pytest.fixture(scope="session")
def initializer(python: Path) -> Program:
    return Program(python, "serving.storage_initializer")


def files(directory: Path) -> dict[str, bytes]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def refused(initializer: Program, source: str, tmp_path: Path, environment: Mapping[str, str] | None = None) -> str:
    """The termination message of a failed download, which is the last line of its log as well."""
    termination_log = tmp_path / "termination-log"
    termination_log.touch()
    ended = initializer.run(source, tmp_path / "models", environment=environment, termination_log=termination_log)
    message = termination_log.read_text()
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"ERROR {message}"
    assert "Traceback" not in ended.stderr
    assert SECRET not in ended.stderr
    return message


def test_folders_come_whole_and_with_a_slash_alone(initializer: Program, keys: dict[str, str], tmp_path: Path) -> None:
    """As KServe's own initializer fetches them; the program writes the slash."""
    one, two, all_alike = tmp_path / "one", tmp_path / "deep" / "two", tmp_path / "all"
    pairs = (f"s3://{BUCKET}/sklearn/", one, f"s3://{BUCKET}/sklearn-v2/", two, f"s3://{BUCKET}/sklearn", all_alike)
    ended = initializer.run(*pairs, environment=keys)
    assert ended.returncode == 0, ended.stderr
    assert files(one) == {"model.joblib": b"first", "notes/read.me": b"notes"}
    assert files(two) == {"model.joblib": b"second"}
    assert files(all_alike) == files(one) | {"-v2/model.joblib": b"second"}


def test_one_object_comes_alone(initializer: Program, keys: dict[str, str], tmp_path: Path) -> None:
    ended = initializer.run(f"s3://{BUCKET}/sklearn-v2/model.joblib", tmp_path / "models", environment=keys)
    assert ended.returncode == 0, ended.stderr
    assert files(tmp_path / "models") == {"model.joblib": b"second"}


@pytest.mark.parametrize("wrong", [{"AWS_SECRET_ACCESS_KEY": "wrong"}, {"AWS_ACCESS_KEY_ID": "stranger"}])
def test_refused_keys(
    initializer: Program, s3: S3Server, keys: dict[str, str], wrong: dict[str, str], tmp_path: Path
) -> None:
    message = refused(initializer, f"s3://{BUCKET}/sklearn", tmp_path, {**keys, **wrong})
    expected = "S3 error [403]: Forbidden: the server refused the keys"
    assert message == f"s3://{BUCKET}/sklearn at {s3.url}: {expected}: {KEYS}, and what they may read"


def test_no_keys(initializer: Program, s3: S3Server, tmp_path: Path) -> None:
    environment = {"AWS_ENDPOINT_URL": s3.url, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    message = refused(initializer, f"s3://{BUCKET}/sklearn", tmp_path, environment)
    assert message.endswith(f"no keys: {KEYS}")


def test_no_such_bucket(initializer: Program, s3: S3Server, keys: dict[str, str], tmp_path: Path) -> None:
    message = refused(initializer, "s3://other/sklearn", tmp_path, keys)
    expected = "S3 resource 'other' not found: no such bucket: check the storageUri"
    assert message == f"s3://other/sklearn at {s3.url}: {expected}"


@pytest.mark.parametrize("folder", ["nothing/", "skl/", "empty", "hollow/"])
def test_folder_without_a_file(
    initializer: Program, s3: S3Server, keys: dict[str, str], folder: str, tmp_path: Path
) -> None:
    source = f"s3://{BUCKET}/{folder}"
    message = refused(initializer, source, tmp_path, keys)
    assert message.startswith(f"{source} at {s3.url}: Failed to fetch model. No model found in {folder}: no file there")


def test_unreachable_server(initializer: Program, keys: dict[str, str], tmp_path: Path) -> None:
    with s3_server.serving({}) as gone:
        url = gone.url
    unreachable = {**keys, "AWS_ENDPOINT_URL": url, "S3_MAX_ATTEMPTS": "1"}
    message = refused(initializer, f"s3://{BUCKET}/sklearn", tmp_path, unreachable)
    assert message.startswith(f"s3://{BUCKET}/sklearn at {url}: Could not connect to the endpoint URL")
    assert message.endswith("nothing answers there: check the Secret's annotation serving.kserve.io/s3-endpoint")


def test_empty_volume(initializer: Program, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    assert "no file there" in refused(initializer, f"file://{volume}", tmp_path)


def test_storage_that_this_image_leaves_out(initializer: Program, tmp_path: Path) -> None:
    message = refused(initializer, "hdfs://bucket/model", tmp_path)
    assert message.endswith("this image cannot read such a store; KServe's own storage-initializer can")


def test_source_without_destination_is_bad_usage(initializer: Program) -> None:
    ended = initializer.run("s3://models/sklearn")
    assert ended.returncode == 2
    assert "expected pairs of SRC and DEST, got 1 arguments" in ended.stderr


def archive(name: str, *, member: str = "model.joblib", content: bytes = b"first") -> bytes:
    """A .tar.gz or .zip with one file, or for the member `link` a link out of the folder and a file behind it."""
    packed = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(packed, "w") as zipped:
            zipped.writestr(member, content)
        return packed.getvalue()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        if member == "link":
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "/tmp"  # noqa: S108  # which an archive must not lead to
            tar.addfile(link)
            member = "link/model.joblib"
        info = tarfile.TarInfo(member)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


OTHER_OBJECTS = {
    "keys/churn-pickle": b"pickled",
    "keys/churn-pickle-v2": b"other",
    "dotted/model.v1/model.pkl": b"first",
    "dotted/model.v1-old/model.pkl": b"second",
    "packed/model.tar.gz": archive("model.tar.gz"),
    "packed/inside.tgz": archive("inside.tgz", member="model/model.joblib"),
    "packed/model.zip": archive("model.zip"),
    "folder/model.tar.gz": archive("model.tar.gz"),
    "evil/above.tar.gz": archive("above.tar.gz", member="../model.joblib"),
    "evil/link.tar.gz": archive("link.tar.gz", member="link"),
}


@pytest.fixture
def other_keys(keys: dict[str, str]) -> Iterator[dict[str, str]]:
    with s3_server.serving(OTHER_OBJECTS) as server:
        yield {**keys, "AWS_ENDPOINT_URL": server.url}


@pytest.fixture(scope="session")
def as_on_the_image(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The initializer on a Python as old as the images', whose tarfile has no filters, and which must not fork."""
    folder = tmp_path_factory.mktemp("older")
    (folder / "sitecustomize.py").write_text(
        "import os, tarfile\n"
        "new = tarfile.TarFile.extractall\n"
        "def extractall(self, path='.', members=None, *, numeric_owner=False):\n"
        "    return new(self, path, members, numeric_owner=numeric_owner)\n"
        "tarfile.TarFile.extractall = extractall\n"
        "def fork():\n"
        "    raise RuntimeError('forked')\n"
        "os.fork = fork\n"
    )
    return Program(python, "serving.storage_initializer", hidden=folder)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("keys/churn-pickle", {"churn-pickle": b"pickled"}),
        ("dotted/model.v1/", {"model.pkl": b"first"}),
        ("dotted/model.v1/model.pkl", {"model.pkl": b"first"}),
        ("packed/model.tar.gz", {"model.joblib": b"first"}),
        ("packed/inside.tgz", {"model/model.joblib": b"first"}),
        ("packed/model.zip", {"model.joblib": b"first"}),
        ("folder", {"model.joblib": b"first"}),
    ],
)
def test_objects_folders_and_archives(
    as_on_the_image: Program, other_keys: dict[str, str], path: str, found: dict[str, bytes], tmp_path: Path
) -> None:
    ended = as_on_the_image.run(f"s3://{BUCKET}/{path}", tmp_path / "models", environment=other_keys)
    assert ended.returncode == 0, ended.stderr
    assert files(tmp_path / "models") == found


@pytest.mark.parametrize(
    ("name", "why"),
    [("above", "would be extracted to"), ("link", "is a link to an absolute path")],
)
def test_an_archive_cannot_reach_out_of_its_folder(
    as_on_the_image: Program, other_keys: dict[str, str], name: str, why: str, tmp_path: Path
) -> None:
    message = refused(as_on_the_image, f"s3://{BUCKET}/evil/{name}.tar.gz", tmp_path, other_keys)
    assert why in message
    assert message.endswith("make the archive of the model's files alone")
    assert not files(tmp_path / "models").keys() - {f"{name}.tar.gz"}
    assert not (tmp_path / "model.joblib").exists()


class WebHandler(BaseHTTPRequestHandler):
    """The objects by HTTP, of the Content-Type that the first part of the path names."""

    def do_GET(self) -> None:
        _, content_type, path = self.path.split("/", 2)
        self.send_response(200)
        self.send_header("Content-Type", content_type.replace("_", "/"))
        self.end_headers()
        self.wfile.write(OTHER_OBJECTS[path])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    with run_server(ThreadingHTTPServer(("127.0.0.1", 0), WebHandler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def test_archives_and_files_by_http(as_on_the_image: Program, web: str, tmp_path: Path) -> None:
    pairs: list[str | Path] = []
    for name, uri in {
        "tar": "application_gzip/packed/model.tar.gz",
        "zip": "application_zip/packed/model.zip",
        "pkl": "application_octet-stream/dotted/model.v1/model.pkl",
    }.items():
        pairs += [f"{web}/{uri}", tmp_path / name]
    ended = as_on_the_image.run(*pairs)
    assert ended.returncode == 0, ended.stderr
    for folder, found in (("tar", {"model.joblib": b"first"}), ("zip", {"model.joblib": b"first"})):
        assert files(tmp_path / folder) == found
    assert files(tmp_path / "pkl") == {"model.pkl": b"first"}


def test_an_archive_of_another_content_type_is_refused_as_upstream_does(
    as_on_the_image: Program, web: str, tmp_path: Path
) -> None:
    message = refused(as_on_the_image, f"{web}/application_octet-stream/packed/model.tar.gz", tmp_path)
    assert "did not respond with any of following 'Content-Type': application/x-tar, " in message
    assert message.endswith("let the web server send the file with this Content-Type")


@pytest.fixture
def git(python: Path, tmp_path: Path) -> Iterator[str]:
    authority, folder = trustme.CA(), tmp_path / "git"
    folder.mkdir()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    (folder / "ca.pem").write_bytes(authority.cert_pem.bytes())
    script, environment = Path(__file__).with_name("git_server.py"), container_environment({"HOME": str(folder)})
    with subprocess.Popen([python, script, folder], env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield server.stdout.readline().strip()
        server.terminate()


def test_a_git_repository(initializer: Program, git: str, tmp_path: Path) -> None:
    trusting = {"SSL_CERT_FILE": str(tmp_path / "git" / "ca.pem"), "HOME": str(tmp_path)}
    ended = initializer.run(git, tmp_path / "models", environment=trusting)
    assert ended.returncode == 0, ended.stderr
    assert files(tmp_path / "models")["model.joblib"] == b"model"
    assert refused(initializer, git.replace("flowers", "nothing"), tmp_path / "git", trusting)


def test_what_each_store_needs_is_there(python: Path) -> None:
    modules = (
        "google.cloud.storage, google.api_core.exceptions, azure.identity, azure.storage.blob.aio, "
        "azure.storage.fileshare, azure.core.exceptions, huggingface_hub.utils, dulwich.porcelain"
    )
    subprocess.run([python, "-c", f"import {modules}"], env=container_environment({}), check=True)


def test_sigterm_ends_a_download(initializer: Program, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = f"http://127.0.0.1:{silent.getsockname()[1]}/model.pkl"
        process = initializer.start(source, tmp_path / "models", log=tmp_path / "log")
        # Kept open: a download that fails would end the program by itself.
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1024).startswith(b"GET /model.pkl ")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 128 + signal.SIGTERM
