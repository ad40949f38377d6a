"""The safetensors format: what we write the library reads, what it writes we read, in parts of bounded size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.numpy import load, save

from trainer.checkpoint.snapshot import Arrays
from trainer.checkpoint.tensors import PART_BYTES, decoded, encoded

DTYPES = ["<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "i1", "<u8", "<u4", "<u2", "u1", "?"]

some_arrays = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name != "__metadata__"),
    st.sampled_from(DTYPES).flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, min_side=0, max_side=4))),
    max_size=5,
)


def bits(found: Arrays) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (each.dtype.str, each.shape, each.tobytes()) for name, each in found.items()}


@given(some_arrays)
def test_the_library_reads_what_is_written(given_arrays: Arrays) -> None:
    assert bits(load(b"".join(encoded(given_arrays)))) == bits(given_arrays)


@given(some_arrays)
def test_what_the_library_writes_is_read(given_arrays: Arrays) -> None:
    assert bits(decoded(bytearray(save(given_arrays)))) == bits(given_arrays)


def test_a_large_array_is_written_in_parts() -> None:
    parts = list(encoded({"kernel": np.zeros(3 * PART_BYTES, np.uint8)}))
    assert [len(each) for each in parts[1:]] == [PART_BYTES] * 3


def test_a_strided_array_is_written_by_value() -> None:
    strided = np.arange(12, dtype=np.float32).reshape(3, 4).T
    assert np.array_equal(decoded(bytearray(b"".join(encoded({"kernel": strided}))))["kernel"], strided)


def test_a_dtype_that_the_format_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError):
        list(encoded({"kernel": np.zeros(2, np.complex128)}))
