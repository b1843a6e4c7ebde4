"""What was measured, as docs/benchmarks.json keeps it."""

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
    """What the numbers were measured on."""

    processor: str
    cores: int
    memory_bytes: int
    kernel: str


class Boot(Measured):
    """`cluster up` with everything built: seconds until the node and its DNS are ready, and until the end."""

    ready_s: float
    total_s: float


class Step(Measured):
    """A part of a deployment, and when something of it was under way; the intervals are in order and apart."""

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
        """For how long something of it was under way."""
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
        """Pulumi's time in terms of helm's and kubectl's."""
        return self.pulumi.total_s / self.in_sequence.total_s


class Image(Measured):
    """An image: compressed bytes, its config and its layers."""

    name: str
    size: int


class Images(Measured):
    """The registry's images; the total counts a layer once that several have."""

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
        parts: seconds by part, side by side in three lanes.
        total_s: wall time.
        cpu_s: of all its programs, user and system; what goes on in the node is not counted.
        peak_bytes: the most that it took on disk at one time.
    """

    parts: dict[str, float]
    total_s: float
    cpu_s: float
    peak_bytes: int


class Change(Measured):
    """A `pulumi up` that changed a model under load, as the model's clients saw it.

    Attributes:
        requests: from its start until a while after its end; `failures` of them had no prediction.
        v2_share_after: of the requests after its end, those that the second version answered.

    """

    name: str
    up_s: float
    requests: int
    failures: int
    p50_ms: int
    p95_ms: int
    v2_share_after: float


class Wait(Measured):
    """Something that a destroy waited for, and when, in seconds since its start."""

    name: str
    start_s: float
    end_s: float


class Destroy(Measured):
    """A `pulumi destroy`, and what it waited for longest."""

    waits: tuple[Wait, ...]
    total_s: float


class Teardown(Measured):
    """What goes away.

    Attributes:
        move_s: a `pulumi up` that moves three models and their graph to another namespace.
        idle: of the demo with one model more.
        busy: of models that are asked all the time, and of two with requests that they answer only later.

    """

    move_s: float
    idle: Destroy
    busy: Destroy


class Results(Measured):
    """Everything; what a run leaves out stays as it was."""

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
        """The last results; None where there is no file. Raises ValidationError for another version's."""
        return cls.model_validate_json(file.read_text()) if file.exists() else None

    def write(self, file: Path) -> None:
        """Keep them for the next run and for the report."""
        file.write_text(self.model_dump_json(indent=1) + "\n")
