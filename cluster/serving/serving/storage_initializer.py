"""Fetch models before a server starts: `python3 -m serving.storage_initializer SRC DEST [SRC DEST …]`.

KServe runs this as the init container of every predictor with a storageUri, with the storage's keys in the environment.
"""

import argparse
import os
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import ClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as S3ConnectionError
from kserve_storage import Storage, configure_logging

from .container import give_up, stop_on_sigterm

KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the Secret that the predictor's ServiceAccount lists"
S3_HINTS = {
    HTTPStatus.BAD_REQUEST: f"the server refused the request: check the region, and {KEYS}",
    HTTPStatus.FORBIDDEN: f"the server refused the keys: check {KEYS}, and what they may read",
    HTTPStatus.NOT_FOUND: "no such bucket: check the storageUri",
}


def fetch(source: str, destination: Path) -> None:
    """Copy what lies under a storage URI to a directory.

    :raises Exception: what the storage's client raises; a RuntimeError of kserve_storage where that has a better word.
    :raises FileNotFoundError: the source holds no file.
    """
    Storage.download(folder_uri(source), str(destination))
    if not any(path.is_file() for path in destination.rglob("*")):
        raise FileNotFoundError("no file in it")


def folder_uri(uri: str) -> str:
    """Close an s3:// folder with a slash: S3 has prefixes, and `s3://b/model` alone would bring `model-v2` along."""
    parts = urlsplit(uri)
    names_folder = parts.scheme == "s3" and parts.path.strip("/") and not Path(parts.path).suffix
    return f"{uri.rstrip('/')}/" if names_folder else uri


def hint(error: Exception) -> str:
    """Return what to do about a failed download; empty where the error itself says it."""
    cause = error.__cause__ or error
    if isinstance(cause, ClientError):
        return S3_HINTS.get(HTTPStatus(cause.response["ResponseMetadata"]["HTTPStatusCode"]), "")
    if isinstance(cause, S3ConnectionError):
        return "nothing answers there: check the Secret's annotation serving.kserve.io/s3-endpoint"
    if isinstance(cause, NoCredentialsError):
        return f"no keys: check {KEYS}"
    if isinstance(cause, ModuleNotFoundError):
        return "this image fetches from s3://, http(s):// and mounted volumes only"
    if "No model found" in str(cause) or isinstance(cause, FileNotFoundError):
        return "no file there: check the storageUri, and that the model was uploaded"
    return ""


def main() -> None:
    """Fetch each source in turn; at the first error, end with exit code 1 and one line that says why."""
    parser = argparse.ArgumentParser(description="Fetch models from storage, each SRC to its DEST.")
    parser.add_argument("pairs", nargs="+", metavar="SRC DEST", help="storage URI, then the directory it goes to")
    pairs = parser.parse_args().pairs
    if len(pairs) % 2:
        parser.error(f"expected pairs of SRC and DEST, got {len(pairs)} arguments")
    stop_on_sigterm()
    configure_logging()
    for source, destination in zip(pairs[::2], pairs[1::2], strict=True):
        try:
            fetch(source, Path(destination))
        except Exception as error:  # every client has its own
            where = f"{source} at {os.environ.get('AWS_ENDPOINT_URL', 'AWS')}" if source.startswith("s3:") else source
            give_up(": ".join(part for part in (where, str(error).rstrip("."), hint(error)) if part))


if __name__ == "__main__":
    main()
