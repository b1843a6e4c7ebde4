"""Everything that was read in one pass, and what could not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from doctor.kinds import Namespace, Object
from endpoints.endpoint import Endpoint
from endpoints.failures import Failure

T = TypeVar("T", bound=Object)
# Whose parts a deployment is made of; the last two hold Knative's gateways of other ingresses.
PLATFORM = (
    "cert-manager",
    "istio-system",
    "knative-operator",
    "knative-serving",
    "kserve",
    "kourier-system",
    "envoy-gateway-system",
)


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A list that the cluster did not give: of `what`, in the namespace `where` (empty: in all), for this reason."""

    what: str
    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}{f' in {self.where}' if self.where else ''}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request to a model through the gateway at `address`; `failure` is None if something behind it answered."""

    address: str
    host: str
    failure: Failure | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One look at a cluster.

    Attributes:
        version: of Kubernetes; empty if it did not answer, and `unreachable` then says why.
        objects: by kind; `absent` are the kinds that the cluster does not know, `unread` what it did not give.
        logs: the last lines of containers that may explain something, by namespace, pod and container.
        answers: of models asked through the gateway, by namespace and name.
        resolved: the addresses of hosts; none for a name that does not resolve.
        endpoints: what a stack says of its models, if one was given.
        names: the models asked for; none for all.
        namespace: the one asked for; None for all.

    """

    version: str = ""
    unreachable: str = ""
    refused: bool = False
    objects: Mapping[type[Object], tuple[Object, ...]] = field(default_factory=dict)
    absent: frozenset[type[Object]] = frozenset()
    unread: tuple[Unread, ...] = ()
    logs: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], Asked] = field(default_factory=dict)
    resolved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = ()
    names: tuple[str, ...] = ()
    namespace: str | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def of(self, kind: type[T], namespace: str | None = None) -> tuple[T, ...]:
        """The objects of a kind, of one namespace if that is given."""
        found = (item for item in self.objects.get(kind, ()) if isinstance(item, kind))
        return tuple(item for item in found if namespace is None or item.namespace == namespace)

    def get(self, kind: type[T], name: str, namespace: str = "") -> T | None:
        """The object of this name, if it was read."""
        return next((item for item in self.of(kind, namespace) if item.name == name), None)

    def missed(self, *kinds: type[Object], namespace: str | None = None) -> tuple[Unread, ...]:
        """What of these kinds could not be read."""
        plurals = {kind.plural for kind in kinds}
        return tuple(
            item
            for item in self.unread
            if item.what in plurals and (namespace is None or item.where in {"", namespace})
        )

    def there(self, namespace: str) -> bool:
        """Whether the namespace exists, as far as is known."""
        return self.get(Namespace, namespace) is not None or bool(self.missed(Namespace))
