"""Parts of container records: joined per stream, bounded in size, numbered on over turns."""

from __future__ import annotations

import polars as pl

from tailrace.limits import LINE_BYTES
from tailrace.parse.join import Joiner


def rows(*parts: tuple[str, bool, str], stream: str = "{}") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "_row": pl.int_range(len(parts), dtype=pl.UInt32, eager=True),
            "_stream": [stream] * len(parts),
            "stream": [output for _, _, output in parts],
            "_line": [text for text, _, _ in parts],
            "_final": [final for _, final, _ in parts],
            "_offset": pl.int_range(100, 100 + len(parts), eager=True),
        }
    )


def test_whole_records_cost_nothing_and_stay() -> None:
    frame = Joiner().join(rows(("a", True, "stdout"), ("b", True, "stderr")))
    assert frame["_line"].to_list() == ["a", "b"]
    assert "_part" not in frame.columns


def test_a_joined_record_stands_where_its_first_part_stood() -> None:
    frame = Joiner().join(
        rows(("a", False, "stdout"), ("x", True, "stderr"), ("b", True, "stdout"), ("c", True, "stdout"))
    )
    assert frame.select("_line", "_offset").rows() == [("ab", 100), ("x", 101), ("c", 103)]


def test_an_empty_last_part_ends_a_record() -> None:
    frame = Joiner().join(rows(("a", False, "stdout"), ("", True, "stdout")))
    assert frame["_line"].to_list() == ["a"]


def test_two_files_are_never_mixed() -> None:
    both = pl.concat([rows(("a", False, "stdout"), stream="{1}"), rows(("b", True, "stdout"), stream="{2}")])
    frame = Joiner().join(both.with_columns(_row=pl.Series([0, 1], dtype=pl.UInt32)))
    assert frame.select("_line", "_part").rows() == [("a", 1), ("b", None)]


def test_a_record_longer_than_a_line_may_be_stays_in_parts() -> None:
    half = "x" * (LINE_BYTES // 2 + 1)
    frame = Joiner().join(rows((half, False, "stdout"), (half, True, "stdout"), ("b", True, "stdout")))
    assert frame["_part"].to_list() == [1, 2, None]
    assert frame["_part_last"].to_list() == [False, True, None]


def test_numbers_go_on_over_turns_until_the_last_part() -> None:
    joiner = Joiner()
    assert joiner.join(rows(("a", False, "stdout"), ("b", False, "stdout")))["_part"].to_list() == [1, 2]
    assert joiner.join(rows(("c", False, "stdout"), ("x", True, "stderr")))["_part"].to_list() == [3, None]
    last = joiner.join(rows(("d", True, "stdout"), ("e", False, "stdout"), ("f", True, "stdout")))
    assert last.select("_line", "_part", "_part_last").rows() == [("d", 4, True), ("ef", None, None)]
    assert "_part" not in joiner.join(rows(("g", True, "stdout"))).columns
