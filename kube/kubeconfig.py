"""Find and read the kubeconfig as kubectl does: which cluster is meant, and how to log in to it.

No part of lightkube does this: it reads one file, knows neither `proxy-url` nor `tls-server-name`, no login plugin of
version v1 and no client certificate of one.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, AliasPath, Field, ValidationError, ValidationInfo

from kube.views.base import View

DEFAULT_FILE = Path("~/.kube/config")
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
EXEC_EXTENSION = "client.authentication.k8s.io/exec"
V = TypeVar("V", bound=View)


class KubeconfigError(Exception):
    """The kubeconfig cannot be used, or its login fails. The text names the file, the context and a remedy."""


class UnsupportedLoginError(KubeconfigError):
    """The kubeconfig asks for a login or a proxy that kubectl may know and this program does not."""


class LoginFailedError(KubeconfigError):
    """The login plugin failed. It may succeed when it runs again, so waits go on after this error."""


def _beside_kubeconfig(path: Path, info: ValidationInfo) -> Path:
    """Relative paths are relative to the kubeconfig that names them."""
    folder: Path = info.context or Path()
    return folder / path


def _command(command: str, info: ValidationInfo) -> str:
    """A command with a slash is a path; one without is looked up on PATH."""
    return str(_beside_kubeconfig(Path(command), info)) if os.sep in command else command


def _decoded(text: bytes) -> bytes:
    return base64.b64decode(b"".join(text.split()), validate=True)


Base64 = Annotated[bytes, AfterValidator(_decoded)]
LocalPath = Annotated[Path, AfterValidator(_beside_kubeconfig)]


class Cluster(View):
    """Address of an API server, and how to trust it."""

    server: str = ""
    authority: Base64 | None = Field(None, validation_alias="certificate-authority-data")
    authority_file: LocalPath | None = Field(None, validation_alias="certificate-authority")
    insecure: bool = Field(False, validation_alias="insecure-skip-tls-verify")
    server_name: str = Field("", validation_alias="tls-server-name")
    proxy: str = Field("", validation_alias="proxy-url")
    extensions: tuple[dict[str, Any], ...] = ()

    @property
    def plugin_settings(self) -> Any:
        """Settings of the login plugin that the kubeconfig has for this cluster; None without."""
        return next((item.get("extension") for item in self.extensions if item.get("name") == EXEC_EXTENSION), None)


class Variable(View):
    """Environment variable of a login plugin."""

    name: str
    value: str = ""


class Plugin(View):
    """Program that logs in; kubectl calls it an exec plugin."""

    version: str = Field("", validation_alias="apiVersion")
    command: Annotated[str, AfterValidator(_command)] = ""
    args: tuple[str, ...] = ()
    env: tuple[Variable, ...] = ()
    install_hint: str = Field("", validation_alias="installHint")
    interactive_mode: str = Field("", validation_alias="interactiveMode")
    needs_cluster: bool = Field(False, validation_alias="provideClusterInfo")


class User(View):
    """How to log in. Without any of the fields, requests are anonymous."""

    token: str = ""
    token_file: LocalPath | None = Field(None, validation_alias="tokenFile")
    username: str = ""
    password: str = ""
    certificate: Base64 | None = Field(None, validation_alias="client-certificate-data")
    certificate_file: LocalPath | None = Field(None, validation_alias="client-certificate")
    key: Base64 | None = Field(None, validation_alias="client-key-data")
    key_file: LocalPath | None = Field(None, validation_alias="client-key")
    plugin: Plugin | None = Field(None, validation_alias="exec")
    auth_provider: str | None = Field(None, validation_alias=AliasPath("auth-provider", "name"))
    impersonate: str = Field("", validation_alias="as")
    impersonate_uid: str = Field("", validation_alias="as-uid")
    impersonate_groups: tuple[str, ...] = Field((), validation_alias="as-groups")
    impersonate_extra: dict[str, tuple[str, ...]] = Field({}, validation_alias="as-user-extra")


class _Context(View):
    cluster: str = ""
    user: str = ""
    namespace: str = "default"


class _Entry(View):
    """Entry of one of a kubeconfig's lists; only the one of its kind has content."""

    name: str
    cluster: dict[str, Any] = Field(default_factory=dict)
    context: dict[str, Any] = Field(default_factory=dict)
    user: dict[str, Any] = Field(default_factory=dict)


class _File(View):
    current_context: str = Field("", validation_alias="current-context")
    clusters: tuple[_Entry, ...] = ()
    contexts: tuple[_Entry, ...] = ()
    users: tuple[_Entry, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Access:
    """One context of the merged kubeconfig.

    Attributes:
        source: the context and the files it is from, for messages.
        context: its name; None in a pod without a kubeconfig.
        namespace: the context's; `default` where it names none.

    """

    source: str
    context: str | None
    namespace: str
    cluster: Cluster
    user: User = field(repr=False)

    @property
    def authority(self) -> bytes | None:
        """Certificates of the authorities that the cluster's certificate must be signed by, in PEM; None: the system's.

        Raises:
            KubeconfigError: the file that has them cannot be read.

        """
        cluster = self.cluster
        if cluster.authority is not None or cluster.authority_file is None:
            return cluster.authority
        return self.read_file(cluster.authority_file, field="certificate-authority")

    def read_file(self, path: Path, *, field: str) -> bytes:
        """Content of the file that the kubeconfig names in `field`. Raises KubeconfigError."""
        try:
            return path.read_bytes()
        except OSError as problem:
            raise self.error(f"{field} {path} cannot be read: {problem.strerror}; correct the path") from problem

    def error(self, problem: str) -> KubeconfigError:
        """An error that names the source."""
        return KubeconfigError(f"{self.source}: {problem}")


def default_files() -> list[Path]:
    """The files that kubectl reads when it is given none: those in $KUBECONFIG, else ~/.kube/config."""
    return [path.expanduser() for path in _listed() or [DEFAULT_FILE]]


def _listed() -> list[Path]:
    return [Path(name) for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]


def find_access(*, kubeconfig: Path | None = None, context: str | None = None) -> Access:
    """Choose the cluster and the login that kubectl would choose.

    Args:
        kubeconfig: the only file to read. None: those in $KUBECONFIG, of which missing ones are skipped and the first
            with an entry of a name wins; else ~/.kube/config; else, in a pod, its service account.
        context: name of the context. None: the current one.

    Raises:
        KubeconfigError: there is no kubeconfig, a file is not a kubeconfig, or it lacks the context or a part of it.

    """
    files = [kubeconfig.expanduser()] if kubeconfig else default_files()
    present = {file: content for file in files if (content := _read(file)) is not None}
    if present:
        return _merge(present).access(context)
    if kubeconfig or _listed() or "KUBERNETES_SERVICE_HOST" not in os.environ:
        names = ", ".join(map(str, files))
        raise KubeconfigError(f"{names} not found; set KUBECONFIG to the path of a kubeconfig")
    return _service_account(context)


@dataclass(frozen=True, kw_only=True)
class _Merged:
    """Entries of all files by kind and name, each with the folder of its file."""

    files: tuple[Path, ...]
    current_context: str
    entries: Mapping[tuple[str, str], tuple[Path, Mapping[str, Any]]] = field(repr=False)

    def access(self, context: str | None) -> Access:
        """The context of this name, else the current one. Raises KubeconfigError."""
        contexts = sorted(name for kind, name in self.entries if kind == "context")
        known = f"its contexts are {', '.join(contexts)}" if contexts else "it has no contexts"
        name = context or self.current_context
        files = ", ".join(map(str, self.files))
        if not name:
            raise KubeconfigError(f"{files}: no current context is set; {known}. Choose one of them")
        source = f"{files}, context {name!r}"
        if ("context", name) not in self.entries:
            raise KubeconfigError(f"{source}: there is no such context; {known}. Choose one of them")
        chosen = self._entry("context", name, view=_Context, source=source)
        cluster = self._entry("cluster", chosen.cluster, view=Cluster, source=source)
        if not cluster.server:
            raise KubeconfigError(f"{source}: its cluster {chosen.cluster!r} has no server; add the API server's URL")
        user = self._entry("user", chosen.user, view=User, source=source) if chosen.user else User()
        return Access(source=source, context=name, namespace=chosen.namespace, cluster=cluster, user=user)

    def _entry(self, kind: str, name: str, *, view: type[V], source: str) -> V:
        if (kind, name) not in self.entries:
            raise KubeconfigError(f"{source}: it names the {kind} {name!r}, which is not there; add it or correct it")
        folder, content = self.entries[kind, name]
        return _validated(view, content, folder=folder, source=f"{source}, {kind} {name!r}")


def _merge(files: Mapping[Path, _File]) -> _Merged:
    entries: dict[tuple[str, str], tuple[Path, Mapping[str, Any]]] = {}
    for path, content in files.items():
        for kind, listed in (("cluster", content.clusters), ("context", content.contexts), ("user", content.users)):
            for entry in listed:
                entries.setdefault((kind, entry.name), (path.absolute().parent, getattr(entry, kind)))
    current = next((content.current_context for content in files.values() if content.current_context), "")
    return _Merged(files=tuple(files), current_context=current, entries=entries)


def _read(file: Path) -> _File | None:
    """Content of a kubeconfig; None if there is no such file. A folder is an error, as for kubectl."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise KubeconfigError(f"{file}: it cannot be read: {problem.strerror}; correct the path") from problem
    except UnicodeDecodeError as problem:
        raise KubeconfigError(f"{file}: it is not a kubeconfig: it is not text") from problem
    except yaml.YAMLError as problem:
        # The parser's own text would quote the file, secrets included.
        mark = getattr(problem, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise KubeconfigError(f"{file}{line}: it is not a kubeconfig: it is not YAML") from None
    # An empty file is an empty kubeconfig, as for kubectl.
    return _validated(_File, {} if document is None else document, folder=file.parent, source=str(file))


def _validated(view: type[V], content: object, *, folder: Path, source: str) -> V:
    try:
        return view.model_validate(content, context=folder)
    except ValidationError as problem:
        error = problem.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, error["loc"])) or "the document"
        raise KubeconfigError(f"{source}: it is not a kubeconfig: {place}: {error['msg']}") from None


def _service_account(context: str | None) -> Access:
    source = f"the pod's service account in {SERVICE_ACCOUNT}"
    if context:
        raise KubeconfigError(f"{source}: there is no context {context!r}; set KUBECONFIG to a kubeconfig that has it")
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        namespace = (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    except OSError as problem:
        raise KubeconfigError(f"{source} cannot be read: {problem.strerror}; mount it, or set KUBECONFIG") from problem
    server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    cluster = Cluster.model_validate({"server": server, "certificate-authority": SERVICE_ACCOUNT / "ca.crt"})
    user = User.model_validate({"tokenFile": SERVICE_ACCOUNT / "token"})
    return Access(source=source, context=None, namespace=namespace, cluster=cluster, user=user)
