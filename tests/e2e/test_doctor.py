"""`predict doctor`, `status` and `logs` on a healthy deployment and on two dozen real faults."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment as Workload
from lightkube.resources.core_v1 import ServiceAccount

from tests.e2e.faults import FAULTS, NAMESPACE, TIGHT, Fault, change_canary, injected
from tests.e2e.machine import ROOT, Completed, Deployment, run
from tests.store_table import Case, StoreEvidence

WELL, NOT_READY = 0, 2
SECONDS = 240  # it takes a minute and a half on a quiet machine
NAMES_CAUSE = pytest.mark.feature("`predict doctor` names the cause", mode="both")


def findings(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for check in report["checks"] for finding in check["findings"] if not finding["note"]]


def of_model(report: dict[str, Any], fault: Fault) -> list[dict[str, Any]]:
    return [
        finding
        for finding in findings(report)
        if (finding["namespace"], finding["name"]) == (fault.namespace, fault.name)
    ]


def doctor(deployment: Deployment, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = deployment.predict("doctor", "--json", "--lang", "en", *arguments)
    assert done.stdout, done.text
    report: dict[str, Any] = json.loads(done.stdout)
    return done.status, report


@pytest.mark.journey
@pytest.mark.feature("`predict doctor` on a healthy deployment", mode="Knative")
def test_a_healthy_deployment_is_well(deployment: Deployment) -> None:
    endpoints = deployment.endpoints()
    done = deployment.predict("doctor", "--json", "--lang", "en", stdin=json.dumps(endpoints))
    report = json.loads(done.stdout)
    assert findings(report) == []
    assert {check["state"] for check in report["checks"]} <= {"ok", "note"}
    assert done.status == WELL
    models = [check["text"] for check in report["checks"] if check["name"] == "model"]
    declared = [name for name, endpoint in endpoints.items() if endpoint["protocol"] != "graph"]
    assert len(models) == len(declared)
    assert all(" is ready: " in text for text in models)
    assert f"models answer through the gateway: {len(declared)}" in {check["text"] for check in report["checks"]}
    written = deployment.predict("doctor", "-n", "default", "--lang", "zh")
    assert written.status == WELL
    assert "一切正常" in written.stdout


@pytest.mark.journey
@pytest.mark.feature("`predict status`", mode="Knative")
def test_status_of_healthy_models(deployment: Deployment) -> None:
    shown = deployment.predict("status", "-n", "default", "--lang", "en")
    assert shown.status == WELL, shown.text
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert rows[0][:4] == ["namespace", "name", "ready", "traffic"]
    sklearn = next(row for row in rows if row[1] == "sklearn-model")
    assert sklearn[2] == "yes"
    assert "http://sklearn-model.default.example.com" in sklearn


@pytest.mark.journey
@pytest.mark.feature("`predict logs`", mode="Knative")
def test_logs_of_the_server_and_of_what_ran_before_it(deployment: Deployment) -> None:
    server = deployment.predict("logs", "sklearn-model", "--tail", "3")
    assert server.status == WELL, server.text
    assert len(server.stdout.splitlines()) == 3
    fetched = deployment.predict("logs", "sklearn-model", "-c", "storage-initializer")
    assert "s3://models/sklearn" in fetched.stdout
    both = deployment.predict("logs", "sklearn-model", "-c", "all", "--tail", "1").stdout.splitlines()
    assert {line.partition("] ")[0].rpartition("/")[2] for line in both} >= {"kserve-container", "queue-proxy"}
    unknown = deployment.predict("logs", "sklearn-model", "-c", "nothing", "--lang", "en")
    assert unknown.status == 64
    assert "There are: kserve-container, queue-proxy, storage-initializer" in unknown.stderr


def test_followed_logs_end_at_ctrl_c(deployment: Deployment) -> None:
    command = [sys.executable, "-m", "predict", "logs", "sklearn-model", "--follow", "--tail", "1", "--lang", "en"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=deployment.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore SIGINT, and so would this one if the tests are one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as following:
        assert following.stdout is not None
        assert following.stdout.readline()
        following.send_signal(signal.SIGINT)
        _, said = following.communicate(timeout=20)
    assert (following.returncode, said) == (130, "Interrupted.\n")


@pytest.fixture(scope="module")
def faulty(deployment: Deployment) -> Iterator[Deployment]:
    """All faults in the cluster at once."""
    with injected(deployment.client()):
        yield deployment


@pytest.fixture(scope="module")
def diagnosed(faulty: Deployment) -> dict[str, list[dict[str, Any]]]:
    """What the doctor finds of each model once it names its cause, or at the end of the time."""
    client = faulty.client()
    found: dict[str, list[dict[str, Any]]] = {}
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        status, report = doctor(faulty)
        assert status == NOT_READY
        open_ones = [fault for fault in FAULTS if fault.cause not in _ids(found.get(fault.name, []))]
        found |= {fault.name: of_model(report, fault) for fault in open_ones}
        change_canary(client)
        if all(fault.cause in _ids(found[fault.name]) for fault in FAULTS):
            break
        time.sleep(3)
    return found


def _ids(found: list[dict[str, Any]]) -> list[str]:
    return [finding["id"] for finding in found]


@NAMES_CAUSE
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_cause_is_named(diagnosed: dict[str, list[dict[str, Any]]], fault: Fault) -> None:
    found = diagnosed[fault.name]
    assert fault.cause in _ids(found), found
    assert _ids(found)[0] == (fault.after or fault.cause)
    finding = found[_ids(found).index(fault.cause)]
    evidence = " ".join(f"{item['source']}: {item['text']}" for item in finding["evidence"])
    said = " ".join((finding["title"], evidence, finding["advice"]))
    assert [words for words in fault.says if words not in said] == [], said
    assert finding["advice"]
    assert "?" not in finding["title"]


def test_words_of_the_store_for_wrong_and_missing_keys(
    diagnosed: dict[str, list[dict[str, Any]]], store_evidence: StoreEvidence
) -> None:
    cases: tuple[tuple[Case, str, str], ...] = (
        ("wrong", "refused", "storage-keys-refused"),
        ("missing", "keyless", "storage-keys-missing"),
    )
    for case, name, cause in cases:
        found = next(finding for finding in diagnosed[name] if finding["id"] == cause)
        said = found["evidence"][0]["text"]
        store_evidence.saw(case, said, kind="s3", credential="keys", server="versitygw", where="pod")


def test_status_gives_each_cause_a_line(faulty: Deployment, diagnosed: dict[str, list[dict[str, Any]]]) -> None:
    assert diagnosed
    shown = faulty.predict("status", "-n", TIGHT, "--lang", "en")
    assert shown.status == NOT_READY
    assert "quota tight leaves no room" in shown.stdout
    rows = json.loads(faulty.predict("status", "-n", NAMESPACE, "--json").stdout)["models"]
    canary = next(row for row in rows if row["name"] == "canary")
    assert "00001 100 %" in canary["traffic"]
    assert {row["name"] for row in rows if row["ready"]} == set()


def test_logs_say_why_there_are_none(faulty: Deployment, diagnosed: dict[str, list[dict[str, Any]]]) -> None:
    assert diagnosed
    none = faulty.predict("logs", "quota", "--lang", "en")
    assert (none.status, none.stdout) == (NOT_READY, "")
    assert "There are no pods of quota:" in none.stderr
    assert "quota tight leaves no room" in none.stderr
    waiting = faulty.predict("logs", "nodes", "--lang", "en")
    assert waiting.status == NOT_READY
    assert "nodes may run on none of the nodes" in waiting.stderr
    failed = faulty.predict("logs", "prefix", "--lang", "en")
    assert "No model found in nothing-here" in failed.stdout
    missing = faulty.predict("logs", "no-such-model", "--lang", "en")
    assert missing.status == NOT_READY
    assert "there is no InferenceService no-such-model" in missing.stderr


@pytest.mark.journey
@NAMES_CAUSE
def test_a_stack_s_model_that_is_not_there_and_a_wrong_host(deployment: Deployment) -> None:
    endpoint = deployment.endpoints()["sklearn-model"]
    spoiled = {
        "absent": endpoint | {"name": "absent"},
        "sklearn-model": endpoint | {"host": "sklearn-model.default.elsewhere.com"},
        "nowhere": endpoint | {"name": "nowhere", "namespace": "no-such-namespace"},
    }
    done = deployment.predict("doctor", "--json", "--lang", "en", stdin=json.dumps(spoiled))
    assert done.status == NOT_READY
    found = {(finding["name"], finding["id"]) for finding in findings(json.loads(done.stdout))}
    assert found == {
        ("absent", "model-missing"),
        ("nowhere", "namespace-missing"),
        ("sklearn-model", "host-differs"),
        ("sklearn-model", "no-route"),
    }


def test_what_may_not_be_read_is_never_all_right(deployment: Deployment, tmp_path: Path) -> None:
    """An account without rights: no check that needs them passes."""
    client = deployment.client()
    client.create(ServiceAccount(metadata=ObjectMeta(name="stranger", namespace="default")))
    try:
        token = run("kubectl", "create", "token", "stranger", env=deployment.environment).stdout.strip()
        document = yaml.safe_load(Path(deployment.environment["KUBECONFIG"]).read_text())
        for user in document["users"]:
            user["user"] = {"token": token}
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(document))
        status, report = doctor(deployment, "--kubeconfig", str(kubeconfig))
    finally:
        client.delete(ServiceAccount, "stranger", namespace="default")
    assert status == NOT_READY
    assert findings(report) == []
    states = {(check["section"], check["name"]): check["state"] for check in report["checks"]}
    assert states.pop(("cluster", "api")) == "ok"  # everybody may ask for the version
    assert set(states.values()) == {"unread"}
    assert any("inferenceservices" in reason for check in report["checks"] for reason in check["unread"])


@pytest.fixture
def stopped(deployment: Deployment) -> Iterator[Callable[[str, str], None]]:
    """Scales a Deployment of the platform to nothing, and back after the test."""
    client = deployment.client()
    taken: list[tuple[str, str]] = []

    def stop(namespace: str, name: str) -> None:
        # Knative's operator would start its part again.
        operator = [("knative-operator", "knative-operator")] if namespace == "knative-serving" else []
        for where, what in (*operator, (namespace, name)):
            taken.append((where, what))
            client.patch(Workload, what, {"spec": {"replicas": 0}}, namespace=where)

    yield stop
    for namespace, name in taken:
        client.patch(Workload, name, {"spec": {"replicas": 1}}, namespace=namespace)
    end = time.monotonic() + 120
    for namespace, name in taken:
        while not (found := client.get(Workload, name, namespace=namespace).status) or not found.readyReplicas:
            assert time.monotonic() < end, f"{name} does not come back"
            time.sleep(1)


@NAMES_CAUSE
@pytest.mark.parametrize(
    ("namespace", "name", "causes", "says"),
    [
        (
            "kserve",
            "kserve-controller-manager",
            ["kserve-controller-down", "webhook-down"],
            ["KServe's kserve-controller-manager does not run", "kserve/kserve-webhook-server-service"],
        ),
        (
            "knative-serving",
            "webhook",
            ["knative-part-down", "webhook-down"],
            ["Knative's webhook does not run", "knative-serving/webhook"],
        ),
        ("knative-serving", "controller", ["knative-part-down"], ["Knative's controller does not run"]),
        (
            "istio-system",
            "istio-ingressgateway",
            ["gateway-down", "gateway-unreachable"],
            ["no pod of the gateway istio-system/istio-ingressgateway is ready", "0 of 0 pods are ready"],
        ),
    ],
)
def test_a_part_of_the_platform_that_is_down(
    deployment: Deployment,
    stopped: Callable[[str, str], None],
    namespace: str,
    name: str,
    causes: list[str],
    says: list[str],
) -> None:
    stopped(namespace, name)
    end = time.monotonic() + 120
    while True:
        status, report = doctor(deployment, "-n", "default")
        found = findings(report)
        said = json.dumps(found)
        is_named = set(causes) <= set(_ids(found)) and all(words in said for words in says)
        if is_named or time.monotonic() > end:
            break
        time.sleep(2)
    assert set(causes) <= set(_ids(found)), _ids(found)
    assert _ids(found)[0] == causes[0]
    assert status == NOT_READY
    assert [words for words in says if words not in said] == []


def test_all_is_well_again(deployment: Deployment) -> None:
    answered: Completed | None = None
    end = time.monotonic() + 60
    while time.monotonic() < end:
        answered = deployment.predict("doctor", "-n", "default", "--lang", "en")
        if answered.status == WELL:
            break
        time.sleep(2)
    assert answered is not None
    assert answered.status == WELL, answered.text
    assert "Nothing is wrong" in answered.stdout
