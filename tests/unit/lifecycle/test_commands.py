"""What the lifecycle commands call, in which order, and how they end; with a program in place of Pulumi."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from components.ownership.stack_identity import KUBERNETES_PROVIDER
from lifecycle.own_cluster import IDENTITY_TYPE
from tests.lifecycle_project import DEMO, SERVER, Project
from tests.unit.components.kubernetes import UID, have_uid, kubeconfig
from tests.unit.predict.server import serving

SALT = "encryptionsalt: v1:a=:v1:b:c==\n"
# Writes down each call, and ends an operation with the status that a test planned for it; a planned `INT` is Ctrl-C.
PULUMI = """\
#!/bin/sh
[ "$1" = --non-interactive ] && shift
echo "pulumi $*" | sed 's/ --event-log [^ ]*//; s/ --stack dev$//' >> calls
case "$*" in
  version) echo v3.259.0 ;;
  "stack select"*)
    [ ! -e planned/pulumi-select ] || { echo "error: the state is unreadable" >&2; exit 1; }
    [ -e stack ] || { echo "error: no stack named 'dev' found" >&2; exit 6; } ;;
  "stack init"*)
    [ ! -e planned/pulumi-init ] || { echo "error: incorrect passphrase" >&2; exit 1; }
    echo "encryptionsalt: v1:a=:v1:b:c==" >> Pulumi.dev.yaml; touch stack ;;
  "stack export"*) cat state ;;
  "stack output"*) echo '{}' ;;
  "stack history"*) cat history ;;
  "stack rm"*) rm stack ;;
  "config set"*)
    grep -q cluster: Pulumi.dev.yaml || echo "  kserve-multi-model:cluster: {context: kind}" >> Pulumi.dev.yaml ;;
  up*|preview*|refresh*|destroy*)
    echo "with $PULUMI_OPTION_CONFIG_FILE"
    echo "$KUBECONFIG $TMPDIR" > used; echo key > "$TMPDIR/kubeconfig1"
    case "$*" in *preview-only*|preview*) ./tell-summary "$@" ;; esac
    planned=$(cat "planned/pulumi-$1" 2>/dev/null || echo 0)
    case "$planned" in INT) kill -INT $PPID; exit 1 ;; esac
    exit "$planned" ;;
esac
"""
# Tells the Automation API what a preview found, as Pulumi's engine does.
TELL_SUMMARY = f"""\
#!{sys.executable}
import sys, grpc
from pulumi.runtime.proto import events_pb2, events_pb2_grpc
address = next(word for word in sys.argv if word.startswith("tcp://"))
event = events_pb2.EventRequest(event='{{"summaryEvent": {{"resourceChanges": {{"create": 122}}}}}}')
with grpc.insecure_channel(address.removeprefix("tcp://")) as channel:
    events_pb2_grpc.EventsStub(channel).StreamEvents(iter([event]))
"""
HISTORY = {
    "kind": "update",
    "startTime": "2025-01-01T00:00:00.000Z",
    "message": "",
    "environment": {},
    "config": {},
    "result": "succeeded",
}
ON_KIND = ("--stack", "dev", "--context", "kind")
SET_CONTEXT = "pulumi config set --path cluster.context --plaintext --stack dev --non-interactive -- kind"
PREVIEW = "pulumi preview --refresh --exec-kind auto.local"
PREVIEW_DESTROY = "pulumi destroy --preview-only --exec-kind auto.local"
UP, CHECK = "pulumi up --yes --skip-preview --refresh --exec-kind auto.local", "predict --stack dev"
DESTROY = "pulumi destroy --skip-preview --yes --exec-kind auto.local"
SELECT, EXPORT = "pulumi stack select", "pulumi stack export --show-secrets"
OPENED = ["cluster up --stack-file Pulumi.dev.yaml", "cluster env", SELECT]


@pytest.fixture
def deployed(project: Project) -> Project:
    """A project whose stack is there."""
    programs = project.folder.parent / "bin"
    programs.mkdir()
    for program, text in ((programs / "pulumi", PULUMI), (project.folder / "tell-summary", TELL_SUMMARY)):
        program.write_text(text)
        program.chmod(0o755)
    (project.folder.parent / "state").mkdir()
    (project.folder / "stack").touch()
    (project.folder / "history").write_text(json.dumps([HISTORY]))
    (project.folder / "state").write_text('{"version": 3, "deployment": {}}')
    home = project.folder.parent / "state" / "home"
    project.set_environment(PATH=f"{programs}:/usr/bin:/bin", PULUMI_HOME=str(home), PULUMI_CONFIG_PASSPHRASE="a b")
    return project


def copy_of(project: Project) -> Path:
    return project.folder.parent / "state" / "Pulumi.dev.yaml"


def test_up_starts_the_cluster_deploys_and_checks(deployed: Project) -> None:
    status, text = deployed.run("up")
    assert status == 0, text
    assert deployed.calls == [*OPENED, EXPORT, UP, CHECK]
    assert f"with {copy_of(deployed)}" in text
    assert "stdin is fed" not in text
    assert text.endswith(
        'Next: eval "$(.venv/bin/python -m cluster env)"; then kubectl get inferenceservices, pulumi stack output, '
        "pulumi up\n"
    )


def test_a_context_means_the_users_cluster_and_is_written_to_the_stacks_file(deployed: Project) -> None:
    status, text = deployed.run("up", "--stack", "dev", "--context", "kind", "--yes")
    assert status == 0, text
    assert deployed.calls == ["cluster tools", "cluster env --tools", SELECT, SET_CONTEXT, EXPORT, UP, CHECK]
    assert "kserve-multi-model:cluster: {context: kind}" in deployed.file.read_text()
    assert "python -m cluster env --tools)" in text


def test_with_a_context_the_stack_is_called_cluster(deployed: Project) -> None:
    deployed.file.rename(deployed.folder / "Pulumi.cluster.yaml")
    assert deployed.run("up", "--context", "kind", "--yes")[0] == 0
    assert "predict --stack cluster" in deployed.calls


def test_a_stack_without_a_file_stops_before_anything_is_built(deployed: Project) -> None:
    status, text = deployed.run("up", "--stack", "prod")
    assert (status, deployed.calls) == (1, [])
    assert text == "error: there is no Pulumi.prod.yaml; copy one that fits to it: Pulumi.dev.yaml\n"


@pytest.mark.parametrize(("command", "status"), [("cluster-up", 3), ("cluster-env", 4)])
def test_up_ends_with_the_cluster_that_could_not_be_started(deployed: Project, command: str, status: int) -> None:
    deployed.plan(command, status)
    assert deployed.run("up") == (status, "")
    assert not [call for call in deployed.calls if call.startswith("pulumi")]


@pytest.mark.parametrize(
    ("context", "advice"), [([], "make doctor"), (["--context", "a", "--yes"], "make doctor CONTEXT=a")]
)
def test_an_up_that_fails_says_how_to_learn_why(deployed: Project, context: list[str], advice: str) -> None:
    deployed.plan("pulumi-up", 255)
    status, text = deployed.run("up", "--stack", "dev", *context)
    assert status == 1
    assert text.endswith(f"Why: {advice}\n")
    assert CHECK not in deployed.calls


def test_models_that_an_interrupted_destroy_took_away_are_deployed_again(deployed: Project) -> None:
    deployed.plan("predict---stack", 2, 0)
    status, text = deployed.run("up")
    assert status == 0
    assert "once more, for what an interrupted destroy had still to delete" in text
    assert [call for call in deployed.calls if call in {UP, CHECK}] == [UP, CHECK, UP, CHECK]


@pytest.mark.parametrize(("answers", "ups"), [((2, 2), 2), ((2, 1), 2), ((1,), 1), ((70,), 1)])
def test_up_ends_with_what_the_check_found(deployed: Project, answers: tuple[int, ...], ups: int) -> None:
    deployed.plan("predict---stack", *answers)
    status, text = deployed.run("up")
    assert status == answers[-1]
    assert deployed.calls.count(UP) == ups
    assert "Next:" not in text


@pytest.mark.parametrize("operations", [[], [{"type": "creating"}]])
def test_operations_of_a_killed_run_are_cleared_first(deployed: Project, operations: list[object]) -> None:
    (deployed.folder / "state").write_text(json.dumps({"deployment": {"pending_operations": operations}}))
    assert deployed.run("up")[0] == 0
    refresh = "pulumi refresh --skip-preview --yes --clear-pending-creates --exec-kind auto.local"
    assert deployed.calls[len(OPENED) : -1] == [EXPORT, *([refresh] if operations else []), UP]


def test_a_new_stacks_salt_goes_into_the_copy(deployed: Project) -> None:
    (deployed.folder / "stack").unlink()
    deployed.file.write_text(DEMO + "encryptionsalt: v1:of=:v1:another:stack==\n")
    assert deployed.run("up")[0] == 0
    assert "pulumi stack init dev" in deployed.calls
    assert (deployed.file.read_text(), copy_of(deployed).read_text()) == (DEMO, DEMO + SALT)


@pytest.mark.parametrize("secrets", ["", "  aws:token: {secure: v1:a:b}\n"])
def test_a_stack_that_is_not_created_says_which_secrets_to_set_again(deployed: Project, secrets: str) -> None:
    (deployed.folder / "stack").unlink()
    deployed.file.write_text(DEMO + secrets)
    deployed.plan("pulumi-init", 1)
    status, text = deployed.run("up")
    assert status == 1
    assert "error: Pulumi did not create the stack dev: error: incorrect passphrase\n" in text
    assert ("take out aws:token and the line encryptionsalt" in text) == bool(secrets)


def test_without_pulumi_the_missing_program_is_named(deployed: Project) -> None:
    deployed.set_environment(PATH="", PULUMI_HOME="/nowhere")
    assert deployed.run("preview") == (1, "error: pulumi cannot be run: No such file or directory\n")


def test_preview_and_refresh_work_with_the_copy_too(deployed: Project) -> None:
    assert deployed.run("refresh")[0] == 0
    assert deployed.calls[-1] == "pulumi refresh --skip-preview --yes --exec-kind auto.local"
    deployed.plan("pulumi-preview", 255)
    status, text = deployed.run("preview")
    assert (status, text) == (1, f"with {copy_of(deployed)}\n")


def test_down_destroys_then_removes_the_stack_and_the_cluster(deployed: Project) -> None:
    deployed.file.write_text(DEMO + SALT)
    status, text = deployed.run("down")
    assert status == 0, text
    remove = "pulumi stack rm --yes --force --preserve-config dev"
    assert deployed.calls == ["cluster status", "cluster env", SELECT, EXPORT, DESTROY, remove, "cluster down"]
    assert f"with {copy_of(deployed)}" in text
    assert deployed.file.read_text() == DEMO


def test_down_leaves_the_users_cluster(deployed: Project) -> None:
    assert deployed.run("down", "--stack", "dev", "--context", "kind", "--yes")[0] == 0
    assert deployed.calls[0] == "cluster env --tools"
    assert deployed.calls[-2:] == [DESTROY, "pulumi stack rm --yes --preserve-config dev"]


def test_down_without_a_stack_ends_the_cluster_alone(deployed: Project) -> None:
    (deployed.folder / "stack").unlink()
    assert deployed.run("down")[0] == 0
    assert deployed.calls == ["cluster status", "cluster env", SELECT, "cluster down"]


def test_a_destroy_that_fails_stops_before_the_users_stack_is_forgotten(deployed: Project) -> None:
    deployed.plan("pulumi-destroy", 255)
    assert deployed.run("down", "--stack", "dev", "--context", "kind", "--yes")[0] == 1
    assert deployed.calls[-1] == DESTROY


def test_a_destroy_that_fails_does_not_keep_the_local_cluster(deployed: Project) -> None:
    deployed.plan("pulumi-destroy", 255)
    status, text = deployed.run("down")
    assert status == 0
    assert "the destroy failed: the local cluster goes with what is left in it" in text
    assert deployed.calls[-2:] == ["pulumi stack rm --yes --force --preserve-config dev", "cluster down"]


def test_a_backend_that_is_broken_does_not_keep_the_local_cluster(deployed: Project) -> None:
    deployed.plan("pulumi-select", 1)
    status, text = deployed.run("down")
    assert (status, deployed.calls[-1]) == (0, "cluster down")
    assert text.startswith("error: the state is unreadable\nthe destroy failed: ")


@pytest.mark.parametrize("text", [None, "a: [b"], ids=["no file", "no YAML"])
def test_a_stack_file_that_cannot_be_used_does_not_keep_the_local_cluster(deployed: Project, text: str | None) -> None:
    if text is None:
        deployed.file.unlink()
    else:
        deployed.file.write_text(text)
    status, written = deployed.run("down")
    assert (status, deployed.calls[-1]) == (0, "cluster down")
    assert "error: " in written
    assert "Pulumi.dev.yaml" in written


def test_without_pulumi_the_local_cluster_goes(deployed: Project) -> None:
    deployed.set_environment(PATH="", PULUMI_HOME="/nowhere")
    status, written = deployed.run("down")
    assert (status, deployed.calls[-1]) == (0, "cluster down")
    assert written.startswith("error: pulumi cannot be run: ")


def test_without_the_clusters_environment_the_local_cluster_goes(deployed: Project) -> None:
    deployed.plan("cluster-env", 1)
    assert deployed.run("down")[0] == 0
    assert deployed.calls == ["cluster status", "cluster env", "cluster down"]


def test_a_backend_that_is_broken_is_not_taken_for_an_empty_one(deployed: Project) -> None:
    deployed.plan("pulumi-select", 1)
    assert deployed.run("up") == (1, "error: the state is unreadable\n")
    assert deployed.calls[-1] == SELECT


@pytest.mark.parametrize(("there", "text"), [(0, "the local cluster does not answer: it goes with"), (1, "")])
def test_a_cluster_that_does_not_answer_is_not_asked_to_destroy(deployed: Project, there: int, text: str) -> None:
    deployed.plan("cluster-status", 1)
    deployed.plan("cluster-kubeconfig", there)
    status, written = deployed.run("down")
    assert status == 0
    assert written.startswith(text)
    assert deployed.calls == ["cluster status", "cluster kubeconfig", "cluster down"]


def test_after_ctrl_c_the_cluster_stays_under_an_unfinished_destroy(deployed: Project) -> None:
    (deployed.folder / "planned" / "pulumi-destroy").write_text("INT")
    assert deployed.run("down")[0] == 130
    assert deployed.calls[-1] == DESTROY


def test_up_on_the_users_cluster_shows_the_preview_and_asks(deployed: Project) -> None:
    status, text = deployed.run_on_terminal("up", *ON_KIND, answer="y\n")
    assert status == 0, text
    assert f"Deploy this to the cluster of context 'kind' at {SERVER}? [y/N]: y\n" in text
    opened = ["cluster tools", "cluster env --tools", SELECT, SET_CONTEXT]
    assert deployed.calls == [*opened, EXPORT, PREVIEW, EXPORT, UP, CHECK]


def test_a_second_up_in_the_same_run_is_not_asked_about(deployed: Project) -> None:
    deployed.plan("predict---stack", 2, 0)
    status, text = deployed.run_on_terminal("up", *ON_KIND, answer="y\n")
    assert (status, text.count("[y/N]")) == (0, 1)
    assert [call for call in deployed.calls if call in {PREVIEW, UP}] == [PREVIEW, UP, UP]


def test_down_on_the_users_cluster_shows_what_goes_and_asks(deployed: Project) -> None:
    status, text = deployed.run_on_terminal("down", *ON_KIND, answer="y\n")
    assert status == 0, text
    assert f"Delete this from the cluster of context 'kind' at {SERVER}? [y/N]: y\n" in text
    remove = "pulumi stack rm --yes --preserve-config dev"
    assert deployed.calls[2:] == [SET_CONTEXT, PREVIEW_DESTROY, EXPORT, DESTROY, remove]


@pytest.mark.parametrize(("command", "preview"), [("up", PREVIEW), ("down", PREVIEW_DESTROY)])
@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    # Python's readline sees a signal that comes just before it waits for a key only when there is one.
    [("n\n", 1, "nothing was changed"), ("\n", 1, "nothing was changed"), ("\x03\n", 130, "")],
    ids=["no", "none", "ctrl-c"],
)
def test_without_a_yes_nothing_is_changed(
    deployed: Project, command: str, preview: str, answer: str, expected: int, said: str
) -> None:
    status, text = deployed.run_on_terminal(command, *ON_KIND, answer=answer)
    assert status == expected
    assert said in text.splitlines()[-1]
    assert deployed.calls[-1] == preview
    assert deployed.file.read_text() == DEMO


@pytest.mark.parametrize("command", [("up", "--yes"), ("down", "--yes"), ("refresh",)], ids=lambda command: command[0])
def test_another_cluster_under_the_contexts_name_is_left_alone(deployed: Project, command: tuple[str, ...]) -> None:
    identity = {"cluster_uid": "of-the-stacks-cluster", "cluster_name": "of context 'kind'"}
    resources = [
        {"type": IDENTITY_TYPE, "outputs": identity},
        {"type": KUBERNETES_PROVIDER, "inputs": {"context": "kind"}},
    ]
    (deployed.folder / "state").write_text(json.dumps({"deployment": {"resources": resources}}))
    with serving() as server:
        have_uid(server)
        kubeconfig(deployed.folder.parent, server=server.address, contexts=("kind",))
        status, text = deployed.run(*command, *ON_KIND)
    assert status == 1
    assert "nothing was changed: the stack is deployed to the cluster of context 'kind' (UID of-the-stacks-cl" in text
    assert f"context 'kind' leads to another one (UID {UID})" in text
    assert deployed.calls[-1] == EXPORT


def test_a_context_that_was_renamed_is_used_without_a_refresh_that_would_look_for_the_old_one(
    deployed: Project,
) -> None:
    identity = {"cluster_uid": UID, "cluster_name": "of context 'old'"}
    resources = [
        {"type": IDENTITY_TYPE, "outputs": identity},
        {"type": KUBERNETES_PROVIDER, "inputs": {"context": "old"}},
    ]
    (deployed.folder / "state").write_text(json.dumps({"deployment": {"resources": resources}}))
    with serving() as server:
        have_uid(server)
        kubeconfig(deployed.folder.parent, server=server.address, contexts=("kind",))
        _, text = deployed.run("up", "--yes", *ON_KIND)
        assert deployed.calls[-3:] == [EXPORT, UP.replace(" --refresh", ""), EXPORT]
        # The program in place of Pulumi leaves the state as it is.
        assert "If the context has another name now, run pulumi up first, without a refresh" in text
        deployed.run_on_terminal("up", *ON_KIND, answer="n\n")
        assert deployed.calls[-1] == PREVIEW.replace(" --refresh", "")


def test_what_the_user_writes_into_the_stacks_file_meanwhile_stays(deployed: Project) -> None:
    def edit() -> None:
        deployed.file.write_text(DEMO + "# mine\n")

    assert deployed.run_on_terminal("up", *ON_KIND, answer="n\n", meanwhile=edit)[0] == 1
    assert deployed.file.read_text() == DEMO + "# mine\n"


@pytest.mark.parametrize(("command", "planned"), [("up", "pulumi-preview"), ("down", "pulumi-destroy")])
def test_a_preview_that_fails_is_the_end(deployed: Project, command: str, planned: str) -> None:
    deployed.plan(planned, 255)
    status, text = deployed.run_on_terminal(command, *ON_KIND, answer="y\n")
    assert (status, "[y/N]" in text) == (1, False)
    assert deployed.calls[-1] in {PREVIEW, PREVIEW_DESTROY}
    assert deployed.file.read_text() == DEMO


@pytest.mark.parametrize("command", ["up", "down"])
@pytest.mark.parametrize(("stack", "named"), [("dev", " STACK=dev"), ("cluster", "")])
def test_without_a_terminal_one_line_says_what_to_type(deployed: Project, command: str, stack: str, named: str) -> None:
    file = deployed.file.rename(deployed.folder / f"Pulumi.{stack}.yaml")
    status, text = deployed.run(command, "--stack", stack, "--context", "kind")
    assert text == (
        f"error: there is no terminal to ask on before the cluster of context 'kind' at {SERVER} is changed; "
        f"to agree, type: make {command} CONTEXT=kind{named} YES=1\n"
    )
    assert (status, deployed.calls, file.read_text()) == (1, [], DEMO)


@pytest.mark.parametrize("command", ["up", "down"])
def test_a_context_that_is_not_there_stops_before_anything_is_done(deployed: Project, command: str) -> None:
    status, text = deployed.run(command, "--stack", "dev", "--context", "knid")
    assert (status, deployed.calls) == (1, [])
    assert "context 'knid': there is no such context; its contexts are kind" in text


def test_pulumi_finds_the_kubeconfig_of_the_settings(deployed: Project) -> None:
    (deployed.folder / "own").mkdir()
    named = kubeconfig(deployed.folder / "own", server="https://own.example", contexts=("kind",))
    deployed.file.write_text(DEMO + "  kserve-multi-model:cluster: {kubeconfig: own/kubeconfig}\n")
    status, text = deployed.run_on_terminal("down", *ON_KIND, answer="y\n")
    assert status == 0, text
    assert "at https://own.example? " in text
    assert (deployed.folder / "used").read_text().split()[0] == str(named)


@pytest.mark.parametrize("planned", ["0", "255", "INT"], ids=["done", "failed", "ctrl-c"])
def test_nothing_that_an_operation_writes_into_the_temporary_folder_stays(deployed: Project, planned: str) -> None:
    (deployed.folder / "planned" / "pulumi-up").write_text(planned)
    deployed.run("up")
    temporary = Path((deployed.folder / "used").read_text().split()[1])
    assert "kserve-multi-model-" in temporary.name
    assert not temporary.exists()


def test_predict_doctor_and_export_run_in_the_clusters_environment(deployed: Project) -> None:
    deployed.plan("predict---stack", 2)
    assert deployed.run("predict") == (2, "")
    assert deployed.run("doctor", "--context", "kind") == (0, "")
    assert deployed.run("export") == (0, (deployed.folder / "state").read_text())
    assert deployed.calls == [
        *("cluster env", CHECK, "cluster env --tools", "predict doctor --context kind", "cluster env"),
        "pulumi stack export",
    ]


def test_bad_usage_is_told_from_failures(project: Project) -> None:
    status, text = project.run("up", "--no-such-option")
    assert status == 2
    assert "Try 'python -m lifecycle --help'" in text
