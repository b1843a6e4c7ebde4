"""Fetch models before a server starts: `python3 -m serving.storage_initializer SRC DEST [SRC DEST …]`.

KServe runs this as the init container of every predictor with a storageUri, with the storage's keys in the environment.
"""

import argparse
import multiprocessing.dummy
import os
from http import HTTPStatus
from pathlib import Path

from backports import tarfile
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as S3ConnectionError
from kserve_storage import Storage, configure_logging, kserve_storage

from .container import give_up, stop_on_sigterm

KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the Secret that the predictor's ServiceAccount lists"
NO_FILE = "no file there: check the storageUri, and that the model was uploaded"
S3_HINTS = {
    HTTPStatus.BAD_REQUEST: f"the server refused the request: check the region, and {KEYS}",
    HTTPStatus.FORBIDDEN: f"the server refused the keys: check {KEYS}, and what they may read",
    HTTPStatus.NOT_FOUND: "no such bucket: check the storageUri",
}
# Kinds of errors and words in them -> what to do.
HINTS: tuple[tuple[type[Exception], str, str], ...] = (
    (S3ConnectionError, "", "nothing answers there: check the Secret's annotation serving.kserve.io/s3-endpoint"),
    (NoCredentialsError, "", f"no keys: check {KEYS}"),
    (ModuleNotFoundError, "", "this image cannot read such a store; KServe's own storage-initializer can"),
    (Exception, "did not respond with", "let the web server send the file with this Content-Type"),
    (Exception, "No model found", NO_FILE),
    (FileNotFoundError, "", NO_FILE),
)


def fetch(source: str, destination: Path) -> None:
    """Copy what lies under a storage URI to a directory.

    :raises Exception: what the storage's client raises; a RuntimeError of kserve_storage where that has a better word.
    :raises FileNotFoundError: the source holds no file.
    """
    Storage.download(source, str(destination))
    if not any(path.is_file() for path in destination.rglob("*")):
        raise FileNotFoundError("no file in it")


def adapt_storage() -> None:
    """Change what kserve_storage does wrong, or not at all on this image's Python.

    - It downloads from S3 by forked processes, and ends them by SIGTERM. One that is still starting then inherits our
      handler for it, or a lock that nobody gives back, and is waited for without end. Threads have neither.
    - It extracts tar files with a filter, which keeps them inside the folder and which Python 3.11.2 does not have.
    """
    kserve_storage.multiprocessing = multiprocessing.dummy
    kserve_storage.tarfile = tarfile


def hint(error: Exception) -> str:
    """Return what to do about a failed download; empty where the error itself says it."""
    cause = error.__cause__ or error
    if isinstance(cause, ClientError):
        return S3_HINTS.get(HTTPStatus(cause.response["ResponseMetadata"]["HTTPStatusCode"]), "")
    if isinstance(cause, tarfile.FilterError):
        return f"{cause}: make the archive of the model's files alone"
    hints = (hint for kinds, words, hint in HINTS if isinstance(cause, kinds) and words in str(cause))
    return next(hints, "")


def main() -> None:
    """Fetch each source in turn; at the first error, end with exit code 1 and one line that says why."""
    parser = argparse.ArgumentParser(description="Fetch models from storage, each SRC to its DEST.")
    parser.add_argument("pairs", nargs="+", metavar="SRC DEST", help="storage URI, then the directory it goes to")
    pairs = parser.parse_args().pairs
    if len(pairs) % 2:
        parser.error(f"expected pairs of SRC and DEST, got {len(pairs)} arguments")
    stop_on_sigterm()
    configure_logging()
    adapt_storage()
    for source, destination in zip(pairs[::2], pairs[1::2], strict=True):
        try:
            fetch(source, Path(destination))
        except Exception as error:  # every client has its own
            where = f"{source} at {os.environ.get('AWS_ENDPOINT_URL', 'AWS')}" if source.startswith("s3:") else source
            give_up(": ".join(part for part in (where, str(error).rstrip("."), hint(error)) if part))


if __name__ == "__main__":
    main()
