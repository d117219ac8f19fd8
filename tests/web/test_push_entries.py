import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import DataError
from tailrace.web.push_entries import Entries, from_json, parse_labels

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


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    with suppress(DataError):
        from_json(body)


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
