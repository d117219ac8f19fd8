import math
import struct

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.otlp.messages import any_value, pairs
from tailrace.errors import DataError
from tailrace.intake.otlp import values
from tailrace.intake.otlp.records import as_text, flat

SCALARS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=300),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.sampled_from([0, -1, 2**63 - 1, -(2**63), 127, 128, 2**53 + 1, "", "x" * 127, "x" * 128, "y" * 16_384]),
)
ANY = st.recursive(
    SCALARS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(["k" * 127, "k" * 128, "http.method"])


def triples(frames: list[pl.DataFrame]) -> list[tuple[int, str, str, str]]:
    found = []
    for frame in frames:
        assert frame.schema["row"] == pl.UInt32
        found += [(row, name, type(value).__name__, seen(value)) for row, name, value in frame.iter_rows()]
    return sorted(found)


def seen(value: object) -> str:
    """Tell numbers apart to the last bit."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack(">d", value).hex()
    return repr(value)


@given(st.lists(st.tuples(KEYS, ANY), max_size=12))
def test_what_the_library_wrote_is_read_both_ways(attributes) -> None:
    blobs = pl.Series([pairs({key: value})[0].SerializeToString() for key, value in attributes], dtype=pl.Binary)
    rows = pl.Series(range(len(attributes)), dtype=pl.UInt32)
    expected = sorted(
        (row, name, type(scalar).__name__, seen(scalar))
        for row, (key, value) in enumerate(attributes)
        for name, scalar in flat(key, value)
    )
    assert triples(values.by_columns(blobs, rows)) == expected
    assert triples(values.one_by_one(blobs, rows)) == expected


@given(st.lists(ANY, max_size=12))
def test_bodies_are_text(bodies) -> None:
    blobs = pl.Series([any_value(body).SerializeToString() for body in bodies], dtype=pl.Binary)
    line, raw = values.lines(blobs)
    assert line.to_list() == [as_text(body) for body in bodies]
    assert raw.null_count() == len(bodies)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_are_read_the_same_way_or_refused_the_same_way(found) -> None:
    blobs, rows = pl.Series(found, dtype=pl.Binary), pl.Series(range(len(found)), dtype=pl.UInt32)

    def outcome(read) -> object:
        try:
            return triples(read(blobs, rows))
        except DataError:
            return "refused"

    assert outcome(values.by_columns) == outcome(values.one_by_one)


KEY = b"\x0a\x01a"


@pytest.mark.parametrize(
    ("blob", "expected"),
    [
        (KEY + b"\x12\x02\x18\x05", 5),
        (KEY + b"\x12\x0b\x18" + b"\xff" * 9 + b"\x01", -1),  # ten bytes: as negative numbers are written
        (KEY + b"\x12\x03\x18\x85\x00", 5),  # longer than it needs to be
        (KEY + b"\x12\x03\x10\x81\x00", True),
        (KEY + b"\x12\x02\x10\x02", True),  # any number but zero
        (KEY + b"\x12\x04\x18\x05\x18\x06", 6),  # the last one counts
        (KEY + b"\x12\x06\x0a\x01x\x0a\x01y", "y"),
        (b"\x12\x02\x18\x05" + KEY, 5),  # in another order
        (b"\x0a\x81\x00a\x12\x02\x18\x05", 5),  # a length that is longer than it needs to be
        (KEY + b"\x12\x03\x0a\x01x\x78\x01", "x"),  # an unknown field behind it
        (b"\x78\x01" + KEY + b"\x12\x03\x0a\x01x", "x"),
    ],
)
def test_other_ways_to_write_the_same(blob, expected) -> None:
    frames = [pl.Series([blob], dtype=pl.Binary), pl.Series([0], dtype=pl.UInt32)]
    assert triples(values.by_columns(*frames)) == [(0, "a", type(expected).__name__, seen(expected))]
    assert triples(values.one_by_one(*frames)) == [(0, "a", type(expected).__name__, seen(expected))]


@pytest.mark.parametrize(
    "blob",
    [
        b"\x0a",
        b"\x0a\x05a",
        KEY + b"\x12\x09\x18\x05",  # longer than there is
        KEY + b"\x12\x0c\x18" + b"\xff" * 10 + b"\x01",  # a number without end
        KEY + b"\x12\xff\xff\xff\xff\x0f\x18",
        KEY + b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x18",  # a negative length
        KEY + b"\x12\x05\x21\x00\x00\x00\x00",  # half a double
        KEY + b"\x12\x02\x1b\x00",  # a group
    ],
)
def test_what_is_no_message_is_refused(blob) -> None:
    for read in (values.by_columns, values.one_by_one):
        with pytest.raises(DataError, match="malformed"):
            read(pl.Series([blob], dtype=pl.Binary), pl.Series([0], dtype=pl.UInt32))


def test_values_inside_of_values_without_end_are_refused() -> None:
    blob = b"\x0a\x01a"
    inner = any_value(1).SerializeToString()
    for _ in range(400):
        inner = _sized(5, _sized(1, inner))
    with pytest.raises(DataError, match="malformed"):
        values.pairs(pl.Series([blob + _sized(2, inner)], dtype=pl.Binary), pl.Series([0], dtype=pl.UInt32))


def _sized(number: int, data: bytes) -> bytes:
    size, out = len(data), bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *out, size]) + data
