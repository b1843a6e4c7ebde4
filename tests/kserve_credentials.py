"""What KServe 0.20 gives a storage initializer for the objects that a store declares.

It follows `pkg/credentials` and `storage_initializer_injector.go`: which variables and volumes it makes from a service
account's annotations and Secrets, and what a ClusterStorageContainer adds.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.unit.components.recording import Recording

CERTIFICATES = "/etc/ssl/custom-certs"
S3 = {
    "verifyssl": "S3_VERIFY_SSL",
    "useanoncredential": "awsAnonymousCredential",
    "region": "AWS_DEFAULT_REGION",
    "usevirtualbucket": "S3_USER_VIRTUAL_BUCKET",
    "cabundle-configmap": "AWS_CA_BUNDLE_CONFIGMAP",
}
AZURE = (
    *("AZURE_SUBSCRIPTION_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
    *("AZURE_STORAGE_ACCESS_KEY", "AZURE_ACCESS_TOKEN", "AZURE_ACCESS_EXPIRES_ON_SECONDS"),
)


@dataclass
class Initializer:
    """A storage initializer's surroundings.

    Attributes:
        plain: variables whose values stand in the pod.
        referred: variables that the pod takes from Secrets, with their values.
        files: content of mounted files by path.

    """

    plain: dict[str, str] = field(default_factory=dict)
    referred: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """All of its variables."""
        return self.plain | self.referred


def initializer_of(
    recording: Recording, *, variables: Sequence[Mapping[str, Any]] = (), config_maps: Mapping[str, str] | None = None
) -> Initializer:
    """Surroundings of the storage initializer of a model of the one store that a recording has.

    Args:
        recording: with the store's objects.
        variables: that the model's ClusterStorageContainer adds.
        config_maps: certificates in ConfigMaps that exist already.

    """
    found = Initializer()
    (account,) = _all(recording, ":ServiceAccount")
    secrets = {secret["metadata"]["name"]: secret for secret in _all(recording, ":Secret")}
    if "eks.amazonaws.com/role-arn" in _annotations(account):
        _s3_variables(found, _annotations(account))
    for entry in account.get("secrets", []):
        _mount(found, secrets[entry["name"]])
    certificates = {c["metadata"]["name"]: c["data"]["cabundle.crt"] for c in _all(recording, ":ConfigMap")}
    if name := found.plain.get("AWS_CA_BUNDLE_CONFIGMAP"):
        text = {**certificates, **(config_maps or {})}[name]
        found.files[f"{CERTIFICATES}/cabundle.crt"] = text.encode()
        found.plain |= {"CA_BUNDLE_CONFIGMAP_NAME": name, "CA_BUNDLE_VOLUME_MOUNT_POINT": CERTIFICATES}
    for variable in variables:
        if "value" in variable:
            found.plain[variable["name"]] = variable["value"]
        else:
            reference = variable["valueFrom"]["secretKeyRef"]
            found.referred[variable["name"]] = secrets[reference["name"]]["stringData"][reference["key"]]
    return found


def _all(recording: Recording, ending: str) -> list[Any]:
    return [resource.plain for resource in recording.resources.values() if resource.type.endswith(ending)]


def _annotations(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    annotations: Mapping[str, str] = manifest["metadata"].get("annotations", {})
    return annotations


def _mount(found: Initializer, secret: Mapping[str, Any]) -> None:
    data: dict[str, str] = secret.get("stringData", {})
    binary = {key: base64.b64decode(text) for key, text in secret.get("data", {}).items()}
    if "AWS_SECRET_ACCESS_KEY" in data:
        found.referred |= {key: data[key] for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        _s3_variables(found, _annotations(secret))
    elif "gcloud-application-credentials.json" in data:
        path = "/var/secrets/gcloud-application-credentials.json"
        found.files[path] = data["gcloud-application-credentials.json"].encode()
        found.plain["GOOGLE_APPLICATION_CREDENTIALS"] = path
    elif "AZURE_CLIENT_ID" in data:
        assert "AZURE_TENANT_ID" in data, "the pod would refer to a key that the Secret does not have"
        found.referred |= {key: data[key] for key in AZURE if key in data}
    elif "AZURE_STORAGE_ACCESS_KEY" in data:
        found.referred["AZURE_STORAGE_ACCESS_KEY"] = data["AZURE_STORAGE_ACCESS_KEY"]
    elif "https-host" in data:
        found.plain[f"{data['https-host']}-headers"] = data["headers"]
    elif "HDFS_NAMENODE" in data:
        texts = {key: text.encode() for key, text in data.items()}
        found.files |= {f"/var/secrets/kserve-hdfscreds/{key}": text for key, text in (texts | binary).items()}
    elif "HF_TOKEN" in data:
        found.referred["HF_TOKEN"] = data["HF_TOKEN"]
    else:
        raise AssertionError(f"KServe passes over a Secret with the keys {sorted(data)}")


def _s3_variables(found: Initializer, annotations: Mapping[str, str]) -> None:
    prefix = "serving.kserve.io/s3-"
    said = {key.removeprefix(prefix): value for key, value in annotations.items() if key.startswith(prefix)}
    if endpoint := said.get("endpoint"):
        scheme = "http" if said.get("usehttps") == "0" else "https"
        found.plain |= {"S3_ENDPOINT": endpoint, "AWS_ENDPOINT_URL": f"{scheme}://{endpoint}"}
        found.plain |= {"S3_USE_HTTPS": said["usehttps"]} if "usehttps" in said else {}
    found.plain |= {variable: said[key] for key, variable in S3.items() if key in said}
