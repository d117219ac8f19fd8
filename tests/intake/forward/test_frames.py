"""Messages of Fluent Forward: the same in any pieces; what is none of them is refused."""

from __future__ import annotations

import gzip
import tracemalloc
from itertools import pairwise

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import DataError
from tailrace.intake.forward.frames import Framing, head, unpacked
from tailrace.intake.forward.rows import EventTime, entries

RECORD = {"log": "hello", "n": 1}
TIME = msgpack.ExtType(0, (1_700_000_000).to_bytes(4, "big") + (5).to_bytes(4, "big"))
ENTRIES = msgpack.packb([1_700_000_000, RECORD]) + msgpack.packb([TIME, {"log": "two"}])
READ = [(1_700_000_000_000_000_000, '{"log":"hello","n":1}', ""), (1_700_000_000_000_000_005, '{"log":"two"}', "")]


def packed(*parts: object) -> bytes:
    data: bytes = msgpack.packb(parts)
    return data


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (packed("t", 1_700_000_000, RECORD), READ[:1]),
        (packed("t", TIME, {"log": "two"}, {"chunk": "c"}), READ[1:]),
        (packed("t", [[1_700_000_000, RECORD], [TIME, {"log": "two"}]]), READ),
        (packed("t", [[[TIME, {"meta": 1}], {"log": "two"}]], {"size": 1, "fluent_signal": 0}), READ[1:]),
        (packed("t", ENTRIES, {"size": 2, "chunk": "c"}), READ),
        (packed("t", ENTRIES), READ),
        (packed("t", gzip.compress(ENTRIES), {"compressed": "gzip"}), READ),
        (packed("t", gzip.compress(ENTRIES[:26]) + gzip.compress(ENTRIES[26:]), {"compressed": "gzip"}), READ),
        (packed("t", b""), []),
        (packed("t", []), []),
    ],
)
def test_all_kinds_of_messages(message: bytes, expected: list[tuple[int, str, str]]) -> None:
    chunk = unpacked(head(message), 1_000)
    assert chunk.tag == "t"
    assert list(entries(chunk)) == expected


def test_old_clients_pack_entries_as_a_text() -> None:
    message = b"\x92\xa1t" + b"\xd9" + bytes([len(ENTRIES)]) + ENTRIES
    assert list(entries(head(message))) == READ


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (msgpack.packb({"a": 1}), "no message"),
        (packed(), "no message"),
        (packed("t"), "no message"),
        (packed(1, 2, {}), "tag"),
        (packed("t" * 2_000, 2, {}), "tag"),
        (packed("t", 1), "no message"),
        (packed("t", 1, {}, {}, {}), "parts"),
        (packed("t", [], {}, {}), "parts"),
        (packed("t", 1, {}, ["x"]), "no map"),
        (packed("t", 1, {}, {"chunk": 7}), "'chunk' is no text"),
        (packed("t", 1, {}, {"chunk": "x" * 256}), "too long"),
        (packed("t", b"", {"compressed": "zstd"}), "not known"),
        (packed("t", [], {"compressed": "gzip"}), "no packed"),
        (packed("t", b"", {"fluent_signal": 1}), "only logs"),
        (packed("t", 1, {}, {"x": "y" * 20_000}), "options"),
        (packed("t", 1, {}, {str(n): n for n in range(40)}), "no message"),
    ],
)
def test_what_is_no_message_is_refused(message: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        head(message)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"no gzip", "no gzip"),
        (gzip.compress(ENTRIES)[:-4], "too early"),
        (gzip.compress(b"\0" * 50_000_000), "more than"),
        (b"".join(gzip.compress(b"x" * 600) for _ in range(2)), "more than"),
    ],
)
def test_bombs_and_damaged_gzip(payload: bytes, says: str) -> None:
    chunk = head(packed("t", payload, {"compressed": "gzip"}))
    tracemalloc.start()
    with pytest.raises(DataError, match=says):
        unpacked(chunk, 1_000)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_message_that_is_too_long_is_refused_before_it_is_whole() -> None:
    framing = Framing(1_000)
    for _ in range(9):
        assert framing.feed((b"" if framing.waiting else b"\xc6\x7f\xff\xff\xff") + b"x" * 100) == []
    with pytest.raises(DataError, match="more than"):
        framing.feed(b"x" * 100)
    with pytest.raises(DataError, match="more than"):
        Framing(10).feed(packed("a tag that is long", 1, {}))


@pytest.mark.parametrize("data", [b"\xc1", b"\x91" * 3_000, b"GET / HTTP/1.1\r\n" * 100, b"\x16\x03\x01\x02\x00" * 9])
def test_other_protocols_and_nesting(data: bytes) -> None:
    with pytest.raises(DataError):
        list(map(head, Framing(100_000).feed(data)))


def test_an_array_that_says_it_is_huge_takes_no_memory() -> None:
    framing = Framing(100_000)
    tracemalloc.start()
    framing.feed(b"\x92\xa1t\xdd\xff\xff\xff\xff" + b"\x90" * 50_000)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_many_tiny_containers_are_held_as_text_only() -> None:
    data = packed("t", [[1, [[]] * 200_000]])
    tracemalloc.start()
    [(_, text, error)] = entries(head(data))
    assert tracemalloc.get_traced_memory()[1] < 32_000_000
    tracemalloc.stop()
    assert (len(text), error) == (600_001, "ForwardEntryErr")


MESSAGES = st.lists(
    st.one_of(
        st.just(b"\xc0"),
        st.tuples(st.text(max_size=4), st.integers(0, 2**31), st.dictionaries(st.text(max_size=3), st.integers(0, 9)))
        .map(list)
        .map(msgpack.packb),
        st.binary(max_size=50).map(lambda data: packed("t", data)),
    ),
    max_size=8,
)


@given(MESSAGES, st.lists(st.integers(0, 400), max_size=8))
def test_any_pieces_give_the_same_messages(messages: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(messages)
    marks = sorted({0, *(cut for cut in cuts if cut < len(wire)), len(wire)})
    framing = Framing(1_000)
    found = [message for start, stop in pairwise(marks) for message in framing.feed(wire[start:stop])]
    assert found == [message for message in messages if message != b"\xc0"]
    assert framing.waiting == 0


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_message_or_refused(data: bytes) -> None:
    try:
        for message in Framing(200).feed(data):
            for time_ns, text, error in entries(unpacked(head(message), 1_000)):
                assert time_ns is None or isinstance(time_ns, int)
                assert isinstance(text, str)
                assert isinstance(error, str)
    except DataError:
        pass


def test_odd_records_are_texts() -> None:
    chunk = head(packed("t", [[1, {"b": b"\xff", "x": msgpack.ExtType(7, b"\1"), "t": TIME}], [2], 3, [4, "text"]]))
    assert list(entries(chunk)) == [
        (1_000_000_000, '{"b":"\\\\xff","x":"01","t":1700000000000000005}', ""),
        (None, "[2]", "ForwardEntryErr"),
        (None, "3", "ForwardEntryErr"),
        (4_000_000_000, '"text"', "ForwardEntryErr"),
    ]
    assert EventTime(5) == 5
    odd = head(packed("t", 1, {1: "a", None: {b"k": [{2: 3}]}}))
    assert [text for _, text, _ in entries(odd)] == ['{"1":"a","None":{"k":[{"2":3}]}}']


def test_a_record_that_is_too_long_is_cut() -> None:
    chunk = head(packed("t", [[1, {"log": "x" * 2_000_000}], [2, {"log": "next"}]]))
    (_, first, error), second = entries(chunk)
    assert (len(first), error) == (1_048_576 + first.count("\\x") * 3, "ForwardRecordTooLong")
    assert second == (2_000_000_000, '{"log":"next"}', "")
