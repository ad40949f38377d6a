"""Memory of batches is used again, never while somebody holds it."""

import gc

import numpy as np
import tensorflow as tf

from trainer.data.buffers import Buffers


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_is_used_again_once_it_is_let_go() -> None:
    buffers = Buffers()
    first = buffers.take(2, 8, 8, 1)
    where = address(first)
    del first
    assert address(buffers.take(2, 8, 8, 1)) == where


def test_what_is_held_is_not_given_out_again() -> None:
    buffers = Buffers()
    held = [buffers.take(4, 16) for _ in range(40)]
    assert len({address(each) for each in held}) == 40


def test_a_part_that_is_held_keeps_the_whole() -> None:
    buffers = Buffers()
    part = buffers.take(4, 16)[2, 3:5]
    part[:] = 7
    buffers.take(4, 16)[:] = 0
    assert part.tolist() == [7, 7]


def test_a_tensor_that_shares_the_memory_holds_it() -> None:
    buffers = Buffers()
    array = buffers.take(4, 16)
    array[:] = 7
    tensor = tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    where = address(array)
    del array
    other = buffers.take(4, 16)
    other[:] = 0
    assert tf.reduce_all(tensor == 7)
    del tensor
    gc.collect()
    assert where in {address(each) for each in (buffers.take(4, 16), buffers.take(4, 16))}


def test_arrays_are_aligned_for_tensorflow() -> None:
    buffers = Buffers()
    assert all(address(buffers.take(3, 5)) % 64 == 0 for _ in range(5))


def test_another_shape_of_the_same_size_takes_the_same_memory() -> None:
    buffers = Buffers()
    where = address(buffers.take(4, 16))
    assert address(buffers.take(64)) == where
