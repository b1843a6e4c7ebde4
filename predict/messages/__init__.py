"""Every word the check says, in English and Chinese."""

from collections.abc import Mapping
from enum import StrEnum

from predict.messages.chinese import CHINESE
from predict.messages.english import ENGLISH
from predict.messages.language import Language, Words, display_name

__all__ = ["LANGUAGES", "Lang", "Language", "Words", "display_name"]


class Lang(StrEnum):
    """The languages there are."""

    EN = "en"
    ZH = "zh"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Lang":
        """Choose by LC_ALL, LC_MESSAGES, LANG, the first that is set."""
        locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
        return cls.ZH if locale.lower().startswith("zh") else cls.EN


LANGUAGES: Mapping[Lang, Language] = {Lang.EN: ENGLISH, Lang.ZH: CHINESE}
