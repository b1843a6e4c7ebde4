"""A Kubernetes API on the loopback that knows its version, and a kubeconfig for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from components.objects import STACK_ANNOTATION
from components.preflight.access_review import REVIEWS
from tests.unit.predict.server import Reply, Server, serving

KSERVE_API = "/apis/serving.kserve.io/v1beta1"
UID = "0c4a7b1e-0000-4000-8000-000000000001"


@contextmanager
def answering(
    folder: Path,
    *,
    version: tuple[str, str] = ("1", "34"),
    namespaces: Mapping[str, str | None] | None = None,
    served: Mapping[str, Mapping[str, str | None]] | None = None,
    knative: bool = True,
) -> Iterator[Path]:
    """Give the kubeconfig; its contexts are `here` (current) and `elsewhere`, where nothing listens.

    `namespaces`: which stack made each; `served`: the same of the InferenceServices in each, None without KServe.
    """
    with serving() as server:
        reply_with(server, {"major": version[0], "minor": version[1]})
        have_uid(server)
        for name, owner in ({"default": None} if namespaces is None else namespaces).items():
            _reply(server, f"/api/v1/namespaces/{name}", _object(name, owner))
        if knative:
            _reply(server, "/apis/serving.knative.dev/v1", {"kind": "APIResourceList"})
        if served is not None:
            _reply(server, KSERVE_API, {"kind": "APIResourceList"})
            for namespace, owners in served.items():
                items = [_object(name, owner) for name, owner in owners.items()]
                _reply(server, f"{KSERVE_API}/namespaces/{namespace}/inferenceservices", {"items": items})
        yield kubeconfig(folder, server=server.address)


def _reply(server: Server, path: str, body: object, *, method: str = "GET") -> None:
    server.on(server.address.removeprefix("http://"), f"{method} {path}", Reply(body))


def _object(name: str, owner: str | None) -> dict[str, object]:
    return {"metadata": {"name": name, "annotations": {STACK_ANNOTATION: owner} if owner else {}}}


def have_uid(server: Server, uid: str = UID) -> None:
    """Have the cluster say which one it is, and that the login may do everything."""
    _reply(server, "/api/v1/namespaces/kube-system", {"metadata": {"name": "kube-system", "uid": uid}})
    _reply(server, REVIEWS, {"status": {"allowed": True}}, method="POST")


def reply_with(server: Server, body: object, *, status: int = 200) -> None:
    server.on(server.address.removeprefix("http://"), "GET /version", Reply(body, status=status))


def kubeconfig(
    folder: Path,
    *,
    server: str,
    contexts: tuple[str, ...] = ("here", "elsewhere"),
    login: Mapping[str, object] | None = None,
) -> Path:
    """The first context is the current one, of the cluster at `server`; at the others' nothing listens."""
    clusters = {name: server if name == contexts[0] else "http://127.0.0.1:1" for name in contexts}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": address}} for name, address in clusters.items()],
        "users": [{"name": "me", "user": dict(login or {"token": "t"})}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in clusters],
        "current-context": contexts[0],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file
