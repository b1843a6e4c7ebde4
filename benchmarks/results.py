"""The measurements, as docs/benchmarks.json keeps them."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from pydantic import BaseModel, ConfigDict

# Seconds since a start: (from, to).
Interval = tuple[float, float]


class Measured(BaseModel):
    """A part of the results."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(Measured):
    """The machine that the numbers were measured on."""

    processor: str
    cores: int
    memory_bytes: int
    kernel: str


class Boot(Measured):
    """`cluster up` with everything built: seconds until the node and its DNS are ready, and until the end."""

    ready_s: float
    total_s: float


class Step(Measured):
    """A part of a deployment, and the intervals in which it was under way: in order, and not overlapping."""

    name: str
    intervals: tuple[Interval, ...]

    @property
    def start_s(self) -> float:
        """When it began."""
        return self.intervals[0][0]

    @property
    def end_s(self) -> float:
        """When it was done."""
        return self.intervals[-1][1]

    @property
    def busy_s(self) -> float:
        """Seconds in which it was under way."""
        return sum(end - start for start, end in self.intervals)


class Deployment(Measured):
    """From an empty cluster to verified predictions."""

    steps: tuple[Step, ...]
    total_s: float


class Round(Measured):
    """Both ways to deploy, one after the other, each on a cluster of its own."""

    boots: tuple[Boot, Boot]
    pulumi: Deployment
    in_sequence: Deployment

    @property
    def ratio(self) -> float:
        """Pulumi's time divided by that of helm and kubectl."""
        return self.pulumi.total_s / self.in_sequence.total_s


class Image(Measured):
    """An image: compressed bytes, its config and its layers."""

    name: str
    size: int


class Images(Measured):
    """The registry's images; the total counts a shared layer once."""

    images: tuple[Image, ...]
    total_bytes: int


class Life(Measured):
    """A deployment's life after the first `up`, measured once.

    Attributes:
        memory: bytes (PSS) by program, after a while without requests.
        cache: bytes on disk by kind of entry.

    """

    preview_s: float
    up_again_s: float
    refresh_s: float
    destroy_s: float
    memory: dict[str, int]
    images: Images
    cache: dict[str, int]


class ColdBuild(Measured):
    """The first `cluster up` on a machine, with nothing downloaded or built.

    Attributes:
        parts: seconds by part; parts of the three lanes are built side by side.
        total_s: wall time.
        cpu_s: CPU time of its programs, user and system, without those in the node.
        peak_bytes: the most disk space it used at one time.
    """

    parts: dict[str, float]
    total_s: float
    cpu_s: float
    peak_bytes: int


class Change(Measured):
    """A `pulumi up` that changed a model under load, as the model's clients saw it.

    Attributes:
        requests: sent from the start of `up` until some seconds after its end; `failures` of them got no prediction.
        v2_share_after: share of the requests after its end that the second version answered.

    """

    name: str
    up_s: float
    requests: int
    failures: int
    p50_ms: int
    p95_ms: int
    v2_share_after: float


class Wait(Measured):
    """A resource whose deletion a destroy waited for, and when, in seconds since the destroy began."""

    name: str
    start_s: float
    end_s: float


class Destroy(Measured):
    """A `pulumi destroy`, and the deletions that it waited for longest."""

    waits: tuple[Wait, ...]
    total_s: float


class Teardown(Measured):
    """How long moves and destroys take.

    Attributes:
        move_s: a `pulumi up` that moves three models and their graph to another namespace.
        idle: destroy of the demo with one more model.
        busy: destroy of models under load, and of two that hold requests without answering them.

    """

    move_s: float
    idle: Destroy
    busy: Destroy


class Results(Measured):
    """All measurements; a run that leaves some out keeps their last values."""

    machine: Machine
    rounds: tuple[Round, ...] = ()
    life: Life | None = None
    cold: ColdBuild | None = None
    changes: tuple[Change, ...] = ()
    teardown: Teardown | None = None

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios. Raises StatisticsError without a round."""
        return median(measured.ratio for measured in self.rounds)

    @classmethod
    def read(cls, file: Path) -> Results | None:
        """The last results, or None without a file; raises ValidationError for a file of another version."""
        return cls.model_validate_json(file.read_text()) if file.exists() else None

    def write(self, file: Path) -> None:
        """Keep them for the next run and for the report."""
        file.write_text(self.model_dump_json(indent=1) + "\n")
