"""A check: one line of the report, with what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from doctor.facts import Unread
from doctor.findings import Finding


class Section(StrEnum):
    """What a check belongs to."""

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
    """How a check ended; `unread` is one that could not be made."""

    OK = "ok"
    NOTE = "note"
    FAILED = "failed"
    UNREAD = "unread"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One line of the report; `facts` fill in the words for one that is all right."""

    section: Section
    name: Name
    facts: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    unread: tuple[Unread, ...] = ()

    @property
    def state(self) -> State:
        """What is wrong counts more than what could not be looked at, and that more than a note."""
        if any(not finding.cause.note for finding in self.findings):
            return State.FAILED
        if self.unread:
            return State.UNREAD
        return State.NOTE if self.findings else State.OK
