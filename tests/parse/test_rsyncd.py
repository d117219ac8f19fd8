"""Records of rsyncd that one line of data cannot show: a cut message with the next record behind it."""

from __future__ import annotations

import polars as pl

from tailrace.contracts import Reading
from tailrace.parse.rsyncd import Rsyncd, messages

STAMP = "2026/03/05 10:00:00 [7] "


def parse(*lines: str) -> list[dict[str, object]]:
    rows = len(lines)
    text = pl.Series(lines, dtype=pl.String)
    frame = pl.DataFrame({"_line": text, "_observed_ns": [0] * rows, "_stream": ["{}"] * rows, "_offset": range(rows)})
    return Rsyncd().parse(frame, Reading(timezone="UTC")).to_dicts()


def test_a_message_that_was_cut_with_its_newline_says_so() -> None:
    cut = f"{STAMP}recv h [192.0.2.1] up () {'x' * 2_100}"
    joined, alone, long = parse(cut + STAMP.replace("7", "8") + "connect from a (192.0.2.2)", cut, cut + " 5")
    assert (joined["_error"], joined["pid"]) == ("RsyncdJoinedErr", 7)
    assert (alone["_error"], alone["kind"]) == (None, "other")
    assert (long["_error"], long["length"]) == (None, 5)


def test_a_path_that_looks_like_a_record_is_a_path() -> None:
    (row,) = parse(f"{STAMP}recv h [192.0.2.1] up () {STAMP}x 5")
    assert (row.get("_error"), row["path"]) == (None, f"{STAMP}x")


def test_messages_without_a_stamp() -> None:
    found = messages(pl.Series(["connect from a (::1)", None, "words", "max connections (3) reached"])).to_dicts()
    assert [row["kind"] for row in found] == ["connect", None, "other", "denied"]
    assert [row["limit"] for row in found] == [None, None, None, 3]


def test_no_rows() -> None:
    assert parse() == []
    assert len(messages(pl.Series([], dtype=pl.String))) == 0
