"""What `contracts.Parser` promises, for every parser that the registry knows."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace import registry
from tailrace.batch import FIELD_TYPES, is_field
from tailrace.contracts import Parser, Reading

LINES = [
    '{"msg":"x","time":"2026-03-05T10:00:00Z","n":1}',
    "{broken}",
    "a=1 level=warn",
    'h - - [05/Mar/2026:11:00:00 +0000] "GET / HTTP/1.1" 200 5',
    "Mar  5 15:16:01 host sshd[1]: error",
    "2026-03-05T10:00:00Z stdout F text",
    '{"log":"text\\n","stream":"stdout","time":"2026-03-05T10:00:00Z"}',
    "2026-03-05 10:00:00 INFO text",
    "",
    "\u2028\0 words",
]


@pytest.fixture(params=list(registry.COMPONENTS["parser"]))
def parser(request: pytest.FixtureRequest) -> Parser:
    found: Parser = registry.find("parser", request.param)()
    assert found.name == request.param
    return found


def frame(lines: list[str]) -> pl.DataFrame:
    rows = len(lines)
    return pl.DataFrame(
        {
            "_line": pl.Series(lines, dtype=pl.String),
            "_observed_ns": pl.Series([1_772_704_800 * 10**9] * rows, dtype=pl.Int64),
            "_stream": pl.Series(["{}"] * rows, dtype=pl.String),
            "_offset": pl.int_range(rows, eager=True),
        }
    )


@pytest.mark.parametrize("lines", [LINES, LINES[::-1], ["{broken}"], [""], LINES * 2000], ids=len)
def test_the_same_rows_in_the_same_order(parser: Parser, lines: list[str]) -> None:
    before = frame(lines)
    for _ in range(2):  # what it learned changes nothing
        after = parser.parse(before, Reading(timezone="UTC"))
        assert after["_offset"].to_list() == before["_offset"].to_list()
        assert after["_stream"].equals(before["_stream"])
        assert after["_time_ns"].dtype == pl.Int64
        assert after["_format"].dtype == pl.String
        assert after["_line"].null_count() == 0
        fields = [name for name in after.columns if is_field(name)]
        assert {after[name].dtype for name in fields} <= set(FIELD_TYPES.values())


def test_a_line_that_does_not_fit_stays_raw_with_an_error(parser: Parser) -> None:
    after = parser.parse(frame(LINES), Reading(timezone="UTC")).to_dicts()
    for row, line in zip(after, LINES, strict=True):
        if row.get("_error") is not None:
            assert row["_line"] == line
            assert line.strip()
            assert row["_format"] is None


BY_LINE = [
    "access",
    "apache_error",
    "cef",
    "klog",
    "leef",
    "logfmt",
    "nginx_error",
    "plain",
    "rsyncd",
    "syslog",
    "timestamped",
]
MIXED = [
    *LINES,
    '2026/03/05 10:00:00 [error] 7#8: *9 x, client: 192.0.2.1, server: _, host: "h"',
    "[Thu Mar 05 10:00:00.5 2026] [core:error] [pid 7] [client 2001:db8::1:80] AH00001: x",
    'I0305 10:00:00.123456 1 a.go:5] "x" k=1',
    "2026/03/05 10:00:00 [7] rsync on pub/a from h (192.0.2.1)",
    "2026/03/05 10:00:00 [7] sent 1 bytes  received 2 bytes  total size 3",
    "<134>Mar  5 10:00:00 fw CEF:0|a|b|1|2|n|9|src=1 cs1=x cs1Label=L m",
    "LEEF:2.0|V|P|1|4|^|a=1^b=2^devTime=1772704800000",
    "LEEF:1.0|V|P|1|4|a=1\tb=2",
    '<165>1 2026-03-05T22:14:15Z h a 1 - [x@1 a="b" a="c"] m',
    "<189>29: *Mar  1 18:46:11: %SYS-5-CONFIG_I: x",
    "Mar  5 10:00:00 last message repeated 3 times",
    "03-05 16:13:38.811  1702  2395 D Tag: x",
    "- 1117838570 2005.06.03 n 2005-06-03-15.42.50.675872 n RAS KERNEL INFO x",
    "2026-03-05 10:00:00,1 - INFO  [a:b.C@7] - x",
]


@pytest.mark.parametrize("name", BY_LINE)
def test_what_a_line_gives_does_not_depend_on_its_neighbours(name: str) -> None:
    def told(lines: list[str]) -> list[dict[str, object]]:
        rows = registry.find("parser", name)().parse(frame(lines), Reading(timezone="UTC")).drop("_offset").to_dicts()
        return [{key: value for key, value in row.items() if value is not None} for row in rows]

    assert told(MIXED) == [row for line in MIXED for row in told([line])]
    assert told(MIXED[::-1]) == told(MIXED)[::-1]
