"""What gdcm takes for granted of a lossless JPEG: where it is not so, gdcm ends the whole process."""

from collections.abc import Iterator
from typing import NamedTuple

_SOF3, _DHT, _SOS = 0xC3, 0xC4, 0xDA
# APP0 to APP15, COM, DQT and DRI: passed over.
_HARMLESS = frozenset({*range(0xE0, 0xF0), 0xFE, 0xDB, 0xDD})
_LONGEST_DIFFERENCE = 16


class _Segment(NamedTuple):
    marker: int
    content: bytes


def is_sound_lossless(code: bytes) -> bool:
    """Whether everything up to the first scan's data is as ITU-T T.81 wants it: annexes B and H."""
    components: set[int] = set()
    tables: set[int] = set()
    for marker, content in _segments(code):
        if marker == _SOS:
            return _is_sound_scan(content, components, tables)
        if marker == _SOF3:
            components = _components(content)
        elif marker == _DHT:
            tables |= _tables(content)
        elif marker not in _HARMLESS:
            return False
    return False


def _segments(code: bytes) -> Iterator[_Segment]:
    """Up to the first that is cut off or does not begin with a marker."""
    at = 2
    while at + 4 <= len(code) and code[at] == 0xFF:
        end = at + 2 + int.from_bytes(code[at + 2 : at + 4])
        if end > len(code) or end < at + 4:
            return
        yield _Segment(code[at + 1], code[at + 4 : end])
        at = end


def _components(content: bytes) -> set[int]:
    """Identifiers of the components, none subsampled; of an unsound header: none."""
    count = content[5] if len(content) > 5 else 0
    parts = [content[start : start + 3] for start in range(6, len(content), 3)]
    identifiers = {part[0] for part in parts}
    is_sound = count in (1, 3) and len(content) == 6 + 3 * count == 6 + 3 * len(identifiers)
    return identifiers if is_sound and all(part[1] == 0x11 for part in parts) else set()


def _tables(content: bytes) -> set[int]:
    """Identifiers of the Huffman tables up to the first that is unsound."""
    sound: set[int] = set()
    while len(content) > 17:
        counts, entries = content[1:17], sum(content[1:17])
        values = content[17 : 17 + entries]
        # Kraft's inequality, short of the code of ones alone, which is reserved: the lengths can be those of a code.
        used = sum(count << 16 - length for length, count in enumerate(counts, start=1))
        if content[0] > 3 or len(values) < entries or used >= 1 << 16 or max(values, default=0) > _LONGEST_DIFFERENCE:
            break
        sound.add(content[0])
        content = content[17 + entries :]
    return sound


def _is_sound_scan(content: bytes, components: set[int], tables: set[int]) -> bool:
    """One scan of all components, with a predictor, and with tables that are there."""
    if not components or len(content) != 4 + 2 * len(components) or content[0] != len(components):
        return False
    pairs, (predictor, end, transform) = content[1:-3], content[-3:]
    return (
        set(pairs[::2]) == components
        and all(pair & 0x0F == 0 and pair >> 4 in tables for pair in pairs[1::2])
        and 1 <= predictor <= 7
        and end == 0
        and transform == 0
    )
