"""Everything that was read from a cluster at one time, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from endpoints.endpoint import Endpoint
from endpoints.failures import Failure
from kube.views.base import Object
from kube.views.kubernetes import Namespace
from releases.namespaces import PLATFORM_NAMESPACES

T = TypeVar("T", bound=Object)
# The namespaces of what models need; the last two hold the gateways of the other ingresses that Knative may use.
PLATFORM = (
    *PLATFORM_NAMESPACES,
    "kourier-system",
    "envoy-gateway-system",
)


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A list of objects that could not be read.

    Attributes:
        what: plural name of the kind.
        where: the namespace; empty for all.
        why: the error.

    """

    what: str
    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}{f' in {self.where}' if self.where else ''}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request to a model through the gateway at `address`; without a `failure`, a server answered.

    With `forwarded`, the address is the gateway's Service, to which a port was forwarded.
    """

    address: str
    host: str
    failure: Failure | None
    forwarded: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The state of a cluster, as far as it could be read.

    Attributes:
        version: of Kubernetes; empty if the cluster did not answer.
        unreachable: why it did not answer.
        refused: whether it answered, but did not accept the login.
        objects: by kind.
        absent: kinds that the cluster does not know.
        unread: lists that could not be read.
        logs: the last lines of containers that failed or are not ready, by namespace, pod and container.
        answers: of models that were asked through the gateway, by namespace and name.
        resolved: the addresses of each host; none for a name that does not resolve.
        endpoints: of the stack's models, if a stack was given.
        names: the models to look at; none for all.
        namespace: the namespace to look at; None for all.
        now: when it was read.

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
        """The objects of a kind, in one namespace if that is given."""
        found = (item for item in self.objects.get(kind, ()) if isinstance(item, kind))
        return tuple(item for item in found if namespace is None or item.namespace == namespace)

    def get(self, kind: type[T], name: str, namespace: str = "") -> T | None:
        """The object of this name, or None if there is none or it could not be read."""
        return next((item for item in self.of(kind, namespace) if item.name == name), None)

    def missed(self, *kinds: type[Object], namespace: str | None = None) -> tuple[Unread, ...]:
        """The lists of these kinds that could not be read."""
        plurals = {kind.plural for kind in kinds}
        return tuple(
            item
            for item in self.unread
            if item.what in plurals and (namespace is None or item.where in {"", namespace})
        )

    def there(self, namespace: str) -> bool:
        """Whether the namespace exists, or may exist because namespaces could not be read."""
        return self.get(Namespace, namespace) is not None or bool(self.missed(Namespace))
