"""Any text for a query gives an answer or a refusal, in bounded time: never a crash, never a hang.

Texts are valid queries (those of `tests/cases/query`) that were cut, spliced, repeated and spoilt. For a long run set
`TAILRACE_FUZZ_EXAMPLES`, for example to 50000.
"""

from __future__ import annotations

import os
import random
import re
import time
import tomllib
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query.reference_table import ReferenceTable
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import QueryError
from tailrace.query.parser import parse
from tailrace.query.run import Request, run

S = 1_000_000_000
EXAMPLES = int(os.environ.get("TAILRACE_FUZZ_EXAMPLES", "400"))
SLOW_S = 10  # far more than any of these queries takes over a handful of lines
CASES = Path(__file__).parents[1] / "cases" / "query"
WORD = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\w+|\s+|[^\w\s]')
ODD = [
    *("1e308", "0x7fffffffffffffff", "9223372036854775807", "18446744073709551616", "1e-320", "292y", "106751d", "0s"),
    *(
        "-1",
        "NaN",
        "Inf",
        "\x00",
        "\u202e",
        "\ud7ff",
        "😀",
        "é",
        "`",
        '"',
        "'",
        "{",
        "}",
        "((",
        "))",
        "[5m]",
        "#",
        "\\",
    ),
    *("(?i)", "(a+)+$", "(a|a)*b", "x{1000}{1000}", "\\pN", "[[:alpha:]]", "(?P<n>.)", "<_>", "<a><b>", "{{", "}}"),
    *(
        "{{.a.b}}",
        "{{range .}}",
        "{{define `x`}}{{template `x`}}{{end}}",
        '{{repeat 999999 "x"}}',
        "{{printf `%999999d` 1}}",
    ),
    *(
        "offset",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "bool",
        "unwrap",
        "or",
        "and",
        "unless",
        "| json",
        "ip(",
    ),
]


def queries() -> list[str]:
    found = []
    for path in sorted(CASES.glob("*/*.toml")):
        found += [case["query"] for case in tomllib.loads(path.read_text())["case"]]
    return found


QUERIES = queries()


@st.composite
def spoilt(draw) -> str:
    """Take a query and spoil it, word by word."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    words = WORD.findall(chance.choice(QUERIES))
    for _ in range(chance.choice([0, 1, 1, 1, 2, 4])):
        at = chance.randrange(len(words) + 1) if words else 0
        other = WORD.findall(chance.choice(QUERIES))
        match chance.randrange(6):
            case 0:
                del words[at : at + chance.randint(1, 3)]
            case 1:
                words.insert(at, chance.choice(ODD))
            case 2:
                words[at : at + 1] = [chance.choice(ODD)]
            case 3:
                words[at:] = other[chance.randrange(len(other)) :] if other else []
            case 4:
                words[at:at] = words[at : at + 4] * chance.choice([1, 2, 60])
            case 5:
                words[at : at + 1] = [chance.choice(other)] if other else []
    return "".join(words)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    lines = [
        *('{"a":1,"b":"x","c":{"d":[1,2]}}', 'level=error took=5ms size=1kB msg="a b"', "", "plain é 10.0.0.1"),
        *("\x1b[31mred\x1b[0m", "a" * 5_000, '{"_entry":"x","app":"b"}', "\x00\ufffd\ud7ff"),
    ]
    found = ReferenceTable(tmp_path_factory.mktemp("fuzz"), splits=2)
    found.add(
        pl.DataFrame(
            {
                "_time_ns": [S * (10 + at) for at in range(len(lines))],
                "_observed_ns": [S] * len(lines),
                "_stream": ['{app="a"}', '{app="b",host="h"}'] * (len(lines) // 2),
                "_line": lines,
                "v": ["1", "2.5", "x", "", "3", "NaN", "1e3", "-7"],
            }
        )
    )
    return found


def ask(text: str, table, step_ns: int | None) -> None:
    began = time.monotonic()
    said = ""
    try:
        run(Request(text, 0, 100 * S, step_ns, 100), table, PolarsEngine())
    except QueryError as error:
        said = error.one_line()
    assert "\n" not in said
    assert time.monotonic() - began < SLOW_S, f"slow: {text[:500]!r}"


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(spoilt(), st.sampled_from([None, 7 * S]))
def test_a_spoilt_query_is_answered_or_refused(table, text, step_ns):
    ask(text, table, step_ns)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(spoilt())
def test_what_is_parsed_is_printed_and_parsed_again(text):
    try:
        tree = parse(text)
    except QueryError:
        return
    assert parse(str(tree)) == tree
    assert str(parse(str(tree))) == str(tree)


@pytest.mark.parametrize(
    "text",
    [
        '{app="a"} |~ "(a+)+$"',
        '{app="a"} |~ "(a|aa)+b"',
        '{app="a"} | regexp "(?P<x>(a*)*)b"',
        '{app=~"(a+)+b"} |~ "(.*)(.*)(.*)(.*)c"',
        '{app="a"} | line_format `{{regexReplaceAll "(a+)+b" __line__ "x"}}`',
        '{app="a"} |> "<_>a<_>a<_>a<_>a<_>a<_>b"',
        '{app="a"} | pattern "<x>a<_>a<_>a<_>b"',
        '{app="a"} | logfmt --strict | decolorize | json',
        "(" * 99 + "1" + ")" * 99,
        "1" + "+1" * 90,
        '{app="a"}' + " | json" * 200,
        '{app="a"} | line_format `{{range $i, $_ := .}}{{range $j, $_ := $}}{{$i}}{{end}}{{end}}`',
    ],
)
def test_patterns_that_are_slow_elsewhere(table, text):
    ask(text, table, None)
