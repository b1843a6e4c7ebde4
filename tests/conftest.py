"""Keeps the page of features, which a run of all tests writes, and says what a run of the journeys has left out."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.feature_table import PAGE
from tests.levels import left_to_test_all
from tests.proven import Proven, attach_claims
from tests.store_table import StoreEvidence, without_words
from tests.workers import Scheduling

# Some tests send Ctrl-C, which programs that a shell started in its background, and their children, ignore.
signal.signal(signal.SIGINT, signal.default_int_handler)
pytest_plugins = ["pytester"]
# How fast the machine is says nothing about what is tested.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(scope="session", autouse=True)
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The one event loop of all tests with Pulumi's mocks: Pulumi may await in a test what one before began."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # from Python 3.14 on asyncio makes none by itself
    yield loop
    loop.close()


@pytest.fixture(autouse=True)
def _kept_event_loop(event_loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Set it again after a test: `asyncio.run` leaves none behind."""
    yield
    asyncio.set_event_loop(event_loop)


@pytest.fixture
def store_evidence(request: pytest.FixtureRequest) -> StoreEvidence:
    """Records what a test sees of a store's credentials, for the table of stores."""
    return StoreEvidence(request.node.user_properties)


PROVEN = pytest.StashKey[Proven]()
DESELECTED = pytest.StashKey[list[pytest.Item]]()
MODULES = pytest.StashKey[set[str]]()
TOLD = pytest.StashKey[str]()
LEFT = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    proven = config.stash[PROVEN] = Proven()
    config.pluginmanager.register(proven)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling | None:
    return Scheduling(config, log) if config.option.dist == "load" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as there are cores, as many tests wait for a program or a timeout; 8 at most."""
    return min(2 * (os.cpu_count() or 1), 8)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items:
        item.config.stash.setdefault(DESELECTED, []).append(item)


def pytest_collection_finish(session: pytest.Session) -> None:
    stash = session.config.stash
    stash[MODULES] = {str(item.path) for item in session.items}
    attach_claims(session.items)
    deselected: list[pytest.Item] = stash.get(DESELECTED, [])
    if "journey" in session.config.option.markexpr:
        stash[LEFT] = left_to_test_all(deselected, journeys=session.items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist has collected; the process that started it collects no test itself."""
    seen = getattr(node, "workeroutput", {}).get("seen")
    if seen is None:  # it crashed
        return
    stash = node.config.stash
    stash.setdefault(MODULES, set()).update(seen["modules"])
    stash[LEFT] = seen["left"]
    if seen["deselected"]:
        stash.setdefault(DESELECTED, [])


def _seen(stash: pytest.Stash) -> dict[str, Any]:
    """What a worker hands over at its end, beside the reports of its tests."""
    return {
        "modules": [*stash.get(MODULES, set[str]())],
        "left": stash.get(LEFT, []),
        "deselected": DESELECTED in stash,
    }


def _is_part(config: pytest.Config) -> bool:
    """Whether a test was left out: by its path, or with its module, of which `--lf` and `--ignore-glob` say nothing."""
    if DESELECTED in config.stash or config.option.override_ini or config.args_source != config.ArgsSource.TESTPATHS:
        return True
    folders = [config.rootpath / folder for folder in config.getini("testpaths")]
    modules = {str(module) for folder in folders for module in folder.rglob("test_*.py")}
    return not modules <= config.stash.get(MODULES, set())


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["seen"] = _seen(config.stash)
        return
    proven = config.stash[PROVEN]
    if _is_part(config) or exitstatus != pytest.ExitCode.OK or not proven.anything:
        return
    if proven.open:
        config.stash[TOLD] = f"is not written, as it needs tests that did not run: {', '.join(sorted(proven.open))}"
        return
    before, written = PAGE.read_text("utf-8") if PAGE.is_file() else "", proven.page()
    if before == written:
        return
    PAGE.write_text(written, "utf-8")
    # Other words of a store's server are no other claim.
    if without_words(before) == without_words(written):
        config.stash[TOLD] = "has other words of stores; it is written anew"
        return
    config.stash[TOLD] = "was of other tests; it is written anew: commit it"
    session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(LEFT, []):
        terminalreporter.write_line(line, yellow=True)
    if said := config.stash.get(TOLD, ""):
        terminalreporter.write_line(f"{PAGE.relative_to(config.rootpath)} {said}", red=True)
