"""Check the domain of the cluster's Services against what the stack declares."""

from __future__ import annotations

import httpx2 as httpx
import pulumi

from components.settings.ingress import is_of_services
from components.settings.stack import Settings
from kube.cluster_domain import USUAL, cluster_domain


def domain_problem(client: httpx.Client, settings: Settings) -> str | None:
    """Why `ingress.domain` cannot be used in this cluster, or None. Warns where the cluster's domain is unusual.

    Raises:
        httpx.HTTPError: the cluster does not answer.
    """
    found = cluster_domain(client.get("/version"))
    if found is None or found == USUAL:
        return None
    if is_of_services(settings.ingress.domain, cluster=found):
        return (
            f"ingress.domain: {settings.ingress.domain!r} is the cluster's own domain, as the certificate of its API "
            "server says, and the gateway does not serve its hosts; choose another, like models.example.com"
        )
    pulumi.log.warn(
        f"the domain of the cluster's Services is {found}, as the certificate of its API server says. Istio, graphs, "
        f"bandits, models that are cluster-local and the monitoring are declared for {USUAL}, and were not tried with "
        "another"
    )
    return None
