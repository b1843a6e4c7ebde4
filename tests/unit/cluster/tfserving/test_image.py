"""The image leaves out files of its packages; none of those may be one that the server loads."""

import os
import subprocess
from pathlib import Path

from pathspec import PathSpec

from tests.unit.cluster.serving.programs import PROJECT as SERVING_PROJECT
from tests.unit.cluster.serving.programs import container_environment

from .conftest import Demo
from .programs import ENVIRONMENT, PROJECT

LOAD_AND_LIST = """
import sys
from pathlib import Path
import tfserving.rest, uvicorn
from tfserving.flags import LoadOptions
from tfserving.served_model import ServedModel
ServedModel("model", Path(sys.argv[1]), options=LoadOptions())
modules = {getattr(module, "__file__", None) or "" for module in [*sys.modules.values()]}
libraries = {line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps") if "/site-packages/" in line}
print(*(modules | libraries), sep="\\n")
"""


def test_nothing_that_the_server_loads_is_left_out(python: Path, demo: Demo) -> None:
    listed = subprocess.run(
        [python, "-c", LOAD_AND_LIST, demo.directory],
        env=container_environment(ENVIRONMENT),
        check=True,
        capture_output=True,
        text=True,
        timeout=180,
    )
    loaded = {
        os.path.realpath(file).rpartition("/site-packages/")[2]
        for file in listed.stdout.splitlines()
        if "/site-packages/" in file
    }
    assert "tensorflow/libtensorflow_cc.so.2" in loaded
    lines = [
        line
        for project in (SERVING_PROJECT, PROJECT)
        for line in (project / "image-excludes.txt").read_text().splitlines()
    ]
    left_out = PathSpec.from_lines("gitignore", lines)
    assert [file for file in sorted(loaded) if left_out.match_file(file)] == []
