"""Lines come whole, however the bytes arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8s.messages import Lines, decode, encode


@given(st.lists(st.binary().map(lambda each: each.replace(b"\n", b"")), max_size=8), st.lists(st.integers(1, 9)))
def test_lines_do_not_depend_on_how_bytes_arrive(lines, cuts):
    data = b"".join(line + b"\n" for line in lines)
    reader, heard = Lines(), []
    for cut in cuts:
        heard += reader.feed(data[:cut])
        data = data[cut:]
    heard += reader.feed(data)
    assert heard == lines
    assert reader.end() == []


def test_a_line_without_an_end_is_kept_for_the_end():
    reader = Lines()
    assert reader.feed(b"a\nlast words") == [b"a"]
    assert reader.end() == [b"last words"]


def test_a_line_that_is_too_long_is_cut_and_nothing_of_it_is_lost():
    reader = Lines(longest=4)
    assert reader.feed(b"123456") == [b"1234"]
    assert reader.feed(b"789\nabcdefghi\n\n") == [b"5678", b"9", b"abcd", b"efgh", b"i", b""]


def test_a_message_is_a_line():
    assert decode(encode({"kind": "line", "text": "a\nb"})) == {"kind": "line", "text": "a\nb"}
    assert encode({"text": "a\nb"}).count(b"\n") == 1
    with pytest.raises(TypeError, match="not a message"):
        decode(b"3")
