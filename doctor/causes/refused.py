"""Pods that the API server refuses: service accounts, Secrets, quotas, webhooks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from doctor.causes.declaration import refusals_of
from doctor.findings import Cause, Finding
from doctor.model import ModelView

# The first pattern that matches gives the cause; its named groups are facts of the finding.
_REFUSALS: tuple[tuple[Cause, re.Pattern[str]], ...] = (
    (Cause.NAMESPACE_TERMINATING, re.compile(r"because it is being terminated")),
    (Cause.SERVICE_ACCOUNT_MISSING, re.compile(r'serviceaccounts? "(?P<missing>[^"]+)" not found')),
    (
        Cause.QUOTA_EXCEEDED,
        re.compile(
            r"exceeded quota: (?P<quota>[^,]+), requested: (?P<asked>.+?), used: (?P<used>.+?), "
            r"limited: (?P<limit>[^;]+)"
        ),
    ),
    (Cause.QUOTA_EXCEEDED, re.compile(r"failed quota: (?P<quota>[^:]+): (?P<asked>must specify [^;]+)")),
    (Cause.SECRET_MISSING, re.compile(r'secrets "(?P<missing>[^"]+)" not found')),
    (Cause.WEBHOOK_DOWN, re.compile(r'failed calling webhook "(?P<webhook>[^"]+)"')),
    (Cause.POD_REFUSED, re.compile(r'admission webhook "(?P<by>[^"]+)" denied the request')),
    (Cause.POD_REFUSED, re.compile(r"is forbidden: (?P<by>violates PodSecurity)")),
)
# Facts of a cause that not every refusal has.
_UNKNOWN = {Cause.QUOTA_EXCEEDED: {"used": "-", "limit": "-"}, Cause.WEBHOOK_DOWN: {"service": "-"}}


def pods_refused(view: ModelView) -> Iterator[Finding]:
    """Find why the model's pods, or what creates them, are refused."""
    refusals = refusals_of(view)
    for cause, pattern in _REFUSALS:
        for item in refusals:
            if match := pattern.search(item.text):
                yield view.finding(cause, [item], **_UNKNOWN.get(cause, {}) | match.groupdict())
                return
    if refusals and not view.pods:
        yield view.finding(Cause.DECLARATION_REFUSED, refusals[:2])
