"""Bounded decompression."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.inflate import PIECE_BYTES, Inflater


@given(st.binary(max_size=400), st.integers(1, 500), st.integers(1, 60))
def test_whatever_way_a_body_is_cut_it_comes_out_whole(seed: bytes, repeat: int, size: int) -> None:
    packed = gzip.compress(seed * repeat)
    inflater = Inflater("gzip")
    out = [piece for start in range(0, len(packed), size) for piece in inflater.feed(packed[start : start + size])]
    inflater.finish()
    assert b"".join(out) == seed * repeat


@pytest.mark.parametrize("squeeze", [gzip.compress, zlib.compress])
def test_no_piece_is_larger_than_the_bound(squeeze: Callable[[bytes], bytes]) -> None:
    inflater = Inflater("gzip" if squeeze is gzip.compress else "deflate")
    sizes = [len(piece) for piece in inflater.feed(squeeze(bytes(3_000_000)))]
    assert sum(sizes) == 3_000_000
    assert max(sizes) <= PIECE_BYTES
    assert min(sizes) > 0


def test_the_end_of_an_encoded_body_must_have_come() -> None:
    inflater = Inflater("gzip")
    list(inflater.feed(gzip.compress(b"hello")[:-8]))
    with pytest.raises(ValueError, match="ends early"):
        inflater.finish()


def test_an_empty_body_is_complete_in_any_encoding() -> None:
    for encoding in ("gzip", "deflate", "identity"):
        inflater = Inflater(encoding)
        assert list(inflater.feed(b"")) == []
        inflater.finish()


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "\x00"])
def test_an_encoding_that_was_not_offered_is_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match="not offered"):
        Inflater(encoding)
