"""What a language of the doctor's is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from doctor.checks import Check, Name, Section, State
from doctor.findings import Cause, Finding


class CauseWords(NamedTuple):
    """A cause in words: what the doctor says, what that means (for the page), and what to do."""

    title: str
    meaning: str
    advice: str


class Unknown(dict[str, str]):
    """Facts that nobody found out."""

    def __missing__(self, key: str) -> str:
        """What stands for one."""
        return "?"


@dataclass(frozen=True, kw_only=True)
class DoctorLanguage:
    """All texts of one language; names in braces are filled in by `str.format`."""

    sections: Mapping[Section, str]
    checks: Mapping[tuple[Section, Name], str]
    not_made: str
    not_made_reason: str
    says: str
    healthy: str
    unhealthy: str
    unchecked: str
    looking: str
    no_kubeconfig: str
    nothing_piped: str
    columns: tuple[str, ...]
    yes: str
    no: str
    no_models: str
    ambiguous_model: str
    no_pods: str
    no_containers: str
    no_such_container: str
    unreadable_log: str
    interrupted: str
    bad_duration: str
    causes: Mapping[Cause, CauseWords]

    def title(self, finding: Finding) -> str:
        """Say what was found."""
        return self.causes[finding.cause].title.format_map(Unknown(finding.facts))

    def advice(self, finding: Finding) -> str:
        """Say what to do."""
        return self.causes[finding.cause].advice.format_map(Unknown(finding.facts))

    def check(self, check: Check) -> str:
        """Say what is all right, or what could not be looked at."""
        if check.state is State.UNREAD:
            what = ", ".join(dict.fromkeys(item.what for item in check.unread))
            return self.not_made.format(what=what)
        return self.checks[check.section, check.name].format_map(Unknown(check.facts))
