"""The table of stores in docs/features.md: what was seen of each credential at a server that asks for it.

A test with the fixture `store_evidence` records what it got, in the server's own words:
`store_evidence.saw("wrong", said, kind="s3", credential="keys", server="versitygw", where="pod")`, or, where no such
server was asked, that the objects are right: `store_evidence.declared(kind="s3", credential="IAM role")`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

# A test's property with a sighting; properties come with the test's report, also from a worker of pytest-xdist.
PROPERTY = "store"
Case = Literal["right", "wrong", "missing", "expired", "untrusted", "forbidden"]
Where = Literal["pod", "kserve-storage", "objects"]

# The strongest first.
_WHERE: dict[Where, str] = {
    "pod": "pod on the cluster · 集群中的 Pod",
    "kserve-storage": "`kserve-storage` alone · 仅 `kserve-storage`",
    "objects": "objects asserted · 断言对象",
}
_COLUMNS: tuple[Case, ...] = ("right", "wrong", "missing", "expired")
_INTRODUCTION = """\
## Stores · 存储

What came of a right, a wrong, a missing and an expired credential. In quotes is what the run got, with “server” for
addresses. *Pod on the cluster*: fetched by the local cluster's storage initializer, which is `kserve-storage` with a
few words more; with the right credential, the model's predictions. *`kserve-storage` alone*: KServe's package from
PyPI, with the variables and files that KServe gives it, outside of a cluster; with the right credential, the files.
*Objects asserted*: no such server was asked. A dash: not tried. [storage.md](storage.md) says how to set each of them.

凭据正确、错误、缺失和过期时的结果。引号中是运行时得到的原文，地址以“server”代替。“集群中的 Pod”：由本地集群的
存储初始化器下载，它就是 `kserve-storage`，只多说几句话；凭据正确时为模型的预测。“仅 `kserve-storage`”：在集群之外，
用 KServe 会给出的变量和文件运行 KServe 在 PyPI 上的软件包；凭据正确时为得到的文件。“断言对象”：没有请求过这样的服务器。
短横：未试过。设置方法见 [storage.zh.md](storage.zh.md)。

| kind · 种类 | credential · 凭据 | enforced by · 由谁检查 | where · 何处 \
| right · 正确 | wrong · 错误 | missing · 缺失 | expired · 过期 | other · 其他 |
|---|---|---|---|---|---|---|---|---|
"""
_CHINESE = {
    "keys": "密钥",
    "IAM role": "IAM 角色",
    "header": "请求头",
    "password": "密码",
    "token": "令牌",
    "service account's key": "服务账号密钥",
    "service account (workload identity)": "服务账号（workload identity）",
    "anonymous": "匿名",
    "service principal": "服务主体",
    "storage key": "存储密钥",
    "SAS token": "SAS 令牌",
    "managed identity": "托管标识",
    "Kerberos, client certificate": "Kerberos、客户端证书",
    "none": "无",
    "untrusted": "证书不受信任",
    "forbidden": "无权限",
}
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?")
_QUOTED = re.compile(r"“[^”]*”")
_LONGEST = 160


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What a test saw of a credential.

    Attributes:
        server: that enforces the credential; empty where only objects are asserted.
        case: what was wrong with the credential; None where only objects are asserted.
        words: what came of it, as the run got it.

    """

    kind: str
    credential: str
    where: Where
    server: str = ""
    case: Case | None = None
    words: str = ""


@dataclass(frozen=True)
class StoreEvidence:
    """Records sightings among the properties of a test."""

    properties: list[tuple[str, object]] = field(repr=False)

    def saw(self, case: Case, words: str, *, kind: str, credential: str, server: str, where: Where) -> None:
        """Record what came of a credential; raises ValueError for an unknown case or place, and without words."""
        if case not in get_args(Case) or where not in get_args(Where) or not words.strip():
            raise ValueError(f"case is one of {get_args(Case)}, where one of {get_args(Where)}, and words are needed")
        self._record(Sighting(kind=kind, credential=credential, server=server, where=where, case=case, words=words))

    def declared(self, *, kind: str, credential: str) -> None:
        """Record that the objects for a credential were compared."""
        self._record(Sighting(kind=kind, credential=credential, where="objects"))

    def _record(self, sighting: Sighting) -> None:
        self.properties.append((PROPERTY, asdict(sighting)))


def store_section(sightings: Iterable[Sighting]) -> str:
    """The section of the page; empty without rows.

    A credential has a row for each server that was asked, and one for its objects only where none was.
    """
    rows: dict[tuple[str, str, str, Where], list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        rows[sighting.kind, sighting.credential, sighting.server, sighting.where].append(sighting)
    asked = {(kind, credential) for kind, credential, _, where in rows if where != "objects"}
    order = list(_WHERE)
    lines = [
        _row(key, seen)
        for key, seen in sorted(rows.items(), key=lambda row: (*row[0][:2], order.index(row[0][3]), row[0][2]))
        if key[3] != "objects" or key[:2] not in asked
    ]
    return _INTRODUCTION + "\n".join(lines) + "\n" if lines else ""


def without_words(page: str) -> str:
    """The page without what servers said, which may differ a little from run to run."""
    return _QUOTED.sub("“”", page)


def _row(key: tuple[str, str, str, Where], seen: list[Sighting]) -> str:
    kind, credential, server, where = key
    cells = [_words(s.words for s in seen if s.case == case) for case in _COLUMNS]
    others: list[Case] = [case for case in get_args(Case) if case not in _COLUMNS]
    found = [(case, _words(s.words for s in seen if s.case == case)) for case in others]
    other = "; ".join(f"{_both(case)}: {words}" for case, words in found if words != "–") or "–"
    return f"| `{kind}` | {_both(credential)} | {server or '–'} | {_WHERE[where]} | {' | '.join((*cells, other))} |"


def _both(text: str) -> str:
    return f"{text} · {_CHINESE[text]}" if text in _CHINESE else text


def _words(said: Iterable[str]) -> str:
    return " ".join(sorted({_quoted(words) for words in said})) or "–"


def _quoted(words: str) -> str:
    """Words of a run for a cell of a table: in one line, without addresses, and not too long."""
    text = _ADDRESS.sub("server", " ".join(words.split())).replace("“", '"').replace("”", '"')
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"
    return "“" + re.sub(r"([|*<`\\])", r"\\\1", shown) + "”"
