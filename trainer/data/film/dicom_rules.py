"""Which DICOM films are taken: by modality, view, body part, intent and size, and not for their pixels."""

from enum import StrEnum

from trainer.config import DicomConfig
from trainer.data.film.dicom_header import Header


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
    view, body_part = view_of(header), header.text("BodyPartExamined")
    checks = {
        Unwanted.MODALITY: not _is_kept(header.text("Modality"), rules.modalities, keep_unknown=False),
        Unwanted.BODY_PART: not _is_kept(body_part, rules.body_parts, keep_unknown=rules.unknown_body_part == "keep"),
        Unwanted.VIEW: not _is_kept(view, rules.views, keep_unknown=rules.unknown_view == "keep"),
        Unwanted.FOR_PROCESSING: (
            rules.for_processing == "skip" and header.text("PresentationIntentType") == "FOR PROCESSING"
        ),
        Unwanted.MULTI_FRAME: rules.multi_frame == "skip" and header.integer("NumberOfFrames", 1) > 1,
        Unwanted.SIZE: min(header.integer("Rows", 0), header.integer("Columns", 0)) < rules.minimum_side,
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


def _is_kept(value: str, kept: tuple[str, ...], *, keep_unknown: bool) -> bool:
    if not kept:
        return True
    return value in {each.upper() for each in kept} if value else keep_unknown
