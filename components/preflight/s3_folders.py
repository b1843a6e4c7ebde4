"""Say which locations in S3 are taken as folders, and what follows for models that run already."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components.preflight.report import report
from components.settings.s3_location import may_name_a_file
from components.settings.stack import Settings
from kube.views.kserve import InferenceService, Served


def report_s3_folders(settings: Settings, *, running: Mapping[str, Mapping[str, Served]]) -> None:
    """Name the locations that get a slash at their end. Warns of those whose name may be a file's.

    Args:
        settings: of the stack.
        running: models and graphs that run already, by namespace and name.

    """
    folders = [model for model in settings.models if model.storage_uri and model.location != model.storage_uri]
    if not folders:
        return
    named = ", ".join(f"{model.location} ({model.name})" for model in folders)
    report("folders in S3", f"{named}; where one is a file, set storage_file: true")
    for model in folders:
        if model.storage_file is None and may_name_a_file(model.storage_uri or ""):
            pulumi.log.warn(
                f"{settings.place_of(model)}.storage_uri: {model.storage_uri!r} is taken as a folder, but may be a "
                f"file: set {settings.place_of(model)}.storage_file to true for a file, or to false for a folder"
            )
    found = {model.name: running[settings.namespace_of(model)].get(model.service) for model in folders}
    rolled = [
        model.name
        for model in folders
        if isinstance(there := found[model.name], InferenceService) and there.location == model.storage_uri
    ]
    if rolled:
        pulumi.log.warn(
            f"{', '.join(rolled)}: this update makes new pods, once, because the folder's location gets a slash at its "
            "end. Without it, KServe's storage initializer also takes files of other folders whose names begin alike"
        )
