"""One look at the cluster that the command line means."""

from __future__ import annotations

from pathlib import Path

from lightkube import ConfigError

from doctor.facts import Facts
from doctor.gather import Wanted, connect, gather
from doctor.words import DoctorLanguage
from endpoints.sources import InputError


def look(wanted: Wanted, *, kubeconfig: Path | None, context: str | None, words: DoctorLanguage) -> Facts:
    """Gather the facts; raises InputError if there is no kubeconfig that can be used."""
    context = context or next((endpoint.context for endpoint in wanted.endpoints if endpoint.context), None)
    try:
        client, home = connect(kubeconfig=kubeconfig, context=context)
    except ConfigError as problem:
        raise InputError(words.no_kubeconfig.format(problem=problem)) from problem
    with client:
        return gather(client, wanted=wanted, home=home)
