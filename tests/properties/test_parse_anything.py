"""Whatever bytes come, in whatever blocks and whatever format: every line becomes a row, nothing raises."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.contracts import Block, Origin, Reading
from tailrace.parse.chain import Chain

OBSERVED = 1_790_000_000_000_000_000
FORMATS = [
    "auto", "json", "logfmt", "access", "syslog", "timestamped", "plain", "nginx_error", "apache_error", "klog", "rsyncd", "cef",
    "leef", "csv", "tsv", "w3c", "csv:a,b",
]  # fmt: skip
CONTAINERS = ["cri", "docker"]
TABLES = ["csv", "tsv", "csv:a,b"]

samples = [
    b'{"a":1}', b'{"a":', b"{}", b'{"time":"9999-12-31T23:59:59Z","level":[]}', b'{"ts":-1}', b'{"ts":1e300}', b'{"":0}',
    b"a=1 b=2", b"a==", b'a="', b'h - - [05/Mar/2026:11:00:00 +0000] "GET / HTTP/1.1" 200 5',
    b'h - - [05/Mar/2026:11:00:00 +9999] "GET / HTTP/1.1" 200 99999999999999999999',
    b"Feb 29 12:00:00 host cron[7]: tick", b"<999>1 - - - - - -", b"2026-03-05T10:00:00Z stdout F x",
    b"2026-03-05T10:00:00Z stdout P {", b"2026-03-05T10:00:00+99:99 stderr F x", b"0000-00-00 00:00:00 x",
    b'{"log":"a\\n","stream":"stdout","time":"2026-03-05T10:00:00Z"}', b'{"log":1,"stream":2,"time":3}', b"null",
    b'{"log":"a","stream":"stdout","time":"2026-03-05T10:00:00Z"}', b"99999999999999999999 x", b"\xff", b"\r", b"",
    b'2026/03/05 10:00:00 [error] 1#1: *1 x, client: a, host: "b"', b"[Thu Mar 05 10:00:00 2026] [error] x", b'"a,"b', b'a,"b',
    b"CEF:0|a|b|1|2|n|3|a=1 b\\=2 cs1Label=x cs1=y", b"LEEF:2.0|a|b|1|2|^|a=1^^b", b"LEEF:2.0|a|b|1|2|xD800|a=1", b"LEEF:2.0|a|b|1|2|xFFFF|devTimeFormat=qq^devTime=1",
    b"2026/03/05 10:00:00 [1] recv h [1.2.3.4] m () a\\#377 5", b"#Fields: a b a", b'<165>1 - - - - - [a b="c" b="d"][e]',
    b'I0305 10:00:00.000000 1 a.go:1] "x" k=1 _=2', b"- 1117838570 2005.06.03 a b", b"20171223-9:9:9:9|a|1|x", b"1,2,3", b"a;b;c",
    b"I1301 25:61:61.000000 1 x", b"1700-01-01T00:00:00Z a", b"9999-01-01T00:00:00Z a",
]  # fmt: skip
lines = st.one_of(st.sampled_from(samples), st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"")))
turns = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.lists(lines, max_size=5)), max_size=4), min_size=1, max_size=3
)


def run(turns, form, zone, chain=None, frames=None):
    """Return rows, lines and expected lines of each turn."""
    chain = chain or Chain()
    offsets = [0, 0, 0]
    counts = []
    for turn in turns:
        blocks = []
        for number, content in turn:
            data = b"".join(line + b"\n" for line in content)
            origin = Origin(str(number), {"filename": str(number)}, Reading(format=form, timezone=zone))
            blocks.append(Block(origin, offsets[number], data, OBSERVED))
            offsets[number] += len(data)
        parsed = chain.parse(blocks)
        frame = parsed.frame
        if frames is not None:
            frames.append(frame)
        assert frame["_time_ns"].null_count() == 0
        assert frame["_line"].null_count() == 0
        assert parsed.bytes == sum(len(block.data) for block in blocks)
        for stream in frame["_stream"].unique():
            offset = frame.filter(frame["_stream"] == stream)["_offset"]
            assert offset.is_sorted()
            assert offset.n_unique() == len(offset)
        counts.append((len(frame), parsed.lines, sum(len(content) for _, content in turn)))
    return counts


@pytest.mark.parametrize("form", [form for form in FORMATS[1:] if form not in TABLES])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(turns=turns, zone=st.sampled_from(["UTC", "local", "Europe/Berlin"]))
def test_every_line_is_a_row(form, turns, zone):
    for rows, counted, expected in run(turns, form, zone):
        assert rows == counted == expected


@pytest.mark.parametrize("form", ["auto", *CONTAINERS])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(turns=turns)
def test_container_parts_are_the_only_lines_that_merge(form, turns):
    for rows, counted, expected in run(turns, form, "UTC"):
        assert rows <= counted == expected


@pytest.mark.parametrize("form", TABLES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(turns=turns)
def test_every_line_is_in_a_record_of_a_table_or_held(form, turns):
    """A quoted cell may hold newlines, so a record may be several lines, and wait for its end."""
    chain, frames = Chain(), []
    rows, counted, expected = map(sum, zip(*run(turns, form, "UTC", chain, frames), strict=True))
    frames.append(chain.flush(OBSERVED, final=True).frame)
    assert rows <= counted == expected == sum(frame["_in_lines"].sum() for frame in frames)
    assert chain.pending() == (0, 0)
