"""What the tests of a run have proven: it goes with their reports, which come from workers of pytest-xdist, too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from tests.feature_table import Claim, page
from tests.format_table import FormatClaim
from tests.levels import claims_of
from tests.store_table import PROPERTY as SIGHTING
from tests.store_table import Sighting

FIXTURE = "store_evidence"
# A test's property with what its markers claim; each test that the page needs has one.
CLAIMS = "claims"


def attach_claims(items: Iterable[pytest.Item]) -> None:
    """Give each test that the page needs the property that says what its markers claim."""
    for item in items:
        features = [asdict(claim) for claim in claims_of(item)]
        formats = [asdict(FormatClaim.of(*mark.args, **mark.kwargs)) for mark in item.iter_markers("format")]
        if features or formats or FIXTURE in getattr(item, "fixturenames", ()):
            item.user_properties.append((CLAIMS, {"features": features, "formats": formats}))


@dataclass(kw_only=True, eq=False)  # pluggy puts plugins into sets
class Proven:
    """A plugin of pytest that reads the reports.

    Attributes:
        open: tests that the page needs and that have not passed.

    """

    features: list[Claim] = field(default_factory=list)
    formats: list[FormatClaim] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    open: set[str] = field(default_factory=set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Read a report of a test's setup, call or teardown."""
        properties: list[tuple[str, Any]] = report.user_properties
        claims = [said for name, said in properties if name == CLAIMS]
        if not claims:
            return
        if report.when == "call" and report.passed:
            self.open.discard(report.nodeid)
            self.features += [Claim(**claim) for said in claims for claim in said["features"]]
            self.formats += [FormatClaim(**claim) for said in claims for claim in said["formats"]]
            self.sightings += [Sighting(**said) for name, said in properties if name == SIGHTING]
        elif report.when != "teardown":
            self.open.add(report.nodeid)

    @property
    def anything(self) -> bool:
        """Whether there is something to write."""
        return bool(self.features or self.formats or self.sightings)

    def page(self) -> str:
        """The page of features."""
        return page(self.features, formats=self.formats, stores=self.sightings)
