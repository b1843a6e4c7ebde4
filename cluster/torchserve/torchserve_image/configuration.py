"""What TorchServe is started with: arguments as KServe gives them, and the model's own `config.properties`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SITE = Path("/opt/site")
LOGGING = Path(__file__).parent / "log4j2.xml"

V1, V2 = "kserve", "kservev2"
# TorchServe's name of the variable, and what KServe calls the protocol.
ENVELOPE = "TS_SERVICE_ENVELOPE"
PROTOCOL = "PROTOCOL_VERSION"
ENVELOPES = {"v1": V1, "v2": V2}
# Name and value in a file of Java's, one line.
PROPERTY = re.compile(r"((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)")

# What holds unless the model's file says otherwise: metrics as KServe's examples have them, and one worker for every
# archive, as TorchServe starts one a core, each with its copy of the model.
METRICS = {"metrics_address": "http://0.0.0.0:8082", "metrics_mode": "prometheus"}
MODELS = {"default_workers_per_model": "1", "load_models": "all"}
# TorchServe's own addresses; 8080 is this program's.
INFERENCE, MANAGEMENT = "inference.sock", "management.sock"


class WrongModelError(Exception):
    """The folder, or what it is to be served with, is not what TorchServe can start with."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """How this program and TorchServe are started.

    Attributes:
        model_name: the name that the model answers to, whatever its archive is called.
        model_dir: the model's files, with `model-store` and perhaps `config` in it.
        http_port: of this program.
        envelope: TorchServe's name of the protocol.
        java: the command that runs Java.
        work: a folder of this program's own, for sockets and TorchServe's configuration.
    """

    model_name: str
    model_dir: Path
    http_port: int
    envelope: str
    java: str
    work: Path

    @classmethod
    def read(cls, arguments: Sequence[str], environment: Mapping[str, str], *, work: Path) -> Configuration:
        """Read the arguments of KServe's servers; the protocol is in the environment, where KServe says it.

        Raises:
            WrongModelError: the protocol is none of TorchServe's.
        """
        parser = argparse.ArgumentParser(prog="torchserve_image", description="TorchServe with KServe's addresses.")
        parser.add_argument("--model_name", required=True, metavar="NAME", help="name that the model answers to")
        parser.add_argument("--model_dir", type=Path, default=Path("/mnt/models"), metavar="DIR", help="its files")
        parser.add_argument("--http_port", type=int, default=8080, metavar="PORT", help="port of v1 or v2")
        given = parser.parse_args(arguments)
        return cls(
            model_name=given.model_name,
            model_dir=given.model_dir,
            http_port=given.http_port,
            envelope=_envelope(environment),
            java=f"{environment['JAVA_HOME']}/bin/java" if environment.get("JAVA_HOME") else "java",
            work=work,
        )

    @property
    def model_store(self) -> Path:
        """The folder with the archives."""
        return self.model_dir / "model-store"

    @property
    def inference_socket(self) -> Path:
        """Where TorchServe takes requests."""
        return self.work / INFERENCE

    @property
    def management_socket(self) -> Path:
        """Where TorchServe tells about its models."""
        return self.work / MANAGEMENT

    @property
    def properties_file(self) -> Path:
        """The file with TorchServe's configuration."""
        return self.work / "config.properties"

    def properties(self) -> dict[str, str]:
        """What TorchServe is configured with: the model's file, but for addresses, the folder and the protocol.

        Raises:
            WrongModelError: there is no archive.
        """
        if not any(self.model_store.glob("*.mar")):
            raise WrongModelError(
                f"no model archive (*.mar) in {self.model_store}: TorchServe's models are packed by"
                " torch-model-archiver and lie in the folder model-store below the model's storage"
            )
        file = self.model_dir / "config" / "config.properties"
        own = _read_properties(file.read_text()) if file.is_file() else {}
        addresses = {
            "inference_address": f"unix:{self.inference_socket}",
            "management_address": f"unix:{self.management_socket}",
            "model_store": str(self.model_store),
            "service_envelope": self.envelope,
        }
        # A snapshot itself says what is loaded.
        models = {} if "model_snapshot" in own else MODELS
        return {**METRICS, **models, **own, **addresses}

    def java_command(self) -> list[str]:
        """The command line that runs TorchServe in the foreground, as upstream's own command does."""
        options = self.properties().get("vmargs", "").split()
        return [
            *(self.java, f"-Dmodel_server_home={SITE}", f"-Djava.io.tmpdir={self.work}"),
            f"-Dlog4j.configurationFile=file://{LOGGING}",
            *options,
            *("-cp", f"{SITE}/ts/frontend/*", "org.pytorch.serve.ModelServer"),
            *("--python", sys.executable, "-f", str(self.properties_file), "-s", str(self.model_store)),
            # Nobody but this program can reach it, and the folder of its snapshots could not be written to.
            *("--disable-token-auth", "-ncs"),
        ]

    def java_environment(self) -> dict[str, str]:
        """Environment of TorchServe and its workers."""
        return {**os.environ, ENVELOPE: self.envelope}


def _envelope(environment: Mapping[str, str]) -> str:
    """The envelope that is named, or else the protocol's, or else v1's.

    Raises:
        WrongModelError: it is neither v1's nor v2's.
    """
    protocol = environment.get(PROTOCOL) or "v1"
    envelope = environment.get(ENVELOPE) or ENVELOPES.get(protocol, protocol)
    if envelope not in ENVELOPES.values():
        raise WrongModelError(f"{ENVELOPE} or {PROTOCOL} is {envelope!r}: this server speaks v1 ({V1}) and v2 ({V2})")
    return envelope


def _read_properties(text: str) -> dict[str, str]:
    """Read a file as Java does: a name ends with `=`, `:` or a space, and a line with a backslash goes on in the next.

    What is escaped stays so, as Java reads it again.
    """
    properties = {}
    lines = iter(text.splitlines())
    for raw in lines:
        line = raw.strip()
        if not line or line.startswith(("#", "!")):
            continue
        while _goes_on(line):
            line = line[:-1] + next(lines, "").strip()
        name, value = PROPERTY.fullmatch(line).groups()  # type: ignore[union-attr]
        properties[name] = value
    return properties


def _goes_on(line: str) -> bool:
    """Whether a line ends with a backslash that is not escaped itself."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1
