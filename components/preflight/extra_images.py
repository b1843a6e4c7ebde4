"""Check that the registry has the images that the local cluster builds only on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx2 as httpx

from components.settings.errors import SettingsError
from components.settings.stack import Mirror, Settings
from releases.runtimes import BANDIT_IMAGE

REGISTRY_TIMEOUT = 10


def require_extra_images(settings: Settings) -> None:
    """Refuse a stack with images that are not built yet; its pods would wait for them for ever.

    Asks the registry of `mirror.charts`. With a release that builds images on demand, it has the images, too.
    Source: the OCI distribution API, `GET /v2/<name>/tags/list`.

    Raises:
        SettingsError: the registry does not answer, or lacks images; the text has each image, its place in the settings
            and the command that builds it.
    """
    if problems := _missing(settings):
        raise SettingsError(problems)


def _missing(settings: Settings) -> list[str]:
    on_demand = settings.release.on_demand
    wanted = [(place, image) for place, image in _wanted(settings) if image in on_demand]
    if not wanted or settings.mirror is None:
        return []
    missing: dict[tuple[str, str], list[str]] = {}
    with _client() as client:
        try:
            for place, image in wanted:
                if not _has(client, settings.mirror, image):
                    missing.setdefault((place, on_demand[image]), []).append(image)
        except httpx.HTTPError as problem:
            return [f"mirror.charts: {settings.mirror.charts} does not answer: {problem}. Is the registry up?"]
    return [
        f"{place}: the registry of mirror.charts does not have {', '.join(images)} yet. For the local cluster: "
        f"python -m cluster add {extra}"
        for (place, extra), images in missing.items()
    ]


def _client() -> httpx.Client:
    try:
        return httpx.Client(timeout=REGISTRY_TIMEOUT)
    except (ImportError, ValueError):  # for a proxy of the environment of a kind that httpx does not know, as SOCKS
        return httpx.Client(timeout=REGISTRY_TIMEOUT, trust_env=False)


def _has(client: httpx.Client, mirror: Mirror, image: str) -> bool:
    host = mirror.charts.removeprefix("oci://").partition("/")[0]
    answer = client.get(f"{'http' if mirror.plain_http else 'https'}://{host}/v2/{image}/tags/list")
    if answer.status_code != httpx.codes.NOT_FOUND:
        answer.raise_for_status()
    return answer.is_success


def _wanted(settings: Settings) -> Iterator[tuple[str, str]]:
    """(place in the settings, image without registry and tag) of all images but those of every platform."""
    if settings.monitoring:
        yield from (
            ("monitoring", image) for image, extra in settings.release.on_demand.items() if extra == "monitoring"
        )
    for model in settings.models:
        place, runtimes = settings.place_of(model), model.matching_runtimes(settings.release.runtimes)
        yield from ((f"{place}.format", runtime.image) for runtime in runtimes)
        if model.canary and model.canary.bandit and model.canary.bandit.image is None:
            yield f"{place}.canary.bandit", BANDIT_IMAGE.partition(":")[0]
        prefix = f"{settings.mirror.images}/" if settings.mirror else ""
        yield from (
            (f"{place}.{path}", image.removeprefix(prefix).partition(":")[0])
            for path, image in _images(model.model_dump(mode="json", exclude_none=True))
            if prefix and image.startswith(prefix)
        )


def _images(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """(path, image) of every `image` at any depth of a model's settings."""
    for key, value in settings.items():
        here = f"{path}.{key}" if path else key
        if key == "image" and isinstance(value, str):
            yield here, value
        elif isinstance(value, Mapping):
            yield from _images(value, here)
