"""The domain of a cluster's Services."""

from __future__ import annotations

import httpx2 as httpx

# The domain where nothing else is configured.
USUAL = "cluster.local"
# Name of the API server's own Service; its certificate is for this name in the cluster's domain, too.
API_SERVER = "kubernetes.default.svc."


def cluster_domain(answer: httpx.Response) -> str | None:
    """The cluster's domain, by the certificate of the API server that gave an answer.

    None where the certificate does not tell, as one of a load balancer in front, or one that is not verified.
    """
    stream = answer.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream else None
    certificate = tls.getpeercert() if tls else None
    names = [name for kind, name in (certificate or {}).get("subjectAltName", ()) if kind == "DNS"]
    domains = {name.removeprefix(API_SERVER) for name in names if name.startswith(API_SERVER)}
    return USUAL if USUAL in domains else min(domains, default=None)
