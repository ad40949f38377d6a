"""TFRecord framing: length, masked CRC-32C of it, data, masked CRC-32C of that; all little-endian.

See https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details.
"""

import struct

import google_crc32c

HEADER_BYTES = 12
FOOTER_BYTES = 4


def frame(data: bytes) -> bytes:
    """The record that holds ``data``."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, _masked_crc(length), data, _masked_crc(data)))


def is_sound(record: bytes) -> bool:
    """Whether a record, as long as its index says, is what ``frame`` made."""
    data = record[HEADER_BYTES:-FOOTER_BYTES]
    return len(record) >= HEADER_BYTES + FOOTER_BYTES and record == frame(data)


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    # Masked, because a sum over data that holds its own sum says little.
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
