"""The page docs/features.md: what the tests of a run have proven, by how KServe runs the model.

A test says what it proves with `@pytest.mark.feature("canary", mode="Knative", proof="value")`. Below that table come
those of formats (tests/format_table.py) and of stores (tests/store_table.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tests.format_table import FormatClaim, format_section
from tests.store_table import Sighting, store_section

PAGE = Path(__file__).parent.parent / "docs" / "features.md"
Mode = Literal["Knative", "Standard", "both"]
Proof = Literal["value", "objects", "refused"]

# The strongest first.
_SAID: dict[Proof, str] = {
    "value": "by value · 按值验证",
    "objects": "objects asserted · 断言对象",
    "refused": "refused at preview · 预览时拒绝",
}
_INTRODUCTION = """\
# What is proven, and how · 已验证的功能

Written by `make test-all` when all its tests pass; further down are [formats](#formats--格式) and
[stores](#stores--存储). *By value*: asked on a real cluster, and the answers compared.
*Objects asserted*: what is declared is compared, down to the fields that KServe reads, where it cannot run on the local
cluster. *Refused at preview*: with a message that says why.

本页由 `make test-all` 在全部测试通过后生成；其后是[格式](#formats--格式)与[存储](#stores--存储)。
“按值验证”：在真实集群上请求并比较返回值；“断言对象”：在本地集群上无法运行，因此逐一比较所声明的对象，直到 KServe
读取的字段；“预览时拒绝”：并说明原因。

"""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one test proves: of a feature, in a mode of KServe's, and by what."""

    feature: str
    modes: tuple[str, ...]
    proof: Proof

    @classmethod
    def of(cls, feature: str, *, mode: Mode = "Knative", proof: Proof = "value") -> Claim:
        """Read a marker's arguments; raises ValueError for a mode or a proof that there is not."""
        if mode not in get_args(Mode) or proof not in get_args(Proof):
            raise ValueError(f"feature {feature!r}: mode is one of {get_args(Mode)}, proof one of {get_args(Proof)}")
        return cls(feature=feature, modes=("Knative", "Standard") if mode == "both" else (mode,), proof=proof)


def page(claims: Iterable[Claim], *, formats: Iterable[FormatClaim] = (), stores: Iterable[Sighting] = ()) -> str:
    """The page; without a section that nothing was proven for."""
    sections = (_INTRODUCTION + _features(claims), format_section(formats), store_section(stores))
    return "\n".join(filter(None, sections))


def _features(claims: Iterable[Claim]) -> str:
    """The table of features; one has the strongest of its proofs in each mode."""
    proofs: dict[str, dict[str, set[Proof]]] = {}
    for claim in claims:
        for mode in claim.modes:
            proofs.setdefault(claim.feature, {}).setdefault(mode, set()).add(claim.proof)
    lines = ["| | Knative | Standard |", "|---|---|---|"]
    for feature, by_mode in sorted(proofs.items()):
        cells = (_strongest(by_mode.get(mode, set())) for mode in ("Knative", "Standard"))
        lines.append(f"| {feature} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _strongest(proofs: set[Proof]) -> str:
    return next((said for proof, said in _SAID.items() if proof in proofs), "–")
