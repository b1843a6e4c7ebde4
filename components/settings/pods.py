"""Settings of the pods of a model, its transformer and its explainer: volumes, nodes, priority and disruptions."""

from __future__ import annotations

import posixpath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from components.settings.errors import refuse
from components.settings.fields import Key, LabelValue, Matching, Name, ObjectName, Quantity, Section, parse_quantity
from components.settings.modes import Replicas

# Where KServe puts a model's files.
MODEL_FILES = "/mnt/models"
# Paths that Knative keeps for itself.
KNATIVE_PATHS = ("/", "/dev", "/dev/log")
# Volumes of KServe's and Knative's own; one that ends with - is a prefix.
RESERVED_VOLUMES = ("kserve-", "knative-", "model-dir", "model-config", "user-gcp-sa", "cabundle-cert", "hdfs-secrets")
SOURCES = ("persistent_volume_claim", "empty_dir", "secret", "config_map")


def _unreserved_volume(name: str) -> str:
    if any(name == reserved or (reserved.endswith("-") and name.startswith(reserved)) for reserved in RESERVED_VOLUMES):
        raise ValueError(f"{name!r} is a name of KServe's or Knative's own volumes; choose another")
    return name


def _mount_path(path: str) -> str:
    clean = posixpath.normpath(path)
    if path.rstrip("/") != clean.rstrip("/"):
        raise ValueError(f"{path!r} is not a plain path; write {clean}")
    if clean in KNATIVE_PATHS:
        raise ValueError(f"{clean} is reserved for Knative; mount the volume at another path")
    if f"{clean}/".startswith(f"{MODEL_FILES}/"):
        raise ValueError(f"{clean} is where KServe puts the model's files; mount the volume outside {MODEL_FILES}")
    return clean


def _positive(amount: str) -> str:
    if parse_quantity(amount) <= 0:
        raise ValueError(f"{amount!r} leaves no room; give more than 0")
    return amount


class EmptyDir(Section):
    """An empty directory, which is deleted with the pod."""

    medium: Literal["Memory"] | None = Field(
        default=None, description="Memory for a file system in memory, as for /dev/shm; the node's disk when left out"
    )
    size_limit: Annotated[Quantity, AfterValidator(_positive)] | None = Field(
        default=None,
        description="how much it can hold; what is in memory counts for the container's memory, too",
    )


class Volume(Section):
    """A volume of the pods, mounted into the server's container. It has one source."""

    name: Annotated[Name, AfterValidator(_unreserved_volume)]
    mount_path: Annotated[
        str,
        Matching(pattern=r"/[^:\s]*", what="path: begin it with /, without : and spaces"),
        AfterValidator(_mount_path),
    ] = Field(description=f"where the server sees it; not below {MODEL_FILES}, where the model's files are")
    read_only: bool = Field(
        default=False, description="whether the server cannot write to it; Secrets and ConfigMaps are always read-only"
    )
    persistent_volume_claim: ObjectName | None = Field(
        default=None, description="an existing PersistentVolumeClaim in the model's namespace"
    )
    empty_dir: EmptyDir | None = None
    secret: ObjectName | None = Field(
        default=None, description="an existing Secret in the model's namespace; each key becomes a file"
    )
    config_map: ObjectName | None = Field(
        default=None, description="an existing ConfigMap in the model's namespace; each key becomes a file"
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = [source for source in SOURCES if getattr(self, source) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(SOURCES)}; it has {' and '.join(given) or 'none'}")
        return self


def _each_once(volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
    for kind in ("name", "mount_path"):
        given = [getattr(volume, kind) for volume in volumes]
        if twice := sorted({value for value in given if given.count(value) > 1}):
            raise ValueError(f"{', '.join(twice)} is the {kind} of more than one volume; give each its own")
    return volumes


Volumes = Annotated[tuple[Volume, ...], AfterValidator(_each_once)]


class NodeRequirement(Section):
    """A requirement of a node's label."""

    key: Key = Field(description="the label's key")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(
        default="In", description="how the label is compared with the values"
    )
    values: tuple[LabelValue, ...] = Field(
        default=(), description="the label's values: one or more for In and NotIn, a whole number for Gt and Lt"
    )

    @model_validator(mode="after")
    def _has_the_values_it_needs(self) -> Self:
        refuse({"values": self._values_problem()})
        return self

    def _values_problem(self) -> str | None:
        if self.operator in {"Exists", "DoesNotExist"}:
            return f"have no effect with operator {self.operator}; drop them" if self.values else None
        if self.operator in {"Gt", "Lt"}:
            is_number = len(self.values) == 1 and self.values[0].isdecimal()
            return None if is_number else f"must be one whole number with operator {self.operator}, in quotes"
        return None if self.values else f"are missing: operator {self.operator} needs one or more"


Weight = Annotated[int, Field(ge=1, le=100, description="how much it counts, compared with other preferences")]


class PreferredNodes(Section):
    """Nodes that are preferred: those that meet all requirements."""

    weight: Weight
    requirements: tuple[NodeRequirement, ...] = Field(min_length=1)


class NodeAffinity(Section):
    """Nodes that the pods must or should be on, by the nodes' labels."""

    required: tuple[NodeRequirement, ...] = ()
    preferred: tuple[PreferredNodes, ...] = ()


class PodTerm(Section):
    """Pods in the model's namespace, and what counts as the same place as theirs."""

    topology_key: Key = Field(
        description="label of nodes; those with the same value are one place, as in kubernetes.io/hostname"
    )
    labels: dict[Key, LabelValue] = Field(
        default_factory=dict, description="labels of the pods; when left out, those of the same server"
    )


class PreferredPods(PodTerm):
    """Pods to be near, or away from, where possible."""

    weight: Weight


class PodAffinity(Section):
    """Pods that the pods must or should be near to, or away from."""

    required: tuple[PodTerm, ...] = ()
    preferred: tuple[PreferredPods, ...] = ()


class Affinity(Section):
    """Which nodes the pods are scheduled to, beyond `node_selector`."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        kinds = (self.node_affinity, self.pod_affinity, self.pod_anti_affinity)
        if not any(kind and (kind.required or kind.preferred) for kind in kinds):
            raise ValueError("requires and prefers nothing; give one of its affinities a term, or drop it")
        return self


class TopologySpread(Section):
    """How evenly the pods of a server are spread over zones, nodes or other places."""

    topology_key: Key = Field(
        description="label of nodes; those with the same value are one place, as in topology.kubernetes.io/zone"
    )
    max_skew: int = Field(default=1, ge=1, description="most pods that a place can have more than another")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        default="ScheduleAnyway", description="what becomes of a pod that would make it more uneven"
    )


def _each_place_once(spreads: tuple[TopologySpread, ...]) -> tuple[TopologySpread, ...]:
    pairs = [(spread.topology_key, spread.when_unsatisfiable) for spread in spreads]
    if twice := sorted({key for key, when in pairs if pairs.count((key, when)) > 1}):
        raise ValueError(
            f"{', '.join(twice)} is there more than once with the same when_unsatisfiable; keep one of them"
        )
    return spreads


TopologySpreads = Annotated[tuple[TopologySpread, ...], AfterValidator(_each_place_once)]


def _number_as_text(amount: object) -> object:
    return str(amount) if isinstance(amount, int) and not isinstance(amount, bool) else amount


Amount = Annotated[
    str,
    BeforeValidator(_number_as_text, json_schema_input_type=str | int),
    Matching(pattern=r"\d{1,6}|\d{1,2}%|100%", what="number of pods: write it like 1 or 50%"),
]


class DisruptionBudget(Section):
    """How many pods of a server can be evicted at a time, as when nodes are drained (a PodDisruptionBudget)."""

    min_available: Amount | None = Field(default=None, description="pods that must stay, as 1 or 50%")
    max_unavailable: Amount | None = Field(default=None, description="pods that can be gone, as 1 or 50%")

    @model_validator(mode="after")
    def _has_one_bound(self) -> Self:
        if (self.min_available is None) == (self.max_unavailable is None):
            raise ValueError("needs exactly one of min_available and max_unavailable")
        refuse(
            {
                "min_available": "100% allows no eviction: no node with such a pod could ever be drained; lower it"
                if self.min_available == "100%"
                else None,
                "max_unavailable": f"{self.max_unavailable} allows no eviction: no node with such a pod could ever be "
                "drained; raise it"
                if self.max_unavailable and int(self.max_unavailable.rstrip("%")) == 0
                else None,
            }
        )
        return self

    def never_allows(self, replicas: Replicas) -> str | None:
        """Why no pod can ever be evicted from this many replicas; None where one can be at some time."""
        if self._keeps(replicas.max):
            return (
                f"min_available {self.min_available} of at most {replicas.max} replicas allows no eviction: no node "
                "with such a pod could ever be drained; lower it, or raise replicas.max"
            )
        return None

    def blocks_at_minimum(self, replicas: Replicas) -> bool:
        """Whether no pod can be evicted while only the least number of replicas runs."""
        return replicas.min > 0 and self._keeps(replicas.min)

    def _keeps(self, pods: int) -> bool:
        """Whether all of these pods must stay. Kubernetes rounds a percentage of pods up."""
        amount = self.min_available
        if amount is None:
            return False
        if amount.endswith("%"):
            return -(-pods * int(amount[:-1]) // 100) >= pods
        return int(amount) >= pods


PriorityClass = Annotated[
    str, Matching(pattern=r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", what="priority class: give the name of one")
]
