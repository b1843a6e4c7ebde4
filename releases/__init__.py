"""Versions that are deployed together, and where charts are published. Installing them belongs in `components`."""

from collections.abc import Mapping

from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import Release

RELEASES: Mapping[str, Release] = {release.name: release for release in (OFFICIAL_0_20, LOCAL)}
