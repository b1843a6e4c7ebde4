"""Pods that the API server refuses: service accounts, Secrets, quotas, webhooks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from doctor.causes.declaration import refusal
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


def not_allowed(view: ModelView) -> Iterator[Finding]:
    """Find why the model's pods, or what creates them, are refused."""
    said = refusal(view)
    for cause, pattern in _REFUSALS:
        found = [(item, match) for item in said if (match := pattern.search(item.text))]
        if found:
            facts = {key: value for key, value in found[0][1].groupdict().items() if value}
            defaults = {"used": "-", "limit": "-"} if cause is Cause.QUOTA_EXCEEDED else {}
            if cause is Cause.WEBHOOK_DOWN:
                defaults = {"service": "-"}
            yield view.finding(cause, [found[0][0]], **defaults | facts)
            return
    if said and not view.pods:
        yield view.finding(Cause.DECLARATION_REFUSED, said[:2])
