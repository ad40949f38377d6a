"""Sex, age and view in a DICOM header, read only where they are wanted, and nothing else about the patient."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from trainer.config import Trait
from trainer.data.film.dicom_header import Header, read_header
from trainer.data.film.dicom_rules import view_of
from trainer.demographics import Demographics, parse_demographics
from trainer.errors import DataError


class _Trait(NamedTuple):
    elements: tuple[str, ...]
    text: Callable[[Header], str]


_TRAITS: Mapping[Trait, _Trait] = {
    "sex": _Trait(("PatientSex",), lambda header: header.text("PatientSex")),
    "age": _Trait(("PatientAge",), lambda header: header.text("PatientAge")),
    "view": _Trait(("ViewPosition", "ViewCodeSequence", "PatientPosition"), view_of),
}


def read_demographics(data: bytes, *, name: str, traits: Collection[Trait]) -> Demographics:
    """These traits in a DICOM file's header; one that is damaged is unread. Nobody's birth date is looked at.

    Raises DataError if the header as a whole is damaged, UsageError if the extra ``dicom`` is not installed.
    """
    wanted = {trait: _TRAITS[trait] for trait in traits}
    header = read_header(data, name, [element for each in wanted.values() for element in each.elements])
    texts = {trait: _text(header, each) for trait, each in wanted.items()}
    return parse_demographics(texts.get("sex", ""), texts.get("age", ""), texts.get("view", ""))


def _text(header: Header, trait: _Trait) -> str:
    try:
        return trait.text(header)
    except DataError:
        # The film is as good as ever; no trait reads as this does.
        return "?"
