"""The result of a check: one line of the report, with what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from doctor.facts import Unread
from doctor.findings import Finding


class Section(StrEnum):
    """The part of the report that a check belongs to."""

    CLUSTER = "cluster"
    KSERVE = "kserve"
    KNATIVE = "knative"
    PLATFORM = "platform"
    GATEWAY = "gateway"
    MODELS = "models"


class Name(StrEnum):
    """What is checked; the value is its name in reports."""

    API = "api"
    NODES = "nodes"
    INSTALLED = "installed"
    CONTROLLER = "controller"
    RUNTIMES = "runtimes"
    PARTS = "parts"
    WEBHOOKS = "webhooks"
    WAY_IN = "way-in"
    GATEWAYS = "gateways"
    ANSWERS = "answers"
    DNS = "dns"
    DECLARED = "declared"
    MODEL = "model"


class State(StrEnum):
    """How a check ended; `unread` is one that could not be made because the cluster did not give what it needs."""

    OK = "ok"
    NOTE = "note"
    FAILED = "failed"
    UNREAD = "unread"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One line of the report; `facts` are for the placeholders of its text where nothing is wrong."""

    section: Section
    name: Name
    facts: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    unread: tuple[Unread, ...] = ()

    @property
    def state(self) -> State:
        """The most serious of its results: something wrong, then something that could not be read, then a note."""
        if any(not finding.cause.note for finding in self.findings):
            return State.FAILED
        if self.unread:
            return State.UNREAD
        return State.NOTE if self.findings else State.OK
