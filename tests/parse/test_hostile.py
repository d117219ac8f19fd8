"""No line is too strange: every parser keeps every row, in order, and what does not fit as it was."""

from __future__ import annotations

import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace import registry
from tailrace.batch import FIELD_TYPES, is_field
from tailrace.contracts import Block, Origin, Reading
from tailrace.parse.chain import Chain

NAMES = [*registry.COMPONENTS["parser"], "csv:a,b", "rsyncd:%o|%m|%f|%l", "json|logfmt|access"]
HEADS = [
    "", "{", '{"a":', "2026-03-05 10:00:00", "[2026-03-05T10:00:00,123]", "Mar  5 10:00:00 h a[1]: ", "<13>", "<34>1 ",
    'h - - [05/Mar/2026:11:00:00 +0000] "', "2026/03/05 10:00:00 [error] 7#8: *9 ", "2026/03/05 10:00:00 [7] ",
    "[Thu Mar 05 10:00:00.5 2026] [core:error] [pid 7] ", "CEF:0|a|b|1|2|n|9|", "LEEF:2.0|V|P|1|4|^|", "#Fields: ",
    "I0305 10:00:00.123456 1 a.go:5] ", "2026-03-05T10:00:00Z stdout F ", "2026-03-05T10:00:00Z stderr P ",
    '{"log":"x\\n","stream":"stdout","time":"2026-03-05T10:00:00Z"}', "type=X msg=audit(1767323045.678:1): ",
    "7:M 02 Jan 2026 03:04:05.678 * ", "I, [2026-01-02T03:04:05 #1]  INFO -- : ", "1767323045.678 1 ",
]  # fmt: skip
PIECES = [
    '"', '""', "\\", '\\"', "'", "=", "==", ",", ";", "\t", "|", "^", "[", "]", "(", ")", "{", "}", ":", "-", "- -", "%", "<", ">",
    " ", "  ", "a", "a=1", 'k="v w"', "1", "-1", "1e400", "9" * 25, "null", "true", "NaN", "\\u0000", "\\ud800", "\0", "\x1b[31m",
    "\u2028", "\ufeff", "ü", "日本", "INFO", "error", "192.0.2.1", "2001:db8::1", "GET / HTTP/1.1", "send", "/a b", "a.b.C:",
]  # fmt: skip
LINES = st.lists(
    st.builds(lambda head, parts: head + "".join(parts), st.sampled_from(HEADS), st.lists(st.sampled_from(PIECES), max_size=12))
    | st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30),
    min_size=1,
    max_size=12,
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(lines=LINES)
def test_every_row_stays_in_its_place(name: str, lines: list[str]) -> None:
    data = "".join(line + "\n" for line in lines).encode()
    chain = Chain()
    frames = [
        chain.parse([Block(Origin("f", {"filename": "f"}, Reading(name, timezone="UTC")), 0, data, 10**18)]).frame,
        chain.flush(10**18, final=True).frame,
    ]
    whole = pl.concat(frames, how="diagonal_relaxed").sort("_offset")
    assert whole["_in_bytes"].sum() == len(data)
    assert whole["_in_lines"].sum() == len(lines)
    assert whole["_time_ns"].null_count() == 0
    assert {whole[field].dtype for field in whole.columns if is_field(field)} <= {*FIELD_TYPES.values(), pl.Null()}
    if name in {"cri", "docker", "csv", "tsv", "csv:a,b"}:  # their lines are joined, or taken out of something
        return
    assert len(whole) == len(lines)
    error = whole["_error"] if "_error" in whole.columns else [None] * len(lines)
    for line, row, wrong in zip(lines, whole["_line"], error, strict=True):
        assert wrong is None or row == line.removesuffix("\r")


@pytest.mark.parametrize("name", NAMES)
def test_a_long_line_takes_a_moment(name: str) -> None:
    parser = Chain()
    for head in HEADS:
        for piece in ('"', "a=1 ", "[", "\\", "a.", ' "a'):
            line = (head + piece * (2**18 // len(piece)))[: 2**18].encode() + b"\n"
            began = time.process_time()
            parser.parse([Block(Origin(head, {"filename": head}, Reading(name, timezone="UTC")), 0, line, 10**18)])
            assert time.process_time() - began < 5
