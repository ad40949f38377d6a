"""Sex, age and view of a film, each unknown where nobody tells it: how they are read, kept and put in groups."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, cast

from trainer.config import TRAITS, Trait

Sex = Literal["", "F", "M", "O"]
View = Literal["", "PA", "AP", "lateral"]

AGE_CEILING = 90
"""Years. Who is above 89 is kept as this: the safe harbour of HIPAA, 45 CFR 164.514(b)(2)(i)(C)."""

AGE_BANDS = ("0-19", "20-39", "40-59", "60-79", "80+")
"""In years; but for their edges those of Seyyed-Kalantari et al., Nature Medicine 27 (2021)."""

GROUPS: Mapping[Trait, tuple[str, ...]] = {"sex": ("F", "M", "O"), "age": AGE_BANDS, "view": ("PA", "AP", "lateral")}
"""The groups of each trait, in the order in which they are told."""

_BAND_YEARS = 20
# The longest life on record was 122 years; NIH's table of 2017 has films of people of 411.
_OLDEST_YEARS = 120
_UNTOLD_WORDS = frozenset(("", "U", "UNKNOWN", "UNK", "NA", "N/A", "NAN", "NONE", "NULL", "-"))
_SEXES: Mapping[str, Sex] = {"F": "F", "FEMALE": "F", "M": "M", "MALE": "M", "O": "O", "OTHER": "O"}
_VIEWS: Mapping[str, View] = {
    **dict.fromkeys(("PA", "POSTEROANTERIOR"), "PA"),
    **dict.fromkeys(("AP", "ANTEROPOSTERIOR"), "AP"),
    **dict.fromkeys(("LATERAL", "LAT", "L", "LL", "RL"), "lateral"),
}
# PS3.5, 6.2, value representation AS: 058Y, 007M, 003W, 012D. Tables have 58, some 58.0.
_AGE = re.compile(r"(\d{1,4})(?:\.\d*)?([DWMY]?)")
_OF_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0, "": 1.0}


class Demographics(NamedTuple):
    """What is known of a film; blank or None: unknown. ``age`` is in whole years, at most ``AGE_CEILING``."""

    sex: Sex = ""
    age: int | None = None
    view: View = ""
    unread: tuple[Trait, ...] = ()
    """Of the unknown ones, those that were told in words that make no sense."""

    def else_from(self, other: "Demographics") -> "Demographics":
        """With what is unknown here and known there."""
        sex, view = self.sex or other.sex, self.view or other.view
        age = other.age if self.age is None else self.age
        unread = {*self.unread, *other.unread}
        joined = Demographics(sex, age, view)
        return joined._replace(unread=tuple(each for each in TRAITS if each in unread and not joined.group(each)))

    def group(self, trait: Trait) -> str:
        """The group of ``GROUPS`` it belongs to; blank: unknown."""
        return {"sex": self.sex, "age": _band(self.age), "view": self.view}[trait]


UNTOLD = Demographics()
"""Nothing is known."""


def parse_demographics(sex: str, age: str, view: str) -> Demographics:
    """From the words of a table or a DICOM header.

    ``F``, ``Male``; ``58``, ``058Y``, ``007M``; ``PA``, ``AP_horizontal``, ``LL``: capitals do not matter. What makes
    no sense, an age above 120 years among it, is unknown, and named in ``unread``.
    """
    texts = {"sex": sex.strip().upper(), "age": age.strip().upper(), "view": view.strip().upper()}
    found = Demographics(_SEXES.get(texts["sex"], ""), _years(texts["age"]), _view(texts["view"]))
    unread = tuple(each for each in TRAITS if texts[each] not in _UNTOLD_WORDS and not found.group(each))
    return found._replace(unread=unread)


def stored_demographics(sex: str, age: int, view: str) -> Demographics:
    """From what a set keeps, where an age below 0 is unknown."""
    return Demographics(cast(Sex, sex), age if age >= 0 else None, cast(View, view))


def _years(text: str) -> int | None:
    match = _AGE.fullmatch(text)
    if not match:
        return None
    years = int(int(match[1]) / _OF_A_YEAR[match[2]])
    return min(years, AGE_CEILING) if years <= _OLDEST_YEARS else None


def _view(text: str) -> View:
    named = {_VIEWS[word] for word in re.split(r"[^A-Z]+", text) if word in _VIEWS}
    return named.pop() if len(named) == 1 else ""


def _band(age: int | None) -> str:
    return "" if age is None else AGE_BANDS[min(age // _BAND_YEARS, len(AGE_BANDS) - 1)]
