"""Versions of what a cluster may have already that the program's objects work with, a part of the platform each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Version = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class VersionRange:
    """Versions of a part, as (major, minor), both ends included.

    Attributes:
        oldest: an older one lacks what models, or the parts above it, need.
        newest: a newer one may work, but nobody has read about it or run it.
        run: the one that the end-to-end tests use. The others are asserted, from what their projects publish.

    """

    oldest: Version
    newest: Version
    run: Version

    def __str__(self) -> str:
        return f"{_text(self.oldest)} to {_text(self.newest)}"


def _text(version: Version) -> str:
    return ".".join(map(str, version))


# The same for all releases, as both have KServe 0.20. Sources: for Istio and Knative, the versions that KServe 0.16 to
# 0.20 are documented with; for Gateway API, the first whose standard channel has the timeouts of an HTTPRoute, which
# KServe sets; for KServe, the first whose runtimes are those of 0.20, with version 2 of xgboost's format.
KSERVE_0_20_EXISTING: Mapping[str, VersionRange] = {
    "cert_manager": VersionRange(oldest=(1, 11), newest=(1, 17), run=(1, 11)),
    "gateway_api": VersionRange(oldest=(1, 2), newest=(1, 5), run=(1, 5)),
    "istio": VersionRange(oldest=(1, 27), newest=(1, 31), run=(1, 31)),
    "knative": VersionRange(oldest=(1, 19), newest=(1, 21), run=(1, 21)),
    "kserve": VersionRange(oldest=(0, 17), newest=(0, 20), run=(0, 20)),
}
