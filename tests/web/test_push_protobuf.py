"""Push requests in Protobuf: what the columns read is what a reader of one entry at a time would."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace import limits
from tailrace.errors import DataError
from tailrace.web.push_protobuf import from_protobuf
from tailrace.web.refusals import Refused
from web import wire

T = 1_767_225_600_000_000_001


def test_protobuf_is_decoded_to_columns() -> None:
    body = wire.push(
        wire.stream('{app="cart", host="a\\"1"}', wire.entry(T, "a"), wire.entry(T + 1, "b" * 300, {"trace_id": "9f"})),
        wire.stream("{}", wire.entry(-1, "before 1970")),
    )
    entries = from_protobuf(body)
    assert entries.streams == [{"app": "cart", "host": 'a"1'}, {}]
    assert entries.counts == [2, 1]
    assert list(entries.times) == [T, T + 1, -1]
    assert list(entries.lines) == ["a", "b" * 300, "before 1970"]
    assert (entries.meta_rows, entries.meta_names, entries.meta_values) == ([1], ["trace_id"], ["9f"])


def test_unknown_fields_are_passed_over() -> None:
    unknown = wire.sized(9, b"x") + b"\x50\x05" + b"\x59" + b"8bytes.." + b"\x65" + b"4..."
    body = wire.push(wire.stream('{a="b"}', wire.entry(T, "x") + unknown) + unknown) + unknown
    assert list(from_protobuf(body).lines) == ["x"]


GOOD = wire.push(wire.stream('{a="b"}', wire.entry(T, "line", {"k": "v"})))


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a\xff\xff\xff\xff\x7f",  # a length beyond the message
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",  # a number without end
        b"\x0b",  # a group, which is no more in use
        wire.push(wire.stream('{a="b"}', wire.sized(2, b"\xff\xfe"))),  # a line that is no text
        wire.push(wire.stream('{a="b', wire.entry(T, "x"))),
        wire.push(wire.stream('a="b"', wire.entry(T, "x"))),
        wire.push(wire.stream('{a-b="c"}', wire.entry(T, "x"))),
        wire.push(wire.stream('{a="\\q"}', wire.entry(T, "x"))),
    ],
)
def test_malformed_protobuf_is_refused(body: bytes) -> None:
    with pytest.raises(DataError):
        from_protobuf(body)


def test_a_message_cut_anywhere_is_refused_or_holds_less() -> None:
    for size in range(1, len(GOOD)):
        with pytest.raises(DataError):
            from_protobuf(GOOD[:size])


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_damaged_message_is_decoded_or_refused(at: int, byte: int) -> None:
    with suppress(DataError):
        from_protobuf(GOOD[:at] + bytes([byte]) + GOOD[at + 1 :])


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    with suppress(DataError):
        from_protobuf(body)


TIMES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**31).map(lambda seconds: seconds * 1_000_000_000),
    st.builds(lambda seconds, nanos: seconds * 1_000_000_000 + nanos, st.integers(0, 2**33), st.integers(0, 10**9 - 1)),
).map(lambda time: max(-(2**63), min(2**63 - 1, time)))
SIZES = st.sampled_from([0, 1, 100, 110, 111, 112, 113, 114, 127, 128, 129, 16_370, 16_383, 16_384, 40_000])
LINES = st.one_of(st.text(max_size=20), SIZES.map(lambda size: "x" * size))
ENTRY = st.tuples(TIMES, LINES, st.dictionaries(st.text(min_size=1, max_size=3), st.text(max_size=3), max_size=2))


@given(st.lists(st.lists(ENTRY, max_size=5), max_size=4))
def test_entries_of_all_sizes_and_times(streams: list[list[tuple[int, str, dict[str, str]]]]) -> None:
    body = wire.push(*(wire.stream('{a="b"}', *(wire.entry(*one) for one in entries)) for entries in streams))
    found = from_protobuf(body)
    every = [one for entries in streams for one in entries]
    assert found.counts == [len(entries) for entries in streams]
    assert list(found.times) == [time for time, _, _ in every]
    assert list(found.lines) == [line for _, line, _ in every]
    meta = zip(found.meta_rows, found.meta_names, found.meta_values, strict=True)
    assert list(meta) == [(row, *pair) for row, (_, _, pairs) in enumerate(every) for pair in pairs.items()]


@pytest.mark.parametrize(
    "entry",
    [
        wire.sized(2, b"line") + wire.sized(1, b"\x08\x05\x10\x07"),  # in another order
        wire.sized(1, b"\x10\x07\x08\x05") + wire.sized(2, b"line"),
        wire.sized(1, b"\x08\x85\x80\x00\x10\x87\x00") + wire.sized(2, b"line"),  # numbers longer than they need
        wire.sized(1, b"\x08\x05\x10\x07") + b"\x12\x84\x00line",
        wire.sized(1, b"\x08\x05\x10\x07") + wire.sized(2, b"other") + wire.sized(2, b"line"),
        wire.sized(1, b"\x08\x05\x10\x07") + wire.sized(2, b"line") + b"\x50\x05",
    ],
)
def test_ways_to_write_the_same(entry: bytes) -> None:
    found = from_protobuf(wire.push(wire.stream("{}", entry)))
    assert (list(found.times), list(found.lines)) == ([5_000_000_007], ["line"])


def test_a_time_that_no_64_bits_hold_is_refused() -> None:
    with pytest.raises(DataError, match="out of range"):
        from_protobuf(wire.push(wire.stream("{}", wire.entry(2**63, "x"))))
    with pytest.raises(DataError, match="out of range"):
        from_protobuf(wire.push(wire.stream("{}", wire.entry(34_000_000_000 * 10**9, "x"))))


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PUSH_LINES", 3)
    body = wire.push(wire.stream("{}", *(wire.entry(T, "a") for _ in range(4))))
    with pytest.raises(Refused, match="more than 3 entries"):
        from_protobuf(body)
