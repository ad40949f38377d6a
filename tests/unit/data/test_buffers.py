"""Memory of batches is used again, never while somebody holds it."""

import gc

import numpy as np
import tensorflow as tf

from trainer.data.buffers import Buffers


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_is_used_again_once_it_is_let_go() -> None:
    buffers = Buffers()
    first = buffers.take(128)
    where = address(first[0])
    del first
    assert address(buffers.take(128)[0]) == where


def test_what_is_held_is_not_given_out_again() -> None:
    buffers = Buffers()
    held = [buffers.take(64)[0] for _ in range(40)]
    assert len({address(each) for each in held}) == 40


def test_a_part_that_is_held_keeps_the_whole() -> None:
    buffers = Buffers()
    part = buffers.take(64, 8)[1][3:5]
    part[:] = 7
    for each in buffers.take(64, 8):
        each[:] = 0
    assert part.tolist() == [7, 7]


def test_a_tensor_that_shares_the_memory_holds_it() -> None:
    buffers = Buffers()
    (array,) = buffers.take(64)
    array[:] = 7
    tensor = tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    where = address(array)
    del array
    (other,) = buffers.take(64)
    other[:] = 0
    assert tf.reduce_all(tensor == 7)
    del tensor
    gc.collect()
    assert where in {address(each) for each in (*buffers.take(64), *buffers.take(64))}


def test_arrays_are_aligned_for_tensorflow_and_do_not_overlap() -> None:
    buffers = Buffers()
    for _ in range(5):
        arrays = buffers.take(15, 1, 64, 7)
        assert [each.size for each in arrays] == [15, 1, 64, 7]
        places = [address(each) for each in arrays]
        assert all(place % 64 == 0 for place in places)
        assert all(place + each.size <= after for place, each, after in zip(places, arrays, places[1:], strict=False))
