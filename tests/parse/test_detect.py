"""Formats by their looks."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace.parse.detect import choose, count


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"a":1}', "json"),
        ('{\n "a": 1\n}', "json"),
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
        ("2026/03/05 10:00:00 [error] 7#8: *9 x, client: 192.0.2.1", "nginx_error"),
        ("[Thu Mar 05 10:00:00.123456 2026] [core:error] [pid 7] x", "apache_error"),
        ("[Sun Dec 04 04:47:44 2005] [notice] x", "apache_error"),
        ("[Sun Dec 04 04:47:44 2005] something else", "timestamped"),
        ("I0305 10:00:00.123456    1234 file.go:12] x", "klog"),
        ("I0305 10:00:00 is a part number", "plain"),
        ("CEF:0|a|b|1|2|n|3|x=1", "cef"),
        ("<13>Mar  5 10:00:00 h LEEF:1.0|a|b|1|2|x=1", "leef"),
        ("2026/03/05 10:00:00 [7] connect from a (192.0.2.1)", "rsyncd"),
        ("2026/03/05 10:00:00 [7] worker started", "timestamped"),
        ("Mar  5 10:00:00 h rsyncd[7]: rsync on pub/ from a (192.0.2.1)", "rsyncd"),
        ("<189>29: *Mar  1 18:46:11: %SYS-5-CONFIG_I: x", "syslog"),
        ("#Fields: date time cs-method", "w3c"),
        ("#Heading of a document", "plain"),
        ("03-17 16:13:38.811  1702  2395 D WindowManager: x", "timestamped"),
        ("081109 203615 148 INFO dfs.DataNode: x", "timestamped"),
        ("134681 node-246 unix.hw state 1077804742 1 x", "timestamped"),
        ("12 monkeys and 3 cats 1077804742 were seen", "plain"),
        ("20171223-22:15:29:606|Step_LSC|30002312|x", "timestamped"),
    ],
)
def test_one_line(line: str, expected: str) -> None:
    counts = count(pl.DataFrame({"g": [0], "_line": [line]}), "g", 64)
    assert (choose(counts[0]) if counts else "plain") == expected


def test_half_of_the_lines_decide_and_blank_ones_do_not_count():
    lines = ["banner", '{"a":1}', "", '{"a":2}', "trailing words", " "]
    row = count(pl.DataFrame({"g": [7] * 6, "_line": lines}), "g", 64)[7]
    assert (row["lines"], row["json"]) == (4, 2)
    assert choose(row) == "json"
    assert choose(row | {"json": 1}) == "plain"


def test_only_the_head_of_each_group_is_looked_at():
    frame = pl.DataFrame({"g": [0] * 10 + [1] * 2, "_line": ["a"] * 3 + ["{}"] * 7 + ["{}"] * 2})
    rows = count(frame, "g", 3)
    assert (rows[0]["lines"], rows[0]["json"], rows[1]["json"]) == (3, 0, 2)


def test_only_the_formats_that_are_asked_for_are_counted():
    counts = count(pl.DataFrame({"g": [0] * 2, "_line": ["{}", "a"]}), "g", 64, ("json",))
    assert counts == {0: {"lines": 2, "json": 1, "header": 0}}


def test_a_third_of_the_lines_is_enough_for_lines_that_begin_with_a_time():
    lines = ["2026-03-05T15:16:01Z ERROR it broke", "Traceback", "  File x"]
    assert choose(count(pl.DataFrame({"g": [0] * 3, "_line": lines}), "g", 64)[0]) == "timestamped"
    assert choose(count(pl.DataFrame({"g": [0] * 4, "_line": [*lines, "more"]}), "g", 64)[0]) == "plain"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["time,level,msg", "1,info,x", '2,warn,"a, b"'], "csv"),
        (["time,level,msg", "2026-03-05 10:00:00,info,x", '2026-03-05 10:00:01,warn,"two', 'lines"'], "csv"),
        (["a;b;c", "1;2,5;3"], "csv"),
        (["a\tb\tc", "1\t2\t3"], "tsv"),
        (["time,level,msg"], "plain"),  # a header alone is a line with commas
        (["1,2,3", "4,5,6"], "plain"),  # no names
        (["a,b", "1,2"], "plain"),  # two cells are too few to tell
        (["Dear Ann, Bob, and all", "we met, we left, we slept", "one, two"], "plain"),
        (["eggs, milk, bread", "oil, salt, pepper", "tea"], "plain"),
        (["a=1 b=2", "2026-03-05 10:00:00 x", '{"a":1}', "words", "Mar  5 10:00:00 h a: x", "<a>", "x"], "plain"),
    ],
)
def test_several_lines(lines: list[str], expected: str) -> None:
    counts = count(pl.DataFrame({"g": [0] * len(lines), "_line": lines}), "g", 64)
    assert choose(counts[0]) == expected


def test_a_table_is_still_one_in_the_middle_of_a_file():
    """The header decides once; afterwards as many cells as the line before are enough for `formats` to stay."""
    row = count(pl.DataFrame({"g": [0] * 2, "_line": ["1,2,3", "4,5,6"]}), "g", 64)[0]
    assert (row["csv"], row["header"]) == (2, 0)
