"""Check that the registry has the images that the local cluster builds only on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.settings.errors import SettingsError
from components.settings.stack import Settings
from registries.errors import DownloadError
from registries.registry import Registry
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
    host = settings.mirror.charts.removeprefix("oci://").partition("/")[0]
    try:
        with Registry.at(
            host, plain_http=settings.mirror.plain_http, seconds=REGISTRY_TIMEOUT, login=settings.logins.of(host)
        ) as registry:
            for place, image in wanted:
                if not registry.has(image):
                    missing.setdefault((place, on_demand[image]), []).append(image)
    except DownloadError as problem:
        return [f"mirror.charts: {settings.mirror.charts} does not answer: {problem}. Is the registry up?"]
    return [
        f"{place}: the registry of mirror.charts does not have {', '.join(images)} yet. For the local cluster: "
        f"python -m cluster add {extra}"
        for (place, extra), images in missing.items()
    ]


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
