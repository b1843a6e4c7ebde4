"""Try the webhook of a part of the platform that is there already, with an object that is created in a dry run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from components.preflight.platform_facts import Controller, Controllers, UntoldError, ask
from components.settings.platform_parts import TITLES, Part
from kube.connection import refusal_of

# Name of the objects that are created in a dry run: the API server checks them and stores nothing.
TRIAL = "kserve-multi-model-trial"
# An object of each part that its webhook checks: API, plural, kind, spec.
TRIALS: Mapping[Part, tuple[str, str, str, Mapping[str, Any]]] = {
    "cert_manager": (
        "cert-manager.io/v1",
        "certificates",
        "Certificate",
        {"dnsNames": ["trial.example.com"], "issuerRef": {"name": TRIAL}, "secretName": TRIAL},
    ),
    "istio": (
        "networking.istio.io/v1",
        "virtualservices",
        "VirtualService",
        {"hosts": ["trial.example.com"], "http": [{"route": [{"destination": {"host": TRIAL}}]}]},
    ),
    "knative": (
        "serving.knative.dev/v1",
        "services",
        "Service",
        {"template": {"spec": {"containers": [{"image": "registry.example.com/trial:1"}]}}},
    ),
    "kserve": (
        "serving.kserve.io/v1beta1",
        "inferenceservices",
        "InferenceService",
        {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://trial/model"}}},
    ),
}
# Names of each part's webhooks, as its manifests have them.
OWN_WEBHOOKS: Mapping[Part, str] = {
    "cert_manager": r"(.+\.)?cert-manager\.io",
    "istio": r"(.+\.)?istio\.io",
    "knative": r"(.+\.)?serving\.knative\.dev",
    "kserve": r".+\.kserve-webhook-server\..+",
}
# Labels of the Deployment that answers the webhooks of a part, where that is not the controller's own.
WEBHOOK_DEPLOYMENTS: Mapping[Part, str] = {
    "cert_manager": "app.kubernetes.io/name=webhook,app.kubernetes.io/component=webhook",
    "knative": "app.kubernetes.io/name=knative-serving,app.kubernetes.io/component=webhook",
}
# What the API server says of a webhook that it could not call, of one that denied, and of a policy that denied. The
# first of them in a text counts: what follows are the words of others.
WORDS = re.compile(
    r"""failed\ calling\ webhook\ "(?P<silent>[^"]+)"
    | admission\ webhook\ "(?P<denied>[^"]+)"\ denied\ the\ request
    | admission\ webhook\ "(?P<no_dry_run>[^"]+)"\ does\ not\ support\ dry\ run
    | ValidatingAdmissionPolicy\ '(?P<policy>[^']+)'(\ with\ binding\ '[^']*')?\ denied\ request""",
    re.VERBOSE,
)
TOLD_BY_NO_ONE = {httpx.codes.UNAUTHORIZED, httpx.codes.TOO_MANY_REQUESTS}
FIRST_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a trial showed. Without both texts, the part's webhook accepted the object.

    Attributes:
        problem: why the part cannot be used.
        warning: who denied the object or its dry run, if that is not the part: a policy of the cluster.

    """

    problem: str | None = None
    warning: str | None = None


def try_webhook(client: httpx.Client, part: Part, *, namespace: str, installed_in: str) -> Verdict:
    """Create an object in a dry run, which the part's webhook has to accept.

    A policy engine may deny the object before that is seen. Then the pods of the webhook have to run. `installed_in` is
    the namespace of the part's controller.

    Raises:
        UntoldError: the cluster does not tell.
    """
    api, plural, kind, spec = TRIALS[part]
    trial = {"apiVersion": api, "kind": kind, "metadata": {"name": TRIAL, "namespace": namespace}, "spec": spec}
    answer = client.post(f"/apis/{api}/namespaces/{namespace}/{plural}", params={"dryRun": "All"}, json=trial)
    if answer.is_success:
        return Verdict()
    said = f"{refusal_of(answer)} (status {answer.status_code})"
    what = f"{kind} in namespace {namespace}, tried in a dry run"
    found = WORDS.search(refusal_of(answer))
    if found is None:
        return _unnamed(answer, part=part, what=what, said=said)
    webhook = found["silent"] or found["denied"] or found["no_dry_run"]
    is_own = bool(webhook and re.fullmatch(OWN_WEBHOOKS[part], webhook))
    if found["silent"]:
        whose = "" if is_own else f", which is not {TITLES[part]}'s,"
        return Verdict(
            problem=f"{TITLES[part]}: the webhook {webhook}{whose} cannot be called to check the {what}: {said}. "
            "Repair what answers it; it is in a ValidatingWebhookConfiguration or MutatingWebhookConfiguration"
        )
    if found["denied"] and is_own:
        return Verdict(problem=f"{TITLES[part]}: it accepts no {what}: {said}")
    if not _answers(client, part, namespace=installed_in):
        return Verdict(
            problem=f"{TITLES[part]}: the pods of its webhook do not run (Deployments with the labels "
            f"{WEBHOOK_DEPLOYMENTS[part]}). Repair it"
        )
    by = f"policy {found['policy']!r}" if found["policy"] else f"webhook {webhook!r}"
    does = "takes no dry run of" if found["no_dry_run"] else "denied"
    return Verdict(
        warning=f"{TITLES[part]}: the {by} of the cluster {does} the {what}: {said}. So its own webhook was not seen "
        "to accept one; the pods that answer for it run. What this stack declares may be denied, too"
    )


def _unnamed(answer: httpx.Response, *, part: Part, what: str, said: str) -> Verdict:
    """Verdict of an answer that names neither a webhook nor a policy."""
    by_login = answer.status_code == httpx.codes.FORBIDDEN and _is_of_the_login(said)
    if by_login or answer.status_code in TOLD_BY_NO_ONE or answer.status_code >= FIRST_SERVER_ERROR:
        raise UntoldError(
            f"{TITLES[part]}: the cluster does not tell whether its webhook accepts the {what}: {said}. Nothing is "
            "changed until it does. Try again, or use a login that may create one"
        )
    return Verdict(problem=f"{TITLES[part]}: the cluster accepts no {what}: {said}")


def _is_of_the_login(said: str) -> bool:
    """Whether it is the login that may not do this; quotas and other checks of the API server are forbidden, too."""
    return re.search(r"cannot create resource|^HTTP ", said) is not None


def _answers(client: httpx.Client, part: Part, *, namespace: str) -> bool:
    """Whether the pods of the part's webhook run. Those of a controller were looked at before."""
    if part not in WEBHOOK_DEPLOYMENTS:
        return True
    query = {"labelSelector": WEBHOOK_DEPLOYMENTS[part]}
    listed = ask(
        client, Controller.path(namespace=namespace), Controllers.model_validate, what=TITLES[part], query=query
    )
    return any(one.available > 0 for one in (listed.items if listed else ()))
