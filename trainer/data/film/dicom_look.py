"""How a DICOM header wants its stored values shown."""

import numpy as np

from trainer.data.film.dicom_frame import Frame
from trainer.data.film.dicom_gray import Look, LookUp, Rescale, Window, WindowShape
from trainer.data.film.dicom_header import Header
from trainer.data.film.images import bad_film

_SHAPES: dict[str, WindowShape] = {"LINEAR_EXACT": "linear_exact", "SIGMOID": "sigmoid"}


def look_of(header: Header, frame: Frame) -> Look:
    """The modality LUT, VOI LUT or window, and padding in the header. Raises DataError if one is damaged."""
    modality = _look_up(header, "ModalityLUTSequence", frame.signed) or _rescale(header)
    # Where a LUT follows the rescale, its first input value has the rescale's sign: PS3.3, C.11.2.1.1.
    signed = isinstance(modality, Rescale) and modality.lowest(frame.bits, frame.signed) < 0
    voi = _look_up(header, "VOILUTSequence", signed) or _window(header)
    return Look(modality, voi, _padding(header, frame), frame.photometric == "MONOCHROME1")


def _rescale(header: Header) -> Rescale:
    slope, intercept = header.number("RescaleSlope"), header.number("RescaleIntercept")
    if slope == 0:
        raise bad_film(header.name, "has a RescaleSlope of 0")
    return Rescale(1.0 if slope is None else slope, intercept or 0.0)


def _window(header: Header) -> Window | None:
    """The first of the windows; one without a width, which some devices write for none, is none."""
    centre, width = header.number("WindowCenter"), header.number("WindowWidth")
    shape = _SHAPES.get(header.text("VOILUTFunction"), "linear")
    if centre is None or width is None or width <= 0 or (shape == "linear" and width < 1):
        return None
    return Window(centre, width, shape)


def _padding(header: Header, frame: Frame) -> tuple[int, int] | None:
    """The first and last stored value of padding: PS3.3, C.7.5.1.1.2."""
    if header.number("PixelPaddingValue") is None:
        return None
    value = header.integer("PixelPaddingValue")
    limits = [_as_stored(each, frame) for each in (value, header.integer("PixelPaddingRangeLimit", value))]
    return min(limits), max(limits)


def _as_stored(value: int, frame: Frame) -> int:
    """With the sign that the pixels have; the element is often written with the other one."""
    span = 1 << frame.allocated
    value %= span
    return value - span if frame.signed and value >= span // 2 else value


def _look_up(header: Header, keyword: str, signed: bool) -> LookUp | None:
    item = header.item(keyword)
    if item is None:
        return None
    descriptor, content = [int(each) for each in item.numbers("LUTDescriptor")], item.content("LUTData")
    if len(descriptor) != 3 or not 1 <= descriptor[2] <= 16:
        raise bad_film(header.name, f"has a {keyword} without a sound LUTDescriptor")
    entries, first, bits = descriptor[0] % 65536 or 65536, descriptor[1] % 65536, descriptor[2]
    # Entries of up to 8 bits stand two in a word, or one: only the length tells.
    kind = "<u2" if len(content) >= 2 * entries else "u1"
    if len(content) < entries:
        raise bad_film(header.name, f"has a {keyword} of {entries} entries with data for {len(content)}")
    data = np.frombuffer(content, dtype=kind, count=entries).astype(np.float64)
    return LookUp(first - 65536 if signed and first >= 32768 else first, data, bits)
