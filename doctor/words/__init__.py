"""Every word the doctor says, in English and Chinese."""

from collections.abc import Mapping

from doctor.words.chinese import CHINESE
from doctor.words.english import ENGLISH
from doctor.words.language import CauseWords, DoctorLanguage
from predict.messages import Lang

__all__ = ["DOCTOR_LANGUAGES", "CauseWords", "DoctorLanguage"]

DOCTOR_LANGUAGES: Mapping[Lang, DoctorLanguage] = {Lang.EN: ENGLISH, Lang.ZH: CHINESE}
