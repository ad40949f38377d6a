"""Which DICOM films are taken: by modality, view, body part, intent and size, and not for their pixels."""

from enum import StrEnum
from typing import Literal

from trainer.config import DicomConfig
from trainer.data.film.dicom_header import Header
from trainer.data.film.images import bad_film


class Unwanted(StrEnum):
    """The rule by which a film is left out."""

    MODALITY = "modality"
    BODY_PART = "body_part"
    VIEW = "view"
    FOR_PROCESSING = "for_processing"
    MULTI_FRAME = "multi_frame"
    SIZE = "size"


# PS3.16, CID 4010: SNOMED CT, and SNOMED RT as older files have it.
_VIEW_OF_CODE = {"399348003": "AP", "R-10206": "AP", "272479007": "PA", "R-10214": "PA"}
_OTHER_VIEW = "OTHER"

# PS3.3, C.7.3.1.1.2: how the patient lies in a scanner, which says nothing of the view of a film.
_POSITIONS = frozenset(
    f"{first}{how}" for first in ("HF", "FF", "LF", "RF", "AF", "PF") for how in ("P", "S", "DR", "DL")
)


def unwanted(header: Header, rules: DicomConfig) -> Unwanted | None:
    """The first rule that leaves the film out; none: it is taken. Raises DataError for a damaged header."""
    modality = header.text("Modality")
    if modality and not _is_kept(modality, rules.modalities):
        return Unwanted.MODALITY
    if not header.has("PixelData"):
        raise bad_film(header.name, "has no pixels: it is cut off, or no film")
    checks = {
        Unwanted.MODALITY: not _is_kept(modality, rules.modalities),
        Unwanted.BODY_PART: not _is_kept(header.text("BodyPartExamined"), rules.body_parts, rules.unknown_body_part),
        Unwanted.VIEW: not _is_kept(view_of(header), rules.views, rules.unknown_view),
        Unwanted.FOR_PROCESSING: (
            rules.for_processing == "skip" and header.text("PresentationIntentType") == "FOR PROCESSING"
        ),
        Unwanted.MULTI_FRAME: rules.multi_frame == "skip" and header.integer("NumberOfFrames", 1) > 1,
        Unwanted.SIZE: min(header.integer("Rows"), header.integer("Columns")) < rules.minimum_side,
    }
    return next((rule for rule, broken in checks.items() if broken), None)


def view_of(header: Header) -> str:
    """ViewPosition; if blank, the view that the code or (as in NIH's files) PatientPosition names; unknown: empty."""
    if position := header.text("ViewPosition"):
        return position
    code = header.item("ViewCodeSequence")
    if code is not None and (value := code.text("CodeValue")):
        return _VIEW_OF_CODE.get(value, _OTHER_VIEW)
    position = header.text("PatientPosition")
    return "" if position in _POSITIONS else position


def _is_kept(value: str, kept: tuple[str, ...], unknown: Literal["keep", "skip"] = "skip") -> bool:
    if not kept:
        return True
    return value in {each.upper() for each in kept} if value else unknown == "keep"
