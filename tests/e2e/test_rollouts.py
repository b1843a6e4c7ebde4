"""Changes of what is deployed, under load: rolled out, on trial, promoted, rolled back, failed, renamed, removed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from math import sqrt
from typing import Any

import httpx2 as httpx
import pytest
from pydantic import JsonValue

from benchmarks.load import Load, Shots, Target, switched
from tests.e2e.cluster_objects import all_objects, kubectl
from tests.e2e.machine import Completed, Deployment, need, run
from tests.e2e.models_on_platform import models_on_platform

NAMESPACE = "rollouts"
INSTANCES: list[JsonValue] = [[6.5, 3.0, 5.5, 2.0], [5.9, 2.8, 4.3, 1.3]]
OLD, NEW, NOWHERE = "s3://models/xgboost", "s3://models/xgboost-v2", "s3://models/nowhere"
STANDARD = {"mode": "Standard"}
# How far a share may be off, in standard deviations: by chance, one time in a million.
SIGMAS = 5
EPSILON = 0.5


def model(name: str, storage_uri: str, **more: object) -> dict[str, Any]:
    return {"name": name, "format": "xgboost", "storage": "demo", "storage_uri": storage_uri, **more}


def deploy(deployment: Deployment, *models: dict[str, Any]) -> Completed:
    """`pulumi up` with these models."""
    deployment.configure(models=models)
    return deployment.pulumi("up", "--yes", "--skip-preview")


def target(deployment: Deployment, name: str, **headers: str) -> Target:
    endpoint = next(iter(deployment.endpoints().values()))
    return Target(
        gateway=endpoint["gateway_address"],
        host=f"{name}.{NAMESPACE}.example.com",
        path=f"/v1/models/{name}:predict",
        instances=INSTANCES,
        headers=headers,
    )


def is_new(predictions: list[Any]) -> bool:
    """The second version says how sure it is of the other class."""
    return bool(predictions[0] < 0.5)


def share_of_new(shots: Shots) -> float:
    return len(shots.where(is_new)) / len(shots)


def asked(load: Load, *, more: int) -> Shots:
    """Requests from now on."""
    since = load.now
    while len(shots := load.shots.between(since, load.now)) < more:
        time.sleep(0.2)
    return shots


@pytest.fixture(scope="module")
def up(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Two models in each mode."""
    plain = (model(name, OLD, **STANDARD) for name in ("plain-changing", "plain-moving"))
    models, directory = (model("changing", OLD), model("moving", OLD), *plain), tmp_path_factory.mktemp("stack")
    with models_on_platform(NAMESPACE, *models, directory=directory, deployment=deployment) as up:
        yield up


@pytest.mark.journey
@pytest.mark.feature("a new version without a failed request")
def test_a_new_version_rolls_out_without_a_failed_request(up: Deployment) -> None:
    with Load(target(up, "changing")) as load:
        time.sleep(3)
        plain = (model(name, OLD, **STANDARD) for name in ("plain-changing", "plain-moving"))
        done = deploy(up, model("changing", NEW, replicas={"min": 2, "max": 2}), model("moving", OLD), *plain)
        ended = load.now
        time.sleep(5)
    assert done.status == 0, done.text[-4000:]
    assert not load.shots.failures, load.shots.summary
    first, last = switched(load.shots, new=is_new)
    assert last < first + 5
    assert last <= ended, f"the old version answered {last - ended:.1f} s after the end of `pulumi up`"


@pytest.mark.feature("the old version answers on while a new one fails", mode="both")
@pytest.mark.feature("the old name answers on while the new one fails", mode="both")
def test_what_fails_leaves_what_was_there_answering(up: Deployment) -> None:
    """Files that are nowhere: of new versions, and of models under new names."""
    nowhere = {"storage_uri": NOWHERE, "timeout": 30}
    names = ("changing", "moving", "plain-changing", "plain-moving")
    with ExitStack() as asking:
        loads = {name: asking.enter_context(Load(target(up, name), clients=2, rate=10)) for name in names}
        failed = deploy(
            up,
            model("changing", NEW) | nowhere,
            model("moved", OLD) | nowhere,
            model("plain-changing", OLD, **STANDARD) | nowhere,
            model("plain-moved", OLD, **STANDARD) | nowhere,
        )
        time.sleep(5)
    assert failed.status != 0
    missing = [name for name in ("changing", "moved", "plain-changing", "plain-moved") if name not in failed.text]
    assert missing == [], failed.text[-4000:]
    assert {name: load.shots.summary for name, load in loads.items() if load.shots.failures} == {}
    assert {name: share_of_new(load.shots) for name, load in loads.items()} == dict.fromkeys(names, 0) | {"changing": 1}


@pytest.mark.feature("a renamed model answers under its old name until it does under the new one", mode="both")
def test_a_right_uri_converges_and_a_rename_leaves_no_gap(up: Deployment) -> None:
    with ExitStack() as asking:
        loads = {
            name: asking.enter_context(Load(target(up, name), clients=2, rate=10))
            for name in ("moving", "moved", "plain-moving", "plain-moved")
        }
        plain = (model(name, OLD, **STANDARD) for name in ("plain-changing", "plain-moved"))
        done = deploy(up, model("changing", NEW), model("moved", OLD), *plain)
        time.sleep(3)
    assert done.status == 0, done.text[-4000:]
    for old, new in ((loads["moving"], loads["moved"]), (loads["plain-moving"], loads["plain-moved"])):
        answered = [new.started + shot.at + shot.took for shot in new.shots.all if shot.answer]
        unanswered = [old.started + shot.at + shot.took for shot in old.shots.failures]
        assert answered, new.shots.summary
        assert unanswered, "the old name still answers"
        assert min(answered) < min(unanswered), f"nobody answered for {min(unanswered) - min(answered):.1f} s"
        late = [shot for shot in new.shots.failures if new.started + shot.at > min(answered)]
        assert not late, new.shots.summary
    for name, share in (("changing", 1), ("plain-changing", 0)):
        with Load(target(up, name), clients=2) as load:
            assert share_of_new(asked(load, more=20)) == share


@pytest.mark.feature("a canary without a failed request")
def test_a_canary_gets_its_share_without_a_failed_request(up: Deployment) -> None:
    need("bandit")
    with Load(target(up, "changing")) as load:
        for percent, more in ((10, {}), (50, {"bandit": {"epsilon": EPSILON}})):
            canary = {"traffic": percent, **more}
            done = deploy(up, model("changing", OLD, canary=canary), model("moved", OLD))
            assert done.status == 0, done.text[-4000:]
            shots = asked(load, more=300)
            share, deviation = percent / 100, sqrt(percent * (100 - percent)) / 100 / sqrt(len(shots))
            assert abs(1 - share_of_new(shots) - share) < SIGMAS * deviation, f"{len(shots)} requests"
    assert not load.shots.failures, load.shots.summary


@pytest.mark.feature("a request's header chooses the version (A/B test)")
def test_a_header_chooses_the_version(up: Deployment) -> None:
    """Both answer now, each to half of the requests."""
    versions = up.endpoints()["changing"]["versions"]
    answers = {}
    for name, headers in versions.items():
        with Load(target(up, "changing", **headers), clients=2) as load:
            answers[name] = asked(load, more=20)
    assert all(not shots.failures for shots in answers.values())
    assert {name: share_of_new(shots) for name, shots in answers.items()} == {"latest": 0, "prev": 1}


@pytest.mark.feature("an ε-greedy bandit over two versions")
def test_rewards_move_the_bandits_split_and_outlive_its_pod(up: Deployment) -> None:
    """The version on trial earns all the rewards there are; asked for directly, it still gets its half."""
    endpoint = up.endpoints()["changing"]
    with httpx.Client(base_url=endpoint["gateway_address"], headers={"Host": endpoint["bandit"]}, timeout=60) as bandit:
        arms = [predicted(bandit, reward=True) for _ in range(40)]
        assert {*arms} == {"latest", "prev"}
        before = bandit.get("/split").raise_for_status().json()
        assert {arm: shown["rewards"] for arm, shown in before["arms"].items()} == {a: arms.count(a) for a in {*arms}}
        assert before["arms"]["latest"] | {"rewards": 0} == {"rewards": 0, "mean": 1, "share": 1 - EPSILON / 2}

        labels = ("-l", "app.kubernetes.io/instance=changing-bandit")
        (pod,) = kubectl(up, "-n", NAMESPACE, "get", "pods", *labels)["items"]
        killed = run("kubectl", "-n", NAMESPACE, "delete", "pod", pod["metadata"]["name"], env=up.environment)
        assert killed.status == 0, killed.text
        restarted = ("rollout", "status", "deployment/changing-bandit", "--timeout=180s")
        assert run("kubectl", "-n", NAMESPACE, *restarted, env=up.environment).status == 0
        deadline = time.monotonic() + 30
        while (answer := bandit.get("/split")).status_code != 200:
            assert time.monotonic() < deadline, "the gateway does not find the new pod"
            time.sleep(1)
        assert answer.json() == before

        asked = [predicted(bandit) for _ in range(100)]
    deviation = sqrt(EPSILON / 2 * (1 - EPSILON / 2) / len(asked))
    assert abs(asked.count("latest") / len(asked) - (1 - EPSILON / 2)) < SIGMAS * deviation
    unmoved = up.pulumi("preview", "--refresh", "--expect-no-changes")
    assert unmoved.status == 0, unmoved.text[-4000:]


def predicted(bandit: httpx.Client, *, reward: bool = False) -> str:
    """The version that answered a request; rewarded by the request's name, the one on trial with 1."""
    answer = bandit.post("/predict", json={"instances": INSTANCES}).raise_for_status()
    arm = answer.headers["Bandit-Arm"]
    assert is_new(answer.json()["predictions"]) == (arm == "prev")
    if reward:
        earned = {"request": answer.headers["Bandit-Request"], "reward": int(arm == "latest")}
        bandit.post("/rewards", json=earned).raise_for_status()
    return str(arm)


@pytest.mark.feature("promote and roll back without a failed request")
def test_a_canary_is_promoted_and_rolled_back_without_a_failed_request(up: Deployment) -> None:
    with Load(target(up, "changing")) as load:
        assert deploy(up, model("changing", OLD), model("moved", OLD)).status == 0
        assert share_of_new(asked(load, more=50)) == 0
        assert deploy(up, model("changing", OLD, canary={"traffic": 0}), model("moved", OLD)).status == 0
        assert share_of_new(asked(load, more=50)) == 1
    assert not load.shots.failures, load.shots.summary
    assert not [entry for entry in all_objects(up) if "changing-bandit" in entry]


@pytest.mark.feature("models move to another namespace, and go from the old one last", proof="objects")
def test_in_another_namespace_the_new_is_made_before_the_old_is_deleted(up: Deployment) -> None:
    before = up.stack_file.read_text()
    assert run("kubectl", "create", "namespace", "elsewhere", env=up.environment).status == 0
    up.configure(cluster={"namespace": "elsewhere"})
    try:
        preview = up.pulumi("preview", "--json", "--show-replacement-steps")
    finally:
        up.stack_file.write_text(before)
        assert run("kubectl", "delete", "namespace", "elsewhere", env=up.environment).status == 0
    assert preview.status == 0, preview.text[-4000:]
    steps = [(step["op"], step["urn"]) for step in json.loads(preview.stdout)["steps"]]
    kind = "v1beta1:InferenceService::"
    moved = {urn for op, urn in steps if op == "create-replacement" and kind in urn}
    assert {urn.partition(kind)[2] for urn in moved} >= {"changing", "moved"}
    assert all(steps.index(("create-replacement", urn)) < steps.index(("delete-replaced", urn)) for urn in moved)
    made = [op for op, urn in steps if urn.endswith("v1:ServiceAccount::elsewhere/demo")]
    gone = [op for op, urn in steps if urn.endswith(f"v1:ServiceAccount::{NAMESPACE}/demo")]
    assert (made, gone) == (["create"], ["delete"])


@pytest.mark.feature("removal of one model")
def test_a_model_that_is_left_out_is_removed_and_nothing_else(up: Deployment) -> None:
    before = all_objects(up)
    services = kubectl(up, "-n", NAMESPACE, "get", "inferenceservices")["items"]
    generations = {item["metadata"]["name"]: item["metadata"]["generation"] for item in services}
    done = deploy(up, model("changing", OLD, canary={"traffic": 0}))
    assert done.status == 0, done.text[-4000:]
    # An address is called like its number; what is called by no name goes with its Service.
    gone = {e for e in before - all_objects(up) if "changing" not in e and not e.startswith("IPAddress/")}
    assert f"InferenceService/{NAMESPACE}/moved" in gone
    assert all("moved" in entry for entry in gone), sorted(gone)
    assert "moved" not in up.endpoints()
    services = kubectl(up, "-n", NAMESPACE, "get", "inferenceservices")["items"]
    assert {i["metadata"]["name"]: i["metadata"]["generation"] for i in services} == {
        name: generation for name, generation in generations.items() if name != "moved"
    }
