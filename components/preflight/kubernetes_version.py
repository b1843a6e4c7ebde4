"""Check the cluster's version of Kubernetes against the release."""

from __future__ import annotations

import re

import httpx2 as httpx
import pulumi

from components.preflight.report import report
from components.settings.stack import Settings
from releases.types import Version, version_text


def version_problem(client: httpx.Client, settings: Settings) -> str | None:
    """What is wrong with the cluster's version, or None. Warns if it is newer than the release, and reports it.

    Raises:
        httpx.HTTPError: the cluster does not answer.
        KeyError: its answer has no version; ValueError: that is not a version.
    """
    version, release = _version(client), settings.release
    supported = release.kubernetes
    here, name = f"the cluster runs Kubernetes {version_text(version)}", f"release {release.name!r}"
    first = supported.oldest_with_knative if settings.needs_knative else supported.oldest
    if version < first:
        needed = (
            f"{here}; {name} needs {version_text(first)} or newer{' for Knative' if settings.needs_knative else ''}"
        )
        without = (
            ", or mode: Standard for the stack and all of its models and graphs" if version >= supported.oldest else ""
        )
        return f"{needed}. Use a newer cluster{without}"
    if version > supported.newest:
        pulumi.log.warn(f"{here}, which is newer than {name} is made for: {supported}")
    tested = "tested on it" if version in supported.tested else "not tested on it"
    report("Kubernetes", f"{version_text(version)}; {name} is made for {supported}, and {tested}")
    return None


def _version(client: httpx.Client) -> Version:
    answer = client.get("/version").raise_for_status().json()
    # Some clusters append to their minor version, as in "32+".
    return int(answer["major"]), int(re.sub(r"\D", "", answer["minor"]))
