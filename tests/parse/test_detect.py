"""Formats by their looks."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace.parse.detect import choose, count


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"a":1}', "json"),
        ('  {"log":"text","stream":"x"} ', "json"),
        ('{"log":"a\\n","stream":"stdout","time":"2026-03-05T10:00:00Z"}', "docker"),
        ("2026-03-05T10:00:00.1Z stdout F x", "cri"),
        ('h - - [05/Mar/2026:11:00:00 +0000] "GET / HTTP/1.1" 200 5', "access"),
        ("Mar  5 15:16:01 host kernel: x", "syslog"),
        ("<165>1 2026-03-05T22:14:15.003Z host app - ID47 - x", "syslog"),
        ("2026-03-05T15:16:01.123456+01:00 host systemd[1]: Started", "syslog"),
        ("2026-03-05T15:16:01Z INFO main: started", "timestamped"),
        ("2026-03-05 15:16:01,123 INFO a=1 b=2", "timestamped"),
        ("ts=2026-03-05T15:16:01Z level=info msg=x", "logfmt"),
        ("a=1 is one pair, not a format", "plain"),
        ("", "plain"),
        ("words", "plain"),
    ],
)
def test_one_line(line: str, expected: str) -> None:
    table = count(pl.DataFrame({"g": [0], "_line": [line]}), "g", 64)
    assert (choose(table.to_dicts()[0]) if len(table) else "plain") == expected


def test_half_of_the_lines_decide_and_blank_ones_do_not_count():
    lines = ["banner", '{"a":1}', "", '{"a":2}', "trailing words", " "]
    row = count(pl.DataFrame({"g": [7] * 6, "_line": lines}), "g", 64).to_dicts()[0]
    assert (row["g"], row["lines"], row["json"]) == (7, 4, 2)
    assert choose(row) == "json"
    assert choose(row | {"json": 1}) == "plain"


def test_only_the_head_of_each_group_is_looked_at():
    frame = pl.DataFrame({"g": [0] * 10 + [1] * 2, "_line": ["a"] * 3 + ["{}"] * 7 + ["{}"] * 2})
    rows = {row["g"]: row for row in count(frame, "g", 3).to_dicts()}
    assert (rows[0]["lines"], rows[0]["json"], rows[1]["json"]) == (3, 0, 2)


def test_a_third_of_the_lines_is_enough_for_lines_that_begin_with_a_time():
    lines = ["2026-03-05T15:16:01Z ERROR it broke", "Traceback", "  File x"]
    assert choose(count(pl.DataFrame({"g": [0] * 3, "_line": lines}), "g", 64).to_dicts()[0]) == "timestamped"
    assert choose(count(pl.DataFrame({"g": [0] * 4, "_line": [*lines, "more"]}), "g", 64).to_dicts()[0]) == "plain"
