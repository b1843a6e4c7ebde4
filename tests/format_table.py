"""The table of formats in docs/features.md: which server has answered by which protocol.

A test says so with `@pytest.mark.format("mlflow", server="pypi", program="MLServer", protocols=["v2"], proof="value")`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Server = Literal["ours", "pypi", "image"]
Protocol = Literal["v1", "v2", "grpc-v2", "openai"]
Proof = Literal["value", "process", "objects"]

_SERVERS: dict[Server, str] = {
    "ours": "this project's · 本项目编写",
    "pypi": "upstream's from PyPI · 上游，来自 PyPI",
    "image": "the official image of KServe's runtime · KServe 运行时的官方镜像",
}
# The strongest first.
_PROOFS: dict[Proof, str] = {
    "value": "by value · 按值验证",
    "process": "by value, without a cluster · 按值验证，无集群",
    "objects": "objects asserted · 断言对象",
}
_INTRODUCTION = """\
## Formats · 格式

A format is named as in the setting `format`. *By value*: a model of it was deployed on the local cluster, and its
predictions were compared. *By value, without a cluster*: the server's program was asked on this machine.

格式以设置 `format` 的取值命名。“按值验证”：在本地集群上部署了该格式的模型，并核对其预测。“按值验证，无集群”：在本机上
直接请求服务器程序。

| format · 格式 | server · 服务器 | v1 | v2 REST | v2 gRPC | OpenAI |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, kw_only=True)
class FormatClaim:
    """What one test proves of formats.

    Attributes:
        formats: values of the setting `format`.
        program: name of a server that is not ours.

    """

    formats: tuple[str, ...]
    server: Server
    program: str
    protocols: tuple[Protocol, ...]
    proof: Proof

    @classmethod
    def of(
        cls,
        *formats: str,
        server: Server,
        protocols: Sequence[Protocol],
        program: str = "",
        proof: Proof = "value",
    ) -> FormatClaim:
        """Read a marker's arguments; raises ValueError for a server, a protocol or a proof that there is not."""
        if server not in get_args(Server) or not {*protocols} <= {*get_args(Protocol)} or proof not in get_args(Proof):
            allowed = f"{get_args(Server)}, protocols are of {get_args(Protocol)}, proof is one of {get_args(Proof)}"
            raise ValueError(f"format {', '.join(formats)}: server is one of {allowed}")
        return cls(formats=formats, server=server, program=program, protocols=tuple(protocols), proof=proof)


def format_section(claims: Iterable[FormatClaim]) -> str:
    """The section of the page; empty without rows. A row has the strongest proof of each protocol."""
    rows: dict[tuple[str, Server, str], dict[Protocol, set[Proof]]] = defaultdict(lambda: defaultdict(set))
    for claim in claims:
        for name in claim.formats:
            for protocol in claim.protocols:
                rows[name, claim.server, claim.program][protocol].add(claim.proof)
    lines = [
        f"| `{name}` | {f'{program}, ' if program else ''}{_SERVERS[server]} | {' | '.join(_cells(proofs))} |"
        for (name, server, program), proofs in sorted(rows.items(), key=lambda row: (row[0][0].lower(), *row[0][1:]))
    ]
    return _INTRODUCTION + "\n".join(lines) + "\n" if lines else ""


def _cells(proofs: dict[Protocol, set[Proof]]) -> Iterable[str]:
    for protocol in get_args(Protocol):
        yield next((said for proof, said in _PROOFS.items() if proof in proofs.get(protocol, set())), "–")
