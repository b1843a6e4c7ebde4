"""Secrets of Pulumi in settings that would not be kept secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components.settings.errors import SettingsError
from components.settings.stack import load
from tests.unit.components.recording import PROJECT
from tests.unit.components.settings.test_stack import set_config, valid_settings

SECRET = {"secure": "v1:encrypted"}


def problems_of(stored: dict[str, Any], *, folder: Path, secret: tuple[str, ...]) -> tuple[str, ...]:
    """What is wrong with settings that the stack file has like this, where these contain some secret."""
    (folder / "Pulumi.stack.yaml").write_text(yaml.safe_dump({"config": {f"{PROJECT}:{k}": stored[k] for k in stored}}))
    set_config(valid_settings(), secret=secret)
    try:
        load()
    except SettingsError as refused:
        return refused.problems
    return ()


def refusal(path: str) -> str:
    return (
        f"{path}: is a secret, but only the keys of a store and the passwords of registries are kept secret: this "
        "would be in plain text in the cluster and in the stack's state; leave it out, or set it again with pulumi "
        "config set --plaintext"
    )


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ({"environment": {"TOKEN": SECRET}}, "environment.TOKEN"),
        ({"logger": {"url": SECRET}}, "logger.url"),
        ({"check": {"instances": [[1, SECRET]], "predictions": [1]}}, "check.instances[0][1]"),
        ({"check": SECRET}, "check"),
        ({"transformer": {"environment": {"TOKEN": SECRET}}}, "transformer.environment.TOKEN"),
        ({"container": {"args": ["--token", SECRET]}}, "container.args[1]"),
        ({"annotations": {"example.com/token": SECRET}}, "annotations.example.com/token"),
        ({"labels": {"a": SECRET}}, "labels.a"),
        ({"storage_uri": SECRET}, "storage_uri"),
    ],
)
def test_a_secret_of_a_model_is_refused_where_it_stands(model: dict[str, Any], path: str, project_folder: Path) -> None:
    stored = {"models": [{"name": "other"}, model]}
    found = problems_of(stored, folder=project_folder, secret=("models",))
    assert found == (refusal(f"models[1].{path}"),)


@pytest.mark.parametrize(
    ("stored", "path"),
    [
        ({"graphs": [{"check": {"request": SECRET}}]}, "graphs[0].check.request"),
        ({"models": SECRET}, "models"),
        ({"ingress": {"domain": SECRET}}, "ingress.domain"),
        ({"mirror": {"images": SECRET}}, "mirror.images"),
        ({"cluster": {"context": SECRET}}, "cluster.context"),
        ({"storage": {"demo": {"endpoint": SECRET}}}, "storage.demo.endpoint"),
        ({"storage": {"demo": SECRET}}, "storage.demo"),
        ({"registries": {"company": {"host": SECRET}}}, "registries.company.host"),
        ({"registries": {"company": {"username": SECRET}}}, "registries.company.username"),
    ],
)
def test_every_other_secret_is_refused_too(stored: dict[str, Any], path: str, project_folder: Path) -> None:
    found = problems_of(stored, folder=project_folder, secret=tuple(stored))
    assert found == (refusal(path),)


def test_a_secret_that_is_not_in_the_file_is_refused_by_its_setting(project_folder: Path) -> None:
    assert problems_of({}, folder=project_folder, secret=("models", "release")) == (
        refusal("release"),
        refusal("models"),
    )


STORE = {"kind": "s3", "endpoint": "http://192.0.2.2:9000", "access_key_id": SECRET, "secret_access_key": SECRET}
DECRYPTED = STORE | {"access_key_id": "AKID", "secret_access_key": "typed-secret"}
LOGIN = {"host": "registry.example", "username": "me", "password": SECRET}
# With no file, or with these settings in the default one, another file is used, or Pulumi Cloud.
OTHERS: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"storage": {"demo": STORE | {"endpoint": "http://192.0.2.99:9000"}}},
    {"storage": {"demo": {"access_key_id": SECRET, "secret_access_key": SECRET}}},
    {"storage": {"other": STORE}},
)


def problems_with(
    document: dict[str, Any], *, stored: dict[str, Any] | None, folder: Path, organization: str = "organization"
) -> tuple[str, ...]:
    """What is wrong with these settings, each with some secret, where the default stack file has others, or is none."""
    if stored is not None:
        text = yaml.safe_dump({"config": {f"{PROJECT}:{key}": value for key, value in stored.items()}})
        (folder / "Pulumi.stack.yaml").write_text(text)
    set_config({**valid_settings(), **document}, secret=tuple(document), organization=organization)
    try:
        load()
    except SettingsError as refused:
        return refused.problems
    return ()


def test_the_keys_of_a_store_may_be_secrets(project_folder: Path) -> None:
    document = {"storage": {"demo": DECRYPTED}}
    assert problems_with(document, stored={"storage": {"demo": STORE}}, folder=project_folder) == ()


def test_the_password_of_a_registry_may_be_a_secret(project_folder: Path) -> None:
    document = {"registries": {"company": LOGIN | {"password": "typed-secret"}}}
    assert problems_with(document, stored={"registries": {"company": LOGIN}}, folder=project_folder) == ()


@pytest.mark.parametrize("stored", OTHERS, ids=str)
def test_where_another_file_is_used_a_secret_that_may_be_in_plain_text_is_refused(
    stored: dict[str, Any] | None, project_folder: Path
) -> None:
    """As by the option --config-file, which the program does not see: the endpoint may be the secret."""
    (problem,) = problems_with({"storage": {"demo": DECRYPTED}}, stored=stored, folder=project_folder)
    assert problem.startswith(
        "storage: has a secret, and the program cannot tell which of its values that is: Pulumi.stack.yaml does "
        "not have storage.demo.endpoint with the value that is used. "
    )
    assert "PULUMI_OPTION_CONFIG_FILE instead of the option --config-file" in problem
    assert "typed-secret" not in problem
    assert "AKID" not in problem


def test_the_file_that_the_variable_names_is_read(project_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = project_folder / "other.yaml"
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(other))
    for store, refused in ((STORE, ()), (STORE | {"endpoint": SECRET}, (refusal("storage.demo.endpoint"),))):
        other.write_text(yaml.safe_dump({"config": {f"{PROJECT}:storage": {"demo": store}}}))
        assert problems_with({"storage": {"demo": DECRYPTED}}, stored={}, folder=project_folder) == refused


def test_a_secret_in_a_setting_without_keys_is_refused(project_folder: Path) -> None:
    public = {"kind": "s3", "endpoint": "http://192.0.2.2:9000", "anonymous": True}
    models = [{"name": "a", "format": "sklearn", "storage_uri": "s3://models/a", "storage": "demo"}]
    set_config(valid_settings() | {"models": models, "storage": {"demo": public}}, secret=("storage",))
    with pytest.raises(SettingsError) as found:
        load()
    assert found.value.problems == (refusal("storage"),)


def test_secrets_of_a_configuration_in_pulumi_cloud_are_used_with_a_warning(
    project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    document = {
        "storage": {"demo": DECRYPTED},
        "registries": {"company": LOGIN | {"password": "typed-secret"}},
    }
    assert problems_with(document, stored=None, folder=project_folder, organization="acme") == ()
    of_storage, of_registries = warnings
    assert of_storage.endswith("in plain text are storage.demo.endpoint")
    assert of_registries.endswith("in plain text are registries.company.host, registries.company.username")
    # A stack of Pulumi Cloud with a file is told by that file.
    given = problems_with(document, stored={"storage": {"demo": STORE}}, folder=project_folder, organization="acme")
    assert [problem.partition(":")[0] for problem in given] == ["registries"]


@pytest.mark.parametrize("secret", [(), ("registries",)], ids=["no secret", "a secret elsewhere in the setting"])
def test_the_password_of_a_registry_in_plain_text_is_refused(secret: tuple[str, ...], project_folder: Path) -> None:
    registries = {"company": {"host": "registry.example", "username": "me", "password": "typed-secret"}}
    file = {"config": {f"{PROJECT}:registries": registries}}
    (project_folder / "Pulumi.stack.yaml").write_text(yaml.safe_dump(file))
    set_config({**valid_settings(), "registries": registries}, secret=secret)
    with pytest.raises(SettingsError) as refused:
        load()
    path = "registries.company.password"
    remedy = f"make it a secret: pulumi config set --secret --path {path}"
    assert refused.value.problems == (f"{path}: is in plain text; {remedy}",)


def test_a_plain_value_named_secure_is_no_secret(project_folder: Path) -> None:
    stored = {"models": [{"environment": {"secure": "yes", "A": "b"}}]}
    assert problems_of(stored, folder=project_folder, secret=()) == ()


def test_secrets_are_named_beside_other_problems(project_folder: Path) -> None:
    (project_folder / "Pulumi.stack.yaml").write_text(
        yaml.safe_dump({"config": {"models": [{"environment": {"TOKEN": SECRET}}]}})
    )
    keys = {"kind": "s3", "access_key_id": "AKID", "secret_access_key": "typed-secret"}
    set_config({**valid_settings(), "resources": "tiny", "storage": {"demo": keys}}, secret=("models",))
    with pytest.raises(SettingsError) as refused:
        load()
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "resources",
        "storage.demo.access_key_id",
        "storage.demo.secret_access_key",
        "models[0].environment.TOKEN",
    ]
