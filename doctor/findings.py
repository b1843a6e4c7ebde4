"""Causes by name, and a finding: a cause that was seen, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Cause(StrEnum):
    """Everything that can be wrong; the value is its name in reports and its anchor on the troubleshooting page."""

    # the cluster
    CLUSTER_UNREACHABLE = "cluster-unreachable"
    CLUSTER_REFUSES = "cluster-refuses"
    NODE_NOT_READY = "node-not-ready"
    # the platform
    KSERVE_NOT_INSTALLED = "kserve-not-installed"
    KSERVE_CONTROLLER_DOWN = "kserve-controller-down"
    KNATIVE_NOT_INSTALLED = "knative-not-installed"
    KNATIVE_PART_DOWN = "knative-part-down"
    PLATFORM_PART_DOWN = "platform-part-down"
    WEBHOOK_DOWN = "webhook-down"
    WEBHOOK_UNTRUSTED = "webhook-untrusted"
    # the way to the models
    GATEWAY_DOWN = "gateway-down"
    GATEWAY_MISSING = "gateway-missing"
    GATEWAY_NO_ADDRESS = "gateway-no-address"
    GATEWAY_NOT_PROGRAMMED = "gateway-not-programmed"
    GATEWAY_UNREACHABLE = "gateway-unreachable"
    ROUTE_NOT_READY = "route-not-ready"
    NO_ROUTE = "no-route"
    NO_UPSTREAM = "no-upstream"
    HOST_DIFFERS = "host-differs"
    HOST_UNRESOLVED = "host-unresolved"
    HOST_ELSEWHERE = "host-elsewhere"
    # a model's declaration
    MODEL_MISSING = "model-missing"
    NAMESPACE_MISSING = "namespace-missing"
    NAMESPACE_TERMINATING = "namespace-terminating"
    RUNTIME_NONE = "runtime-none"
    RUNTIME_UNKNOWN = "runtime-unknown"
    RUNTIME_DISABLED = "runtime-disabled"
    RUNTIME_MISMATCH = "runtime-mismatch"
    DECLARATION_REFUSED = "declaration-refused"
    # its pods
    SERVICE_ACCOUNT_MISSING = "service-account-missing"
    SECRET_MISSING = "secret-missing"  # noqa: S105 - a name
    QUOTA_EXCEEDED = "quota-exceeded"
    POD_REFUSED = "pod-refused"
    CLAIM_MISSING = "claim-missing"
    CLAIM_PENDING = "claim-pending"
    NODES_TOO_SMALL = "nodes-too-small"
    NODES_NOT_FITTING = "nodes-not-fitting"
    # their images
    IMAGE_NOT_FOUND = "image-not-found"
    IMAGE_REFUSED = "image-refused"
    REGISTRY_UNREACHABLE = "registry-unreachable"
    IMAGE_FAILED = "image-failed"
    # the model's files
    STORAGE_URI_UNKNOWN = "storage-uri-unknown"
    STORAGE_BUCKET_MISSING = "storage-bucket-missing"
    STORAGE_NOT_FOUND = "storage-not-found"
    STORAGE_UNREACHABLE = "storage-unreachable"
    STORAGE_UNTRUSTED = "storage-untrusted"
    STORAGE_KEYS_REFUSED = "storage-keys-refused"
    STORAGE_KEYS_MISSING = "storage-keys-missing"
    STORAGE_SECRET_BARE = "storage-secret-bare"  # noqa: S105 - a name
    STORAGE_FAILED = "storage-failed"
    # its server
    MEMORY_EXCEEDED = "memory-exceeded"
    SERVER_CRASHED = "server-crashed"
    PROBE_FAILING = "probe-failing"
    # its life
    DEADLINE_EXCEEDED = "deadline-exceeded"
    CANARY_STUCK = "canary-stuck"
    DELETION_STUCK = "deletion-stuck"
    DELETION = "deletion"
    WAITS_FOR_PLATFORM = "waits-for-platform"
    STARTING = "starting"
    UNNOTICED = "unnoticed"
    STOPPED = "stopped"
    SCALED_TO_ZERO = "scaled-to-zero"

    @property
    def note(self) -> bool:
        """Whether it is only worth knowing, and nothing is wrong."""
        notes = {Cause.HOST_UNRESOLVED, Cause.HOST_ELSEWHERE, Cause.STOPPED, Cause.SCALED_TO_ZERO}
        return self in notes | {Cause.GATEWAY_NO_ADDRESS}  # a port-forward leads to it


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A text from the cluster: `source` names the object that it comes from."""

    source: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A cause that was seen at an object; `facts` are for the placeholders of the cause's texts."""

    cause: Cause
    kind: str
    name: str
    namespace: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()

    @property
    def subject(self) -> str:
        """The object, as in `default/sklearn-model`."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name
