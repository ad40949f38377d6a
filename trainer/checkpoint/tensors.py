"""The safetensors format in parts: written without a second copy of the arrays, read as views of what was read.

https://github.com/huggingface/safetensors#format: the header's length (uint64), the header (JSON), the arrays.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trainer.checkpoint.snapshot import Arrays

PART_BYTES = 4 * 2**20

_LENGTH = struct.Struct("<Q")
_ALIGNED_BYTES = 8
_CODES = {
    np.dtype(kind): code
    for code, kind in {
        "F64": np.float64,
        "F32": np.float32,
        "F16": np.float16,
        "BOOL": np.bool_,
        "I64": np.int64,
        "I32": np.int32,
        "I16": np.int16,
        "I8": np.int8,
        "U64": np.uint64,
        "U32": np.uint32,
        "U16": np.uint16,
        "U8": np.uint8,
    }.items()
}
_TYPES = {code: kind for kind, code in _CODES.items()}


def encoded(arrays: Arrays, metadata: Mapping[str, str] | None = None) -> Iterator[bytes]:
    """The file in parts of at most PART_BYTES, the header whole. Raises KeyError for a dtype the format has not."""
    # The widest first, so that each array lies aligned to its own width.
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name in names:
        begin, end = end, end + arrays[name].nbytes
        code = _CODES[arrays[name].dtype]
        header[name] = {"dtype": code, "shape": list(arrays[name].shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED_BYTES)
    yield _LENGTH.pack(len(text)) + text
    for name in names:
        content = np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8)
        for start in range(0, len(content), PART_BYTES):
            yield content[start : start + PART_BYTES].tobytes()


def decoded(content: bytearray) -> Arrays:
    """The arrays of a file, in ``content`` itself. The file is one that ``encoded`` or the library wrote."""
    (length,) = _LENGTH.unpack_from(content)
    begin = _LENGTH.size + length
    header = json.loads(content[_LENGTH.size : begin])
    arrays: Arrays = {}
    for name, each in header.items():
        if name != "__metadata__":
            first, end = each["data_offsets"]
            part = memoryview(content)[begin + first : begin + end]
            arrays[name] = np.frombuffer(part, _TYPES[each["dtype"]]).reshape(each["shape"])
    return arrays
