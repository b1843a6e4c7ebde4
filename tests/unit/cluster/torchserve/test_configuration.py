"""What TorchServe is started with."""

from __future__ import annotations

from pathlib import Path

import pytest
from torchserve_image.configuration import Configuration, WrongModelError

UPSTREAMS = """\
# An example of KServe's, with addresses that are this program's own here.
inference_address=http://0.0.0.0:8085
management_address=http://0.0.0.0:8085
metrics_address=http://127.0.0.1:8092
enable_envvars_config=true
job_queue_size = 10
vmargs=-Xmx256m -XX:+UseSerialGC
model_store=/home/model-server/model-store
"""
SNAPSHOT = 'model_snapshot={"name":"startup.cfg","modelCount":1,"models":{"flowers":{"1.0":{"minWorkers":3}}}}\n'


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model's files: one archive, and no configuration."""
    (tmp_path / "model-store").mkdir()
    (tmp_path / "model-store/flowers.mar").touch()
    return tmp_path


def configuration(model: Path, *arguments: str, **environment: str) -> Configuration:
    given = ["--model_name=iris", f"--model_dir={model}", *arguments]
    return Configuration.read(given, environment, work=Path("/scratch"))


def configure(model: Path, text: str) -> None:
    (model / "config").mkdir()
    (model / "config/config.properties").write_text(text)


def test_without_a_file_all_archives_are_loaded_by_one_worker_each(model: Path) -> None:
    assert configuration(model).properties() == {
        "metrics_address": "http://0.0.0.0:8082",
        "metrics_mode": "prometheus",
        "default_workers_per_model": "1",
        "load_models": "all",
        "inference_address": "unix:/scratch/inference.sock",
        "management_address": "unix:/scratch/management.sock",
        "model_store": f"{model}/model-store",
        "service_envelope": "kserve",
    }


def test_the_file_of_the_model_counts_but_for_addresses_and_folder(model: Path) -> None:
    configure(model, UPSTREAMS)
    properties = configuration(model).properties()
    assert (properties["job_queue_size"], properties["metrics_address"]) == ("10", "http://127.0.0.1:8092")
    assert properties["inference_address"] == "unix:/scratch/inference.sock"
    assert properties["management_address"] == "unix:/scratch/management.sock"
    assert properties["model_store"] == f"{model}/model-store"
    assert properties["load_models"] == "all"
    assert not [name for name in properties if name.startswith("#")]


def test_a_snapshot_says_itself_what_is_loaded_by_how_many_workers(model: Path) -> None:
    configure(model, SNAPSHOT)
    properties = configuration(model).properties()
    assert properties["metrics_mode"] == "prometheus"
    assert properties["model_snapshot"] == SNAPSHOT.partition("=")[2].strip()
    assert not {"load_models", "default_workers_per_model"} & properties.keys()


def test_a_file_is_read_as_java_does(model: Path) -> None:
    # As TorchServe's documentation writes the parameters of models.
    of_noop = 'models={\\\n  "noop": {\\\n    "1.0": {\\\n        "minWorkers": 1\\\n    }\\\n  }\\\n}\n'
    configure(
        model, f"{of_noop}job_queue_size: 5\nnumber_of_netty_threads 4\nprefer_direct_buffer\nfolder = a\\\\\nlast=1\\"
    )
    properties = configuration(model).properties()
    assert properties["models"] == '{"noop": {"1.0": {"minWorkers": 1}}}'
    assert (properties["job_queue_size"], properties["number_of_netty_threads"]) == ("5", "4")
    assert (properties["prefer_direct_buffer"], properties["folder"], properties["last"]) == ("", "a\\\\", "1")


@pytest.mark.parametrize(
    ("environment", "envelope"),
    [
        ({}, "kserve"),
        ({"PROTOCOL_VERSION": "v1"}, "kserve"),
        ({"PROTOCOL_VERSION": "v2"}, "kservev2"),
        ({"TS_SERVICE_ENVELOPE": "kservev2", "PROTOCOL_VERSION": "v1"}, "kservev2"),
    ],
)
def test_the_protocol_is_the_envelope(model: Path, environment: dict[str, str], envelope: str) -> None:
    configured = configuration(model, **environment)
    assert configured.properties()["service_envelope"] == envelope
    # A file that lets variables count must not get another one from them.
    assert configured.java_environment()["TS_SERVICE_ENVELOPE"] == envelope


@pytest.mark.parametrize("variable", ["PROTOCOL_VERSION", "TS_SERVICE_ENVELOPE"])
def test_another_protocol_is_refused(model: Path, variable: str) -> None:
    with pytest.raises(WrongModelError, match=r"is 'grpc-v2': this server speaks v1 \(kserve\) and v2 \(kservev2\)"):
        configuration(model, **{variable: "grpc-v2"})


@pytest.mark.parametrize("folder", ["model-store", "."])
def test_a_folder_without_an_archive_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "model.pt").touch()
    with pytest.raises(WrongModelError, match=rf"no model archive \(\*\.mar\) in {tmp_path}/model-store"):
        configuration(tmp_path).properties()


def test_java_runs_upstreams_server_on_the_folder(model: Path) -> None:
    configure(model, UPSTREAMS)
    command = configuration(model, JAVA_HOME="/jvm").java_command()
    assert command[:3] == ["/jvm/bin/java", "-Dmodel_server_home=/opt/site", "-Djava.io.tmpdir=/scratch"]
    main = command.index("org.pytorch.serve.ModelServer")
    assert command[main - 4 : main] == ["-Xmx256m", "-XX:+UseSerialGC", "-cp", "/opt/site/ts/frontend/*"]
    options = command[main + 1 :]
    assert options[options.index("-f") + 1] == "/scratch/config.properties"
    assert options[options.index("-s") + 1] == f"{model}/model-store"
    assert {"--disable-token-auth", "-ncs"} <= set(options)


def test_what_is_logged_goes_to_the_containers_log(model: Path) -> None:
    (option,) = (part for part in configuration(model).java_command() if part.startswith("-Dlog4j"))
    file = Path(option.partition("=file://")[2])
    assert "SYSTEM_OUT" in file.read_text()
    assert "RollingFile" not in file.read_text()


def test_the_last_of_two_names_counts_as_for_kserves_own_servers(model: Path) -> None:
    assert configuration(model, "--model_name=rye").model_name == "rye"
