"""What the answer to an object in a dry run says of a part's webhook, in the words of Kubernetes 1.34's API server."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import httpx2 as httpx
import pytest

from components.preflight.platform_facts import UntoldError
from components.preflight.webhook_trial import WEBHOOK_DEPLOYMENTS, Verdict, try_webhook
from components.settings.platform_parts import PARTS, Part
from tests.unit.components.preflight.cluster_with_platform import NAMESPACES, PlatformServer
from tests.unit.predict.server import serving

KSERVE = "inferenceservice.kserve-webhook-server.defaulter"
CALL = 'Post "https://kserve-webhook-server-service.kserve.svc:443/mutate?timeout=10s"'
NO_LOGIN = (
    'inferenceservices.serving.kserve.io is forbidden: User "jo" cannot create resource "inferenceservices" in API '
    'group "serving.kserve.io" in the namespace "default"'
)
QUOTA = (
    'inferenceservices.serving.kserve.io "kserve-multi-model-trial" is forbidden: exceeded quota: models, requested: '
    "count/inferenceservices.serving.kserve.io=1, used: 5, limited: 5"
)
KYVERNO = (
    'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource InferenceService/default/'
    "kserve-multi-model-trial was blocked due to the following policies \n\nrequire-labels:\n  check-team: 'validation "
    "error: The label team is required.'"
)
GATEKEEPER = 'admission webhook "validation.gatekeeper.sh" denied the request: [must-have-team] you must provide labels'
BY_POLICY = (
    "inferenceservices.serving.kserve.io \"kserve-multi-model-trial\" is forbidden: ValidatingAdmissionPolicy 'teams' "
    "with binding 'teams-everywhere' denied request: every object needs the label team"
)
NO_DRY_RUN = 'admission webhook "guard.corp.example" does not support dry run'


@pytest.fixture
def api() -> Iterator[PlatformServer]:
    with serving() as server:
        yield PlatformServer(server, *PARTS)


def verdict(api: PlatformServer, status: int, message: str, *, part: Part = "kserve") -> Verdict:
    api.trial(part, {"kind": "Status", "status": "Failure", "message": message, "code": status}, status=status)
    with httpx.Client(base_url=api.server.address) as client:
        return try_webhook(client, part, namespace="default", installed_in=NAMESPACES[part])


def has_webhook_pods(api: PlatformServer, part: Part, *available: int) -> None:
    items = [{"metadata": {"name": "webhook"}, "status": {"availableReplicas": number}} for number in available]
    query = urlencode({"labelSelector": WEBHOOK_DEPLOYMENTS[part]})
    api.answer(f"/apis/apps/v1/namespaces/{NAMESPACES[part]}/deployments?{query}", {"items": items})


def test_a_part_that_accepts_the_object_has_no_problem(api: PlatformServer) -> None:
    assert verdict(api, 201, "") == Verdict()


@pytest.mark.parametrize(
    "reason",
    [
        f"failed to call webhook: {CALL}: dial tcp 10.0.0.1:443: connect: connection refused",
        f"failed to call webhook: {CALL}: tls: failed to verify certificate: x509: certificate signed by unknown "
        "authority",
        f'failed to call webhook: {CALL}: no endpoints available for service "kserve-webhook-server-service"',
        f"failed to call webhook: {CALL}: context deadline exceeded",
        'could not get REST client: unable to load root certificates: admission webhook "a" denied the request',
    ],
)
def test_a_webhook_that_cannot_be_called_is_a_problem(api: PlatformServer, reason: str) -> None:
    given = verdict(api, 500, f'Internal error occurred: failed calling webhook "{KSERVE}": {reason}')
    assert given.warning is None
    assert (given.problem or "").startswith(
        f"KServe: the webhook {KSERVE} cannot be called to check the InferenceService"
    )
    assert reason in (given.problem or "")


def test_a_policy_engine_that_cannot_be_called_is_not_taken_for_the_part(api: PlatformServer) -> None:
    down = 'failed calling webhook "validate.kyverno.svc-fail": failed to call webhook: connect: connection refused'
    given = verdict(api, 500, f"Internal error occurred: {down}")
    assert "webhook validate.kyverno.svc-fail, which is not KServe's, cannot be called" in (given.problem or "")


@pytest.mark.parametrize(
    ("part", "webhook"),
    [
        ("kserve", "inferenceservice.kserve-webhook-server.validator"),
        ("kserve", "inferenceservice.kserve-webhook-server.v1beta1.validator"),
        ("knative", "validation.webhook.serving.knative.dev"),
        ("istio", "rev.validation.istio.io"),
        ("cert_manager", "webhook.cert-manager.io"),
    ],
)
def test_a_part_that_denies_a_valid_object_is_a_problem(api: PlatformServer, part: Part, webhook: str) -> None:
    given = verdict(api, 400, f'admission webhook "{webhook}" denied the request: no', part=part)
    assert given.warning is None
    assert "it accepts no" in (given.problem or "")


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (400, KYVERNO, "webhook 'validate.kyverno.svc-fail' of the cluster denied"),
        (403, GATEKEEPER, "webhook 'validation.gatekeeper.sh' of the cluster denied"),
        # A webhook chooses the status of its denial; in later versions the API server has a prefix of its own.
        (500, f"Internal error occurred: {GATEKEEPER}", "webhook 'validation.gatekeeper.sh' of the cluster denied"),
        (422, BY_POLICY, "policy 'teams' of the cluster denied"),
        (400, NO_DRY_RUN, "webhook 'guard.corp.example' of the cluster takes no dry run of"),
        (403, 'admission webhook "w.corp.example" denied the request without explanation', "webhook 'w.corp.example'"),
        (403, f'{GATEKEEPER} failed calling webhook "{KSERVE}": x', "webhook 'validation.gatekeeper.sh'"),
    ],
)
def test_what_a_policy_denies_is_a_warning_with_its_words(
    api: PlatformServer, status: int, message: str, words: str
) -> None:
    given = verdict(api, status, message)
    assert given.problem is None
    assert words in (given.warning or "")
    assert f"{message} (status {status})" in (given.warning or "")


@pytest.mark.parametrize("part", ["cert_manager", "knative"])
def test_behind_a_policys_denial_the_pods_of_the_webhook_have_to_run(api: PlatformServer, part: Part) -> None:
    for available in ((), (0,)):
        has_webhook_pods(api, part, *available)
        assert "the pods of its webhook do not run" in (verdict(api, 403, GATEKEEPER, part=part).problem or "")
    has_webhook_pods(api, part, 1)
    assert verdict(api, 403, GATEKEEPER, part=part).problem is None


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "Unauthorized"), (403, NO_LOGIN), (403, ""), (429, "Too many requests"), (500, "etcd"), (503, "")],
)
def test_a_cluster_that_does_not_tell_stops_the_run(api: PlatformServer, status: int, message: str) -> None:
    with pytest.raises(UntoldError, match=rf"^KServe: the cluster does not tell .*\(status {status}\)"):
        verdict(api, status, message)


@pytest.mark.parametrize(("status", "message"), [(403, QUOTA), (404, "the server could not find the requested")])
def test_any_other_refusal_is_a_problem_in_its_own_words(api: PlatformServer, status: int, message: str) -> None:
    given = verdict(api, status, message)
    assert given.warning is None
    assert given.problem == (
        "KServe: the cluster accepts no InferenceService in namespace default, tried in a dry run: "
        f"{message} (status {status})"
    )
