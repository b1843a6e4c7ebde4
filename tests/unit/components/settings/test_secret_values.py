"""Secrets of Pulumi in settings that would not be kept secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def test_the_keys_of_a_store_may_be_secrets(project_folder: Path) -> None:
    keys = {"access_key_id": SECRET, "secret_access_key": SECRET}
    assert problems_of({"storage": {"demo": keys}}, folder=project_folder, secret=("storage",)) == ()


def test_the_password_of_a_registry_may_be_a_secret(project_folder: Path) -> None:
    stored = {"registries": {"company": {"password": SECRET}}}
    assert problems_of(stored, folder=project_folder, secret=("registries",)) == ()


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
