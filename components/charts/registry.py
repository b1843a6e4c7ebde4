"""An OCI registry, asked through the distribution API: charts, and whether it has an image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self
from urllib.request import parse_http_list, parse_keqv_list

import httpx2 as httpx

from components.charts.http_client import DownloadError, http_client, require_success

SECONDS = 60
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The registry at a URL such as `https://host:port`. A repository is a path in it, such as `charts/istiod`."""

    url: str
    client: httpx.Client

    @classmethod
    @contextmanager
    def at(cls, host: str, *, plain_http: bool = False, seconds: float = SECONDS) -> Iterator[Self]:
        """The registry at `host` or `host:port`. Requests in the `with` block raise DownloadError where they fail."""
        with http_client(seconds=seconds) as client:
            yield cls(url=f"{'http' if plain_http else 'https'}://{host}", client=client)

    def chart_digest(self, repository: str, *, tag: str) -> str:
        """Return the digest of a chart's archive.

        Raises:
            DownloadError: the registry does not answer, or the tag is not there or not a Helm chart.

        """
        manifest = _json(require_success(self._get(f"{repository}/manifests/{tag}", accept=MANIFEST)))
        for layer in manifest.get("layers", ()):
            if layer["mediaType"] == HELM_CHART:
                return str(layer["digest"])
        raise DownloadError(f"{tag} is there but is not a Helm chart")

    def blob(self, repository: str, *, digest: str) -> bytes:
        """Download the content with this digest.

        Raises:
            DownloadError: the registry does not answer, or returned content with another digest.

        """
        content = require_success(self._get(f"{repository}/blobs/{digest}")).content
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise DownloadError(f"the registry returned content whose digest is not {digest}")
        return content

    def has(self, repository: str) -> bool:
        """Whether the registry has any tag of the repository. Raises DownloadError where it does not tell."""
        answer = self._get(f"{repository}/tags/list")
        return answer.status_code != httpx.codes.NOT_FOUND and require_success(answer).is_success

    def _get(self, path: str, *, accept: str = "*/*") -> httpx.Response:
        url, headers = f"{self.url}/v2/{path}", {"Accept": accept}
        answer = self.client.get(url, headers=headers)
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            return answer
        return self.client.get(url, headers=headers | {"Authorization": f"Bearer {self._token(answer)}"}, auth=None)

    def _token(self, refused: httpx.Response) -> str:
        """Get a token from the address that the registry names when it refuses a request without one.

        No login is sent, so it is a token for what everybody may read. A login goes with this request (RFC 7617).
        """
        scheme, _, challenge = refused.headers.get("WWW-Authenticate", "").partition(" ")
        parameters = parse_keqv_list(parse_http_list(challenge))
        if scheme.lower() != "bearer" or "realm" not in parameters:
            require_success(refused)
        query = {key: value for key, value in parameters.items() if key in {"service", "scope"}}
        answer = _json(require_success(self.client.get(parameters["realm"], params=query)))
        token = answer.get("token") or answer.get("access_token")  # the latter of registries that follow OAuth 2
        if not token:
            raise DownloadError(f"{refused.url.host}: its token server answers without a token")
        return str(token)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise DownloadError(f"{answer.url.host} does not answer as a registry does")
    return content
