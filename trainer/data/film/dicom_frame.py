"""What a DICOM header says of the pixels, and whether that can be: the Image Pixel module, PS3.3 C.7.6.3."""

from typing import NamedTuple

from trainer.config import DicomConfig
from trainer.data.film.dicom_header import Header
from trainer.data.film.images import LARGEST_PIXELS, bad_film

_GRAY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


class Frame(NamedTuple):
    """How one frame's pixels are stored, in pixels and bits."""

    height: int
    width: int
    samples: int
    photometric: str
    planar: int
    allocated: int
    bits: int
    high_bit: int
    signed: bool
    frames: int

    @property
    def is_colour(self) -> bool:
        """Whether the film comes in colours, however gray they are."""
        return self.samples == 3


def describe(header: Header, rules: DicomConfig) -> Frame:
    """What the header says of the frame. Raises DataError if it cannot be, or is more than is read."""
    bits = header.integer("BitsStored")
    frame = Frame(
        height=header.integer("Rows"),
        width=header.integer("Columns"),
        samples=header.integer("SamplesPerPixel", 1),
        photometric=header.text("PhotometricInterpretation"),
        planar=header.integer("PlanarConfiguration", 0),
        allocated=header.integer("BitsAllocated"),
        bits=bits,
        high_bit=header.integer("HighBit", bits - 1),
        signed=header.integer("PixelRepresentation", 0) == 1,
        frames=max(1, header.integer("NumberOfFrames", 1)),
    )
    fault = _fault_in(frame, rules)
    if fault:
        raise bad_film(header.name, fault)
    return frame


def _fault_in(frame: Frame, rules: DicomConfig) -> str:
    """What is wrong with the description; nothing: empty."""
    if frame.frames > 1 and rules.multi_frame == "error":
        return f"has {frame.frames} frames (prepare.dicom.multi_frame)"
    if min(frame.height, frame.width) < 1 or frame.height * frame.width > LARGEST_PIXELS:
        return f"claims {frame.width}x{frame.height} pixels, not 1 to {LARGEST_PIXELS}"
    if frame.photometric == "PALETTE COLOR":
        return "cannot be decoded: its pixels are indices into a palette (PALETTE COLOR)"
    if frame.photometric not in (_COLOUR if frame.is_colour else _GRAY) or frame.samples not in (1, 3):
        return f"cannot be decoded: {frame.samples} samples a pixel with another PhotometricInterpretation than is read"
    if frame.allocated not in ((8,) if frame.is_colour else (8, 16)):
        return f"cannot be decoded: {frame.allocated} bits allocated a {'colour' if frame.is_colour else 'pixel'}"
    if not 1 <= frame.bits <= frame.high_bit + 1 <= frame.allocated:
        return f"claims {frame.bits} bits up to bit {frame.high_bit} of {frame.allocated}"
    return ""
