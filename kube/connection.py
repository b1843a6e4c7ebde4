"""The HTTP client of the Kubernetes API, which logs in as the kubeconfig says."""

from __future__ import annotations

import ipaddress
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.request import getproxies_environment, proxy_bypass

import httpx2 as httpx

from kube.kubeconfig import Access, KubeconfigError, UnsupportedLoginError, find_access
from kube.login import Certificate, Credential, Login, login_of
from kube.retry import RetryTransport

SECONDS = 10.0


def connect(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    seconds: float = SECONDS,
    retries: bool = False,
) -> httpx.Client:
    """Client of the cluster that kubectl would choose; `find_access` says which that is.

    Args:
        kubeconfig: the only file to read; None: as kubectl.
        context: its name; None: the current one.
        seconds: how long connecting, and each wait for a part of an answer, may take.
        retries: whether to read again where the API server is busy; `kube.retry` says how often.

    Raises:
        UnsupportedLoginError: the kubeconfig asks for something that this program does not know.
        LoginFailedError: its login plugin fails. A request raises it, too, when the plugin fails to renew the login.
        KubeconfigError: the kubeconfig cannot be used.

    """
    return client_of(find_access(kubeconfig=kubeconfig, context=context), seconds=seconds, retries=retries)


def client_of(access: Access, *, seconds: float = SECONDS, retries: bool = False) -> httpx.Client:
    """Client of the context's cluster. Takes and raises what `connect` does."""
    login = login_of(access)
    server = _server(access)
    transport = _Transport(access, login=login, proxy=_proxy(access, server))
    transport.prepare(login(None))
    return httpx.Client(
        base_url=server,
        transport=RetryTransport(transport) if retries else transport,
        headers=_impersonation(access),
        timeout=httpx.Timeout(seconds),
    )


class _Transport(httpx.BaseTransport):
    """Adds the login to each request; after the status 401 it asks once more with a renewed one.

    A connection carries the certificate it was opened with. So each certificate has connections of its own, and those
    of a former one stay for the answers that still come through them.
    """

    def __init__(self, access: Access, *, login: Login, proxy: str | None) -> None:
        self._access = access
        self._login = login
        self._proxy = proxy
        self._connections: dict[Certificate | None, httpx.HTTPTransport] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it."""
        credential = self._login(None)
        response = self._send(request, credential)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return response
        try:
            renewed = self._login(credential)
        except KubeconfigError:
            response.close()
            raise
        if renewed == credential:
            return response
        response.read()
        response.close()
        return self._send(request, renewed)

    def prepare(self, credential: Credential) -> httpx.HTTPTransport:
        """The connections with this certificate. Raises KubeconfigError if it cannot be used."""
        with self._lock:
            if credential.certificate not in self._connections:
                context = _tls(self._access, credential.certificate)
                self._connections[credential.certificate] = httpx.HTTPTransport(verify=context, proxy=self._proxy)
            return self._connections[credential.certificate]

    def close(self) -> None:
        """Close all connections."""
        for connections in self._connections.values():
            connections.close()

    def _send(self, request: httpx.Request, credential: Credential) -> httpx.Response:
        if credential.authorization:
            request.headers["Authorization"] = credential.authorization
        if self._access.cluster.server_name:
            request.extensions = {**request.extensions, "sni_hostname": self._access.cluster.server_name}
        return self.prepare(credential).handle_request(request)


def refusal_of(answer: httpx.Response) -> str:
    """Why the API server did not do what it was asked: the message of its answer, else the HTTP status."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or f"HTTP {answer.status_code}")


def _server(access: Access) -> str:
    """URL of the API server. One without a scheme is https if the kubeconfig has any certificate, as for kubectl."""
    cluster, user = access.cluster, access.user
    certificates = (cluster.authority, cluster.authority_file, user.certificate, user.certificate_file)
    scheme = "https" if cluster.insecure or any(certificates) else "http"
    server = cluster.server if "://" in cluster.server else f"{scheme}://{cluster.server}"
    _require_url(server, what="server", access=access)
    return server


def _require_url(text: str, *, what: str, access: Access) -> None:
    try:
        httpx.URL(text)
    except httpx.InvalidURL:
        # Neither the text nor the parser's problem is shown, because a password may be in both.
        raise access.error(f"{what} is not a URL; correct it") from None


def _proxy(access: Access, server: str) -> str | None:
    """The kubeconfig's proxy, else that of HTTPS_PROXY or HTTP_PROXY, unless the server is asked directly."""
    proxy = access.cluster.proxy
    address = httpx.URL(server)
    if not proxy and not _is_asked_directly(address.host):
        proxy = getproxies_environment().get(address.scheme, "")
        proxy = f"http://{proxy}" if proxy and "://" not in proxy else proxy
    if not proxy:
        return None
    _require_url(proxy, what="proxy", access=access)
    scheme = httpx.URL(proxy).scheme
    if scheme not in {"http", "https"}:
        remedy = "use one of the kind http or https"
        raise UnsupportedLoginError(f"{access.source}: proxies of the kind {scheme!r} are not supported; {remedy}")
    return proxy


def _is_asked_directly(host: str) -> bool:
    """Whether no proxy of the environment is for this host: it is a loopback address, or NO_PROXY names it.

    Go reads networks in NO_PROXY, such as 10.0.0.0/8, and Python does not.
    """
    if host == "localhost" or proxy_bypass(host):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in _networks_without_proxy())


def _networks_without_proxy() -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for text in getproxies_environment().get("no", "").split(","):
        with suppress(ValueError):  # the name of a host
            yield ipaddress.ip_network(text.strip(), strict=False)


def _impersonation(access: Access) -> list[tuple[str, str]]:
    """Headers that ask to act as another user."""
    user = access.user
    headers = [("Impersonate-User", user.impersonate), ("Impersonate-Uid", user.impersonate_uid)]
    headers += [("Impersonate-Group", group) for group in user.impersonate_groups]
    headers += [(f"Impersonate-Extra-{key}", text) for key, texts in user.impersonate_extra.items() for text in texts]
    return [(name, text) for name, text in headers if text]


def _tls(access: Access, certificate: Certificate | None) -> ssl.SSLContext:
    """How the cluster is trusted, with the client's certificate. Nothing of either is written to a disk."""
    authority = access.authority
    if access.cluster.insecure and authority is not None:
        raise access.error("it has both certificate-authority and insecure-skip-tls-verify; remove one of them")
    if authority is None:
        context = httpx.create_ssl_context(verify=not access.cluster.insecure)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate authority will do, as for kubectl
        try:
            context.load_verify_locations(cadata=authority.decode("ascii"))
        except (ssl.SSLError, ValueError) as problem:
            raise access.error("certificate-authority is not a certificate in PEM; correct it") from problem
    if certificate is not None:
        _load_certificate(context, certificate, access=access)
    return context


def _load_certificate(context: ssl.SSLContext, certificate: Certificate, *, access: Access) -> None:
    try:
        with ExitStack() as stack:
            chain, key = (stack.enter_context(_as_path(pem)) for pem in (certificate.chain, certificate.key))
            # With a password given, OpenSSL does not ask for one on the terminal.
            context.load_cert_chain(chain, key, password="")
    except (OSError, ValueError) as problem:  # ssl.SSLError is an OSError
        remedy = "both must be PEM, belong together, and the key must have no password"
        raise access.error(f"the client certificate and its key cannot be used: {remedy}") from problem


@contextmanager
def _as_path(content: bytes) -> Iterator[str]:
    """A path to read the content from, once. It is a pipe's, because ssl takes certificates from paths only."""
    reader, writer = os.pipe()
    try:
        with open(writer, "wb", buffering=0) as pipe:  # noqa: PTH123 - a file descriptor
            os.set_blocking(writer, False)
            if pipe.write(content) != len(content):
                raise ValueError("the certificate is larger than a pipe holds")
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)
