"""Parts of container records: joined per stream, bounded in size, held over turns."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tailrace.contracts import Origin, Reading
from tailrace.limits import LINE_BYTES
from tailrace.parse.held import Held
from tailrace.parse.join import Joiner

Part = tuple[str, bool, str]
ORIGINS = [Origin(name, {"filename": name}, Reading()) for name in "ab"]
NOW = 1_790_000_000_000_000_000


def rows(*parts: Part, origin: int = 0, first: int = 0) -> pl.DataFrame:
    count = len(parts)
    return pl.DataFrame(
        {
            "_row": pl.int_range(1, 2 * count + 1, 2, dtype=pl.UInt32, eager=True),
            "_origin": pl.Series([origin] * count, dtype=pl.UInt32),
            "_stream": pl.Series([f"{{{origin}}}"] * count, dtype=pl.String),
            "stream": pl.Series([output for _, _, output in parts], dtype=pl.String),
            "_line": pl.Series([text for text, _, _ in parts], dtype=pl.String),
            "_final": pl.Series([final for _, final, _ in parts], dtype=pl.Boolean),
            "_offset": pl.int_range(100 + first, 100 + first + count, eager=True),
            "_observed_ns": pl.Series([NOW] * count, dtype=pl.Int64),
            "_in_lines": pl.Series([1] * count, dtype=pl.Int64),
            "_in_bytes": pl.Series([len(text) + 1 for text, _, _ in parts], dtype=pl.Int64),
        }
    )


class Stream:
    """A joiner with what it holds."""

    def __init__(self) -> None:
        self.held = Held("part")
        self.joiner = Joiner(self.held)

    def join(self, frame: pl.DataFrame) -> pl.DataFrame:
        joined = self.joiner.join(frame, ORIGINS, "cri", {})
        self.held.commit()
        return joined

    def rest(self) -> list[str]:
        frame, _ = self.joiner.cut(self.held.due(NOW, "all"))
        self.held.commit()
        return frame["_line"].to_list()


def test_whole_records_cost_nothing_and_stay() -> None:
    frame = Stream().join(rows(("a", True, "stdout"), ("b", True, "stderr")))
    assert frame["_line"].to_list() == ["a", "b"]
    assert "_part" not in frame.columns


def test_a_joined_record_stands_where_its_first_part_stood() -> None:
    frame = Stream().join(
        rows(("a", False, "stdout"), ("x", True, "stderr"), ("b", True, "stdout"), ("c", True, "stdout"))
    )
    assert frame.select("_line", "_offset", "_in_lines", "_in_bytes").rows() == [
        ("ab", 100, 2, 4),
        ("x", 101, 1, 2),
        ("c", 103, 1, 2),
    ]


def test_an_empty_last_part_ends_a_record() -> None:
    frame = Stream().join(rows(("a", False, "stdout"), ("", True, "stdout")))
    assert frame["_line"].to_list() == ["a"]


def test_two_files_are_never_mixed() -> None:
    both = pl.concat([rows(("a", False, "stdout")), rows(("b", True, "stdout"), origin=1)])
    stream = Stream()
    frame = stream.join(both.with_columns(_row=pl.Series([1, 3], dtype=pl.UInt32)))
    assert frame["_line"].to_list() == ["b"]
    assert stream.rest() == ["a"]


def test_a_record_longer_than_a_line_may_be_goes_out_in_linked_stretches() -> None:
    quarter = "x" * (LINE_BYTES // 4)
    stream = Stream()
    frame = stream.join(rows(*[(quarter, n == 5, "stdout") for n in range(6)], ("b", True, "stdout")))
    assert frame["_part"].to_list() == [1, 2, None]
    assert frame["_part_last"].to_list() == [False, True, None]
    assert frame["_line"].str.len_bytes().to_list() == [LINE_BYTES, LINE_BYTES // 2, 1]
    assert frame["_in_lines"].to_list() == [4, 2, 1]


def test_a_long_record_is_held_no_longer_than_its_stretch() -> None:
    half = "x" * (LINE_BYTES // 2)
    stream = Stream()
    out = [stream.join(rows((half, n == 4, "stdout"), first=n)) for n in range(5)]
    assert [frame["_part"].to_list() for frame in out if len(frame)] == [[1], [2, 3]]
    assert [frame["_part_last"].to_list() for frame in out if len(frame)] == [[False], [False, True]]
    assert [frame["_offset"].to_list() for frame in out if len(frame)] == [[100], [102, 104]]
    assert len(stream.held) == 0


OUTPUTS = st.sampled_from(["stdout", "stderr"])
PIECES = st.sampled_from(["a", "bc", "", "x" * (LINE_BYTES // 3), "y" * (LINE_BYTES + 1)])


@given(st.lists(st.tuples(PIECES, st.booleans(), OUTPUTS), max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_the_same_records_however_the_parts_are_cut_into_turns(parts: list[Part], cuts: list[int]) -> None:
    whole, cut = Stream(), Stream()
    borders = [0, *sorted(cut for cut in cuts if cut <= len(parts)), len(parts)]
    pieces = [cut.join(rows(*parts[start:end], first=start)) for start, end in pairwise(borders) if start < end]
    columns = ["_line", "_offset", "_in_lines", "_in_bytes", "_part", "_part_last"]

    def told(frames: list[pl.DataFrame], output: str) -> list[tuple[object, ...]]:
        found = [frame.filter(pl.col("stream") == output) for frame in frames]
        return [tuple(row.get(name) for name in columns) for frame in found for row in frame.iter_rows(named=True)]

    at_once = [whole.join(rows(*parts))] if parts else []
    for output in ("stdout", "stderr"):
        assert told(pieces, output) == told(at_once, output)
    assert cut.held.pending() == whole.held.pending()
    assert sorted(cut.rest()) == sorted(whole.rest())
