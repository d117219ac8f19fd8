"""What stands behind a time: the fast way and the general one agree, and a line's fields are its own."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tailrace.parse import groups, header
from tailrace.parse.stamp_shapes import BY_NAME, SHAPES

NOW = 1_772_704_800 * 10**9  # 2026-03-05T10:00:00Z

words = st.sampled_from(
    ["INFO", "[WARN ]", "error:", "Error", "[main]", "[a b[1]]", "12", "345 --- [x]", "a.b.C:", "a.b.C", "root:", "-", "|",
     "main -", "x/y.go:12", "CBS ", "[12]", "D Tag:", "<p[3]>", "text", "::", "", "a::b]", "[c.D@7]", "[n:1:E@63]"]
)  # fmt: skip
rests = st.lists(words, max_size=6).map(" ".join)
stamps = st.sampled_from(
    ["2026-03-05 10:00:00", "2026-03-05T10:00:00.250Z", "[2026-03-05 10:00:00,123]", "26/03/05 10:00:00", "03-05 10:00:00.1",
     "Thu Mar 05 10:00:00 2026", "- 1772704800 2026.03.05", "I0305 10:00:00.000001", "Mar  5 10:00:00", "no time"]
)  # fmt: skip
lines = st.builds("{} {}".format, stamps, rests)


def read(texts: list[str]) -> list[dict[str, object]]:
    frame = pl.DataFrame({"_line": texts, "_observed_ns": [NOW] * len(texts)})
    return [
        {name: value for name, value in row.items() if value is not None}
        for row in header.read(frame, "UTC").to_dicts()
    ]


@given(st.lists(lines, min_size=1, max_size=8))
def test_a_line_reads_the_same_alone_and_among_others(texts: list[str]) -> None:
    assert read(texts) == [row for text in texts for row in read([text])]


@given(st.lists(rests, min_size=1, max_size=8))
def test_the_usual_pattern_is_a_part_of_the_general_one(texts: list[str]) -> None:
    column = pl.Series([f"2026-03-05 10:00:00,123 {text}" for text in texts])
    shape = BY_NAME["iso"]
    general = groups.extract(column, shape.pattern + header.GENERAL)
    both = header.parts(shape, column)
    for name in general.columns:
        found = both[name] if name in both.columns else pl.Series([None] * len(column), dtype=pl.String)
        assert found.to_list() == general[name].to_list(), name


def test_every_shape_has_a_base_and_a_name_of_its_own() -> None:
    assert len({shape.name for shape in SHAPES}) == len(SHAPES)
    assert all("?P<base>" in shape.pattern for shape in SHAPES)
