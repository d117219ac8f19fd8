import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import DataError
from tailrace.web.push_entries import Entries, from_json, from_protobuf, parse_labels
from web import wire

T = 1_700_000_000_000_000_001


def test_json_is_decoded_to_columns() -> None:
    body = {
        "streams": [
            {"stream": {"app": "cart"}, "values": [[str(T), "a"], [str(T + 1), "b", {"trace_id": "9f"}]]},
            {"stream": {"app": "pay"}, "values": []},
            {"stream": {}, "values": [["5", "ç", {}, "more is ignored"]]},
        ]
    }
    assert from_json(json.dumps(body).encode()) == Entries(
        streams=[{"app": "cart"}, {"app": "pay"}, {}],
        counts=[2, 0, 1],
        times=[str(T), str(T + 1), "5"],
        lines=["a", "b", "ç"],
        meta_rows=[1],
        meta_names=["trace_id"],
        meta_values=["9f"],
    )


def test_protobuf_is_decoded_to_columns() -> None:
    body = wire.push(
        wire.stream('{app="cart", host="a\\"1"}', wire.entry(T, "a"), wire.entry(T + 1, "b" * 300, {"trace_id": "9f"})),
        wire.stream("{}", wire.entry(-1, "before 1970")),
    )
    assert from_protobuf(body) == Entries(
        streams=[{"app": "cart", "host": 'a"1'}, {}],
        counts=[2, 1],
        times=[T, T + 1, -1],
        lines=["a", "b" * 300, "before 1970"],
        meta_rows=[1],
        meta_names=["trace_id"],
        meta_values=["9f"],
    )


def test_unknown_fields_are_passed_over() -> None:
    unknown = wire.sized(9, b"x") + b"\x50\x05" + b"\x59" + b"8bytes.." + b"\x65" + b"4..."
    body = wire.push(wire.stream('{a="b"}', wire.entry(T, "x") + unknown) + unknown) + unknown
    assert from_protobuf(body).lines == ["x"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no list"),
        (b'{"streams": {}}', "no list"),
        (b'{"streams": [1]}', r"streams\[0\] is no object"),
        (b'{"streams": [{"stream": [], "values": []}]}', "stream is no object"),
        (b'{"streams": [{"stream": {"a-b": "c"}, "values": []}]}', "no label name"),
        (b'{"streams": [{"stream": {"a": 1}, "values": []}]}', "stream.a is no string"),
        (b'{"streams": [{"stream": {}, "values": {}}]}', "values is no list"),
        (b'{"streams": [{"stream": {}, "values": [["1"]]}]}', "an entry"),
        (b'{"streams": [{"stream": {}, "values": ["12"]}]}', "an entry"),
        (b'{"streams": [{"stream": {}, "values": [7]}]}', "an entry"),
        (b'{"streams": [{"stream": {}, "values": [[1, "a"]]}]}', "time"),
        (b'{"streams": [{"stream": {}, "values": [["1", null]]}]}', "line"),
        (b'{"streams": [{"stream": {}, "values": [["1", "a", "b"]]}]}', "flat object"),
        (b'{"streams": [{"stream": {}, "values": [["1", "a", {"b": {}}]]}]}', "flat object"),
    ],
)
def test_malformed_json_is_refused_with_its_place(body: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        from_json(body)


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


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    for decode in (from_protobuf, from_json):
        with suppress(DataError):
            decode(body)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_damaged_message_is_decoded_or_refused(at: int, byte: int) -> None:
    with suppress(DataError):
        from_protobuf(GOOD[:at] + bytes([byte]) + GOOD[at + 1 :])


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("{}", ()),
        ('{ a = "b" ,c="d",}', (("a", "b"), ("c", "d"))),
        (r'{a="tab\tquote\"back\\nl\n"}', (("a", 'tab\tquote"back\\nl\n'),)),
        (r'{a="\x41\101\u00e7\U0001F600"}', (("a", "AAç😀"),)),
        ("{a=`raw\\n`}", (("a", "raw\\n"),)),
        ('{a="x, b=y}"}', (("a", "x, b=y}"),)),
    ],
)
def test_labels_read_as_go_writes_them(text: str, pairs: tuple[tuple[str, str], ...]) -> None:
    assert parse_labels(text) == pairs
