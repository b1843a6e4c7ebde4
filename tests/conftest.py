"""Keeps the table of features, which a run of all tests writes, and says what a run of the journeys has left out."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.feature_table import PAGE, Claim, page
from tests.levels import claims_of, left_to_test_all
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


CLAIMS = pytest.StashKey[dict[str, list[Claim]]]()
DESELECTED = pytest.StashKey[list[pytest.Item]]()
MODULES = pytest.StashKey[set[str]]()
PASSED = pytest.StashKey[set[str]]()
STALE = pytest.StashKey[bool]()
LEFT = pytest.StashKey[list[str]]()


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
    stash[PASSED] = set()
    stash[MODULES] = {str(item.path) for item in session.items}
    stash[CLAIMS] = {item.nodeid: claims for item in session.items if (claims := claims_of(item))}
    deselected: list[pytest.Item] = stash.get(DESELECTED, [])
    if "journey" in session.config.option.markexpr:
        stash[LEFT] = left_to_test_all(deselected, journeys=session.items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.when == "call" and report.passed:
        item.config.stash[PASSED].add(report.nodeid)
    return report  # type: ignore[return-value]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist has seen; the process that started it sees no test itself."""
    seen = getattr(node, "workeroutput", {}).get("seen")
    if seen is None:  # it crashed
        return
    stash = node.config.stash
    stash.setdefault(CLAIMS, {}).update({test: [Claim(**claim) for claim in said] for test, said in seen["claims"]})
    stash.setdefault(PASSED, set()).update(seen["passed"])
    stash.setdefault(MODULES, set()).update(seen["modules"])
    stash[LEFT] = seen["left"]
    if seen["deselected"]:
        stash.setdefault(DESELECTED, [])


def _seen(stash: pytest.Stash) -> dict[str, Any]:
    """What a worker hands over at its end."""
    claims, passed = stash.get(CLAIMS, {}), stash.get(PASSED, set[str]())
    return {
        "claims": [(test, [asdict(claim) for claim in said]) for test, said in claims.items()],
        "passed": [*passed],
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
    claims = config.stash.get(CLAIMS, {})
    passed: set[str] = config.stash.get(PASSED, set())
    if _is_part(config) or exitstatus != pytest.ExitCode.OK or not claims or claims.keys() - passed:
        return
    written = page(claim for said in claims.values() for claim in said)
    if not PAGE.is_file() or PAGE.read_text("utf-8") != written:
        PAGE.write_text(written, "utf-8")
        config.stash[STALE] = True
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(LEFT, []):
        terminalreporter.write_line(line, yellow=True)
    if config.stash.get(STALE, False):
        where = PAGE.relative_to(config.rootpath)
        terminalreporter.write_line(f"{where} was of other tests; it is written anew: commit it", red=True)
