from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from . import s3_server
from .programs import Program
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


def test_folders_come_whole_and_without_their_namesakes(
    initializer: Program, keys: dict[str, str], tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "deep" / "two"
    ended = initializer.run(f"s3://{BUCKET}/sklearn", one, f"s3://{BUCKET}/sklearn-v2/", two, environment=keys)
    assert ended.returncode == 0, ended.stderr
    assert files(one) == {"model.joblib": b"first", "notes/read.me": b"notes"}
    assert files(two) == {"model.joblib": b"second"}


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


@pytest.mark.parametrize("folder", ["nothing", "skl", "empty", "hollow"])
def test_folder_without_a_file(
    initializer: Program, s3: S3Server, keys: dict[str, str], folder: str, tmp_path: Path
) -> None:
    source = f"s3://{BUCKET}/{folder}"
    message = refused(initializer, source, tmp_path, keys)
    assert message.startswith(
        f"{source} at {s3.url}: Failed to fetch model. No model found in {folder}/: no file there"
    )


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
    message = refused(initializer, "gs://bucket/model", tmp_path)
    assert message.endswith("this image fetches from s3://, http(s):// and mounted volumes only")


def test_source_without_destination_is_bad_usage(initializer: Program) -> None:
    ended = initializer.run("s3://models/sklearn")
    assert ended.returncode == 2
    assert "expected pairs of SRC and DEST, got 1 arguments" in ended.stderr
