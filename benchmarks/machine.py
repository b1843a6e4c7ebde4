"""The machine the numbers are from, without its name."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import psutil

from benchmarks.results import Machine

PROCESSORS = Path("/proc/cpuinfo")


def this_machine() -> Machine:
    """Describe the machine this runs on."""
    return Machine(
        processor=processor_model(PROCESSORS.read_text()),
        cores=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        kernel=f"{platform.system()} {platform.release().partition('-')[0]}",
    )


def processor_model(cpuinfo: str) -> str:
    """The first model name in the text of /proc/cpuinfo."""
    found = re.search(r"^model name\s*: (.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else platform.machine()
