"""An OCI registry, asked through the distribution API: charts, images, and whether it has them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urljoin

import httpx2 as httpx

from registries.errors import DownloadError
from registries.http_client import http_client, netrc_login, require_success
from registries.login import DOCKER_HUB, Login, RegistryAuth

SECONDS = 60
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEXES = {INDEX, DOCKER_INDEX}
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
DIGEST_HEADER = "Docker-Content-Digest"


def digest_of(content: bytes) -> str:
    """Digest of content, by which registries name it: `sha256:<hex>`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class StoredManifest:
    """A manifest as a registry has it: of an image, of an image for several platforms (an index), or of a chart."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """Digest of its content."""
        return digest_of(self.content)


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The registry at a URL such as `https://host:port`. A repository is a path in it, such as `charts/istiod`."""

    url: str
    client: httpx.Client
    login: Login | None = None

    @classmethod
    @contextmanager
    def at(
        cls, host: str, *, plain_http: bool = False, seconds: float = SECONDS, login: Login | None = None
    ) -> Iterator[Self]:
        """The registry at `host` or `host:port`. Requests in the `with` block raise DownloadError where they fail.

        Without a login, that of ~/.netrc is used, if there is one.
        """
        login = login or netrc_login(host)
        url = f"{'http' if plain_http else 'https'}://{DOCKER_HUB[-1] if host in DOCKER_HUB else host}"
        with http_client(seconds=seconds, auth=RegistryAuth(registry=url, login=login)) as client:
            yield cls(url=url, client=client, login=login)

    def chart_digest(self, repository: str, *, tag: str) -> str:
        """Return the digest of a chart's archive.

        Raises:
            DownloadError: the registry does not answer, or the tag is not there or not a Helm chart.

        """
        manifest = _json(self._success(self._request("GET", f"{repository}/manifests/{tag}", accept=MANIFEST)))
        for layer in manifest.get("layers", ()):
            if layer["mediaType"] == HELM_CHART:
                return str(layer["digest"])
        raise DownloadError(f"{tag} is there but is not a Helm chart")

    def blob(self, repository: str, *, digest: str) -> bytes:
        """Download the content with this digest.

        Raises:
            DownloadError: the registry does not answer, or returned content with another digest.

        """
        content = self._success(self._request("GET", f"{repository}/blobs/{digest}")).content
        if digest_of(content) != digest:
            raise DownloadError(f"the registry returned content whose digest is not {digest}")
        return content

    def has(self, repository: str) -> bool:
        """Whether the registry has any tag of the repository. Raises DownloadError where it does not tell."""
        return self._is_there(self._request("GET", f"{repository}/tags/list"))

    def manifest(self, repository: str, reference: str) -> StoredManifest:
        """Return the manifest of a tag or digest. Raises DownloadError where the registry does not give it."""
        accept = ", ".join((MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX))
        answer = self._success(self._request("GET", f"{repository}/manifests/{reference}", accept=accept))
        _json(answer)
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        found = StoredManifest(content=answer.content, media_type=media_type)
        if reference.startswith("sha256:") and found.digest != reference:
            raise DownloadError(f"the registry returned a manifest whose digest is not {reference}")
        return found

    def digest(self, repository: str, reference: str) -> str | None:
        """Digest of a tag's manifest, None where it is not there. Raises DownloadError where it does not tell."""
        accept = ", ".join((MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX))
        answer = self._request("HEAD", f"{repository}/manifests/{reference}", accept=accept)
        if not self._is_there(answer):
            return None
        return answer.headers.get(DIGEST_HEADER) or self.manifest(repository, reference).digest

    def has_blob(self, repository: str, *, digest: str) -> bool:
        """Whether the registry has this content in the repository."""
        return self._is_there(self._request("HEAD", f"{repository}/blobs/{digest}"))

    @contextmanager
    def reading(self, repository: str, *, digest: str) -> Iterator[Iterator[bytes]]:
        """The content with this digest, part by part. Raises DownloadError where the registry does not give it."""
        url = f"{self.url}/v2/{repository}/blobs/{digest}"
        # The digest is that of the content as it is stored, so it must not be compressed in transit.
        with self.client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer:
            yield self._success(answer).iter_raw()

    def push_blob(self, repository: str, content: Iterator[bytes] | bytes, *, digest: str, size: int) -> None:
        """Upload content; the registry compares its digest. Raises DownloadError where the registry does not take it.

        The login happens with the first of the two requests, because the content can be sent only once.
        """
        begun = self._success(self._request("POST", f"{repository}/blobs/uploads/"))
        if "Location" not in begun.headers:
            raise DownloadError(_no_registry(begun))
        target = httpx.URL(urljoin(str(begun.url), begun.headers["Location"])).copy_merge_params({"digest": digest})
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._success(self.client.put(target, content=content, headers=headers))

    def push_manifest(self, repository: str, manifest: StoredManifest, *, reference: str) -> None:
        """Upload a manifest under a tag or its digest. Raises DownloadError where the registry does not take it."""
        url = f"{self.url}/v2/{repository}/manifests/{reference}"
        self._success(self.client.put(url, content=manifest.content, headers={"Content-Type": manifest.media_type}))

    def _request(self, method: str, path: str, *, accept: str = "*/*") -> httpx.Response:
        return self.client.request(method, f"{self.url}/v2/{path}", headers={"Accept": accept})

    def _is_there(self, answer: httpx.Response) -> bool:
        return answer.status_code != httpx.codes.NOT_FOUND and self._success(answer).is_success

    def _success(self, answer: httpx.Response) -> httpx.Response:
        # Another server, to which the registry sent the request, was sent no login.
        return require_success(answer, login=self.login if str(answer.url).startswith(f"{self.url}/") else None)


def _json(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise DownloadError(_no_registry(answer))
    return content


def _no_registry(answer: httpx.Response) -> str:
    return f"{answer.url.host} does not answer as a registry does"
