"""Forms of `storage_uri` that KServe's storage initializer or the kubelet can read, by scheme."""

from __future__ import annotations

import re

from components.settings.fields import without_keys

SCHEMES = ("s3", "gs", "hf", "http", "https", "hdfs", "webhdfs", "oci", "pvc")
# A PersistentVolumeClaim is named like a domain, but its parts have no limit of their own.
CLAIM = r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
# A first part without a dot or a port is the start of a repository at Docker Hub, and not a registry.
_REGISTRY = r"(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+(?=:)|\[[0-9A-Fa-f:.]+\])(:\d+)?"
_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
IMAGE = rf"({_REGISTRY}/)?{_PART}(/{_PART})*(:\w[\w.-]{{0,127}})?(@[a-z0-9]+:[0-9a-f]{{32,}})?"
# HTTPS locations that are folders: containers and shares of Azure, and repositories of git.
FOLDERS = r"https://[^/]+\.(blob|file)\.(core\.windows|storage\.azure)\.net/.+|https://.+\.git.*"


def check_storage_uri(uri: str) -> str:
    """Give the URI back.

    Raises:
        ValueError: KServe could not download from it. The text has no user name or password in it.

    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ValueError(f"{without_keys(uri)!r} has no known scheme; use one of {known}")
    if not re.fullmatch(r"[^/\s]+(/\S*)?", rest):
        raise ValueError(f"{without_keys(uri)!r} names no bucket or host; write {scheme}://<bucket or host>/<path>")
    if problem := _problem(uri, scheme=scheme, rest=rest):
        raise ValueError(f"{without_keys(uri)!r} {problem}")
    return uri


def _problem(uri: str, *, scheme: str, rest: str) -> str | None:
    match scheme:
        case "hf" if not re.fullmatch(r"[^/:]+/[^/:]+(:[^/]*)?", rest):
            return "is not a model of Hugging Face; write hf://<owner>/<model> or hf://<owner>/<model>:<revision>"
        case "http" | "https" if not (_file_name(rest) or re.fullmatch(FOLDERS, uri)):
            return f"names no file; write {scheme}://<host>/<path of a file or archive>"
        case "s3" if "?" in rest or "#" in rest:
            return "has a ? or #: KServe reads the key only up to there, which is another one; use a key without them"
        case "pvc" if not re.fullmatch(CLAIM, rest.partition("/")[0]):
            return "names no valid claim; write pvc://<claim>/<path>, the claim with a-z, 0-9, - and . only"
        case "oci" if not re.fullmatch(IMAGE, rest, re.ASCII):
            return "is not an image; write oci://<registry>/<repository>:<tag>, the repository in lower case"
    return None


def _file_name(location: str) -> str:
    """Last part of the path of a URL without its scheme; empty where that is a folder."""
    _, _, path = re.split("[?#]", location)[0].partition("/")
    return path.rpartition("/")[2]
