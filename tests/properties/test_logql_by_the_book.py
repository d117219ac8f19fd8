"""Random pipelines and metrics over random lines: columns give what the plain evaluator in `book/` gives.

Rows lie in one file, or split at random over several that lack columns. Set `TAILRACE_EXAMPLES` for a longer run.
"""

from __future__ import annotations

import itertools
import math
import os
import re
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from properties.book import line
from properties.book.metrics import answer as answer_by_the_book
from query.reference_table import ReferenceTable
from tailrace.batch import stream_text
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import QueryError
from tailrace.query import parsed
from tailrace.query.parser import parse
from tailrace.query.result import Lines
from tailrace.query.run import Request, run

S = 1_000_000_000
EXAMPLES = int(os.environ.get("TAILRACE_EXAMPLES", "150"))
END = 60

# --- rows -----------------------------------------------------------------------------------------------

NAMES = ["app", "lvl", "n", "d", "b", "x", "m"]
VALUES = ["", "a", "b", "error", "1", "2.5", "-3", "1e3", "NaN", "1s", "250ms", "1d", "5kB", "1,024", "10.0.0.7", "é z"]
words = st.sampled_from(VALUES)
names = st.sampled_from(NAMES)


def json_value(text):
    if text in ("1", "2.5", "-3", "1e3"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


json_lines = st.builds(
    "{}{{{}{}".format,
    st.sampled_from(["", "", "", " ", "x"]),
    st.lists(
        st.builds('"{}":{}'.format, st.sampled_from([*NAMES, "a.b", "9z"]), words.map(json_value))
        | st.sampled_from(
            ['"o":{"x":"in","q":true}', '"l":[1,2]', '"z":null', '"_entry":"packed line"', '"o":{"x":1,oops']
        )
        | st.builds('"o": {{"n": {}}}'.format, words.map(json_value)),
        max_size=4,
    ).map(",".join),
    st.sampled_from(["}", "}", "}", "}", "", ",", "} x"]),
)
pairs = st.one_of(
    st.builds("{}={}".format, names, words.filter(lambda text: " " not in text)),
    st.builds('{}="{}"'.format, names, words),
    st.sampled_from(["flag", "=v", "n=1=2", 'n="open', 'q"x=1', 'x="a\\"b"', 'x="\\q"', "a.b=1"]),
)
logfmt_lines = st.lists(pairs, max_size=4).map(" ".join)
plain_lines = st.sampled_from(
    [
        "",
        "GET /a 200 5ms",
        "a - b - c",
        "from 10.0.0.9: x",
        "2001:db8::1 up",
        "\x1b[31merror\x1b[0m n=1",
        "a\nb",
        "only",
    ]
)
streams = st.sampled_from([{"app": "a"}, {"app": "b"}, {"app": "a", "lvl": "error"}, {"app": "b", "n": "1"}])
metas = st.dictionaries(st.sampled_from(["m", "app", "n", "d"]), words.filter(bool), max_size=2)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "t": st.integers(0, END * 2).map(lambda half: half * S // 2) | st.integers(0, END * S),
            "line": json_lines | logfmt_lines | plain_lines,
            "stream": streams,
            "meta": metas,
        }
    ),
    max_size=8,
    unique_by=lambda row: (row["t"], row["line"], str(row["stream"])),  # a push leaves no twins
)

# --- queries --------------------------------------------------------------------------------------------

text_ops = st.sampled_from(["=", "!="])
quoted = words.map(lambda text: f"`{text}`")
regexes = st.sampled_from(["`a|b`", "`.*`", "`.+`", "`e.*r`", "`(?i)ERROR`", "`[0-9]+`", "`warn|error`", "``"])
tested = st.sampled_from([*NAMES, "app_extracted", "n_extracted", "__error__", "__error_details__", "o_x"])
selectors = st.sampled_from(
    ['{app=~".+"}', '{app="a"}', '{app=~"a|b",lvl=""}', '{app!="b",app=~".+"}', '{lvl="error"}', '{app=~".+",n!="1"}']
)
atoms = st.one_of(
    st.builds("{}{}{}".format, tested, text_ops, quoted),
    st.builds("{}{}{}".format, tested, st.sampled_from(["=~", "!~"]), regexes),
    st.builds(
        "{}{}{}".format,
        tested,
        st.sampled_from(["==", "=", "!=", ">", ">=", "<", "<="]),
        st.sampled_from(["1", "2.5", "-3", "1s", "250ms", "1h30m", "1kB", "1KiB", "5B", "1000"]),
    ),
    st.builds("{}{}{}".format, tested, text_ops, st.sampled_from(['ip("10.0.0.0/8")', 'ip("10.0.0.1-10.0.0.8")'])),
)
conditions = st.recursive(
    atoms,
    lambda inner: (
        st.builds("{}{}{}".format, inner, st.sampled_from([" and ", " or ", ", ", " "]), inner)
        | inner.map("({})".format)
    ),
    max_leaves=3,
)
needles = st.sampled_from(["a", "error", "", "1", "n=", '{"', "10.0.0", " "])
line_filters = st.one_of(
    st.builds("{} `{}`".format, st.sampled_from(["|=", "!="]), needles),
    st.builds("{} `{}` or `{}`".format, st.sampled_from(["|=", "!="]), needles, needles),
    st.builds("{} {}".format, st.sampled_from(["|~", "!~"]), regexes),
    st.builds(
        "{} `{}`".format,
        st.sampled_from(["|>", "!>"]),
        st.sampled_from(["", "<_>", "a<_>", "<_>a<_>", "GET <_> 200<_>", "<_>}", "<_>n=<_>"]),
    ),
    st.builds('{} ip("{}")'.format, st.sampled_from(["|=", "!="]), st.sampled_from(["10.0.0.0/8", "2001:db8::/32"])),
    st.just('|= ip("10.0.0.0/8") or "error"'),
)
templates = st.sampled_from(
    ["{{.n}}", "x{{.app}}-{{.lvl}}", "{{__line__}}!", "{{.lvl | upper}}", "{{div 6 .n}}", "plain", "", "n={{.n}} x=1"]
)
sets = st.sampled_from(["x", "lvl", "app", "n", "y"])
settings_of = st.lists(
    # The details of an error are anybody's words.
    st.tuples(sets, tested.filter(lambda name: name != line.DETAILS) | templates.map(lambda text: f"`{text}`")),
    min_size=1,
    max_size=2,
    unique_by=lambda one: one[0],
).map(lambda found: ", ".join(f"{name}={value}" for name, value in found if name != value))
picks = st.lists(tested | st.builds("{}{}{}".format, tested, text_ops, quoted), min_size=1, max_size=2).map(", ".join)
json_asks = st.lists(
    st.sampled_from(['x="o.x"', "n", 'x="l[1]"', 'y="o"', 'app="app"', 'z="z"', 'lvl="missing"', 'q="[\\"a.b\\"]"']),
    min_size=1,
    max_size=2,
).map(", ".join)
logfmt_asks = st.lists(st.sampled_from(['x="n"', "n", 'app="app"', 'y="flag"', "missing"]), min_size=1, max_size=2).map(
    ", ".join
)
stages = st.one_of(
    line_filters,
    conditions.map("| {}".format),
    st.sampled_from(["| json", "| json", "| logfmt", "| logfmt", "| unpack", "| decolorize"]),
    st.sampled_from(["| logfmt --strict", "| logfmt --keep-empty", "| logfmt --strict --keep-empty"]),
    json_asks.map("| json {}".format),
    logfmt_asks.map("| logfmt {}".format),
    st.sampled_from(
        [
            "| regexp `(?P<n>[0-9]+)(?P<x>ms)?`",
            "| regexp `^(?P<lvl>[a-z]+)`",
            "| pattern `<x> <_> <n> <d>`",
            "| pattern `<x> - <lvl>`",
        ]
    ),
    st.sampled_from(["| pattern `a<x>`", "| pattern `<_>n=<n> `"]),
    templates.map("| line_format `{}`".format),
    settings_of.filter(bool).map("| label_format {}".format),
    st.builds("| {} {}".format, st.sampled_from(["drop", "keep"]), picks),
    st.just('| __error__=""'),
)


def writable(found):
    """Leave out what cannot be said: behind `keep a`, a `!= "x"` belongs to the label."""
    return not any(
        re.match(r"\| (keep|drop)", one) and two.startswith(("!=", "!~")) for one, two in itertools.pairwise(found)
    )


pipelines = st.lists(stages, max_size=4).filter(writable).map(" ".join)
logs = st.builds("{} {}".format, selectors, pipelines)
# Errors refuse a metric query, so most of its pipelines end without any.
clean = st.sampled_from(["", '| __error__=""', "| drop __error__, __error_details__"])
windows = st.builds(
    "[{}]{}".format,
    st.sampled_from(["10s", "7s", "30s", "60s", "500ms"]),
    st.sampled_from(["", "", "", " offset 10s", " offset -5s", " offset 1500ms"]),
)
counted = st.builds(
    "{}({} {} {})".format,
    st.sampled_from(["count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time"]),
    logs,
    clean,
    windows,
)
label_lists = st.lists(st.sampled_from(["app", "lvl", "n", "x", "m"]), max_size=2, unique=True).map(", ".join)
groupings = st.builds(" {} ({})".format, st.sampled_from(["by", "without"]), label_lists)
unwraps = st.builds(
    "| unwrap {}{}".format,
    st.sampled_from(["n", "d", "b", "m", "duration(d)", "duration_seconds(n)", "bytes(b)", "bytes(n)", "x"]),
    st.sampled_from(["", "", '| __error__=""', '| __error__="" | lvl!="a"']),
)
measured = st.one_of(
    st.builds(
        "{}({} {} {} {})".format,
        st.sampled_from(["sum_over_time", "rate", "rate_counter", "absent_over_time"]),
        logs,
        clean,
        unwraps,
        windows,
    ),
    st.builds(
        "{}({} {} {} {}){}".format,
        st.sampled_from([f"{name}_over_time" for name in ("avg", "min", "max", "first", "last", "stddev", "stdvar")]),
        logs,
        clean,
        unwraps,
        windows,
        st.just("") | groupings,
    ),
    st.builds(
        "quantile_over_time({}, {} {} {} {}){}".format,
        st.sampled_from(["0", "0.5", "0.9", "1", "1.5"]),
        logs,
        clean,
        unwraps,
        windows,
        st.just("") | groupings,
    ),
)
leaves = counted | counted | measured | st.sampled_from(["vector(2)", "vector(0)"])
numbers = st.sampled_from(["0", "2", "-1", "0.5", "10"])
operators = st.sampled_from(["+", "-", "*", "/", "%", "^", "==", "!=", ">", ">=", "<", "<="])
flags = st.sampled_from(["", "", " bool"])
matches = st.builds(" {}({})".format, st.sampled_from(["on", "ignoring"]), label_lists)
joins = (
    st.just("")
    | matches
    | st.builds("{} {}".format, matches, st.sampled_from(["group_left()", "group_right(x)", "group_left(lvl)"]))
)


def compound(inner):
    return st.one_of(
        st.builds(
            "{}{} ({})".format,
            st.sampled_from(["sum", "avg", "min", "max", "count", "stddev", "stdvar"]),
            groupings | st.just(""),
            inner,
        ),
        st.builds("sum{} ({})".format, groupings | st.just(""), inner),
        st.builds(
            "{}{} ({}, {})".format,
            st.sampled_from(["topk", "bottomk"]),
            groupings | st.just(""),
            st.sampled_from([1, 2, 9]),
            inner,
        ),
        st.builds("({} {}{}{} {})".format, inner, operators, flags, joins, inner),
        st.builds("({} {}{} {})".format, inner, operators, flags, numbers),
        st.builds("({} {}{} {})".format, numbers, operators, flags, inner),
        st.builds("({} {}{} {})".format, inner, st.sampled_from(["and", "or", "unless"]), st.just("") | matches, inner),
        st.builds(
            'label_replace({}, "{}", "{}", "{}", "{}")'.format,
            inner,
            st.sampled_from(["y", "app", "lvl"]),
            st.sampled_from(["$1", "v-${1}", ""]),
            st.sampled_from(["app", "lvl", "none"]),
            st.sampled_from(["(.*)", "(a|b)", "x(.*)"]),
        ),
    )


grouped_counts = st.builds(
    "sum {} (count_over_time({} {} {} {} [60s]))".format,
    groupings,
    selectors,
    st.sampled_from(["| json", "| logfmt", "| json | logfmt", "|= `a` | json", ""]),
    st.just("") | conditions.map("| {}".format) | settings_of.filter(bool).map("| label_format {}".format),
    clean,
)
metrics = st.recursive(leaves, compound, max_leaves=3)

# --- the two answers ------------------------------------------------------------------------------------


def table_of(folder, found, splits):
    table = ReferenceTable(folder, splits=splits, seed=1)
    records = [
        {
            "_time_ns": row["t"],
            "_observed_ns": 1000 * S + number,
            "_stream": stream_text(row["stream"]),
            "_line": row["line"],
            **row["meta"],
        }
        for number, row in enumerate(found)
    ]
    if records:
        table.add(pl.DataFrame(records, infer_schema_length=None))
    return table


def expected(text, found, step):
    try:
        return answer_by_the_book(parse(text), found, 0, END * S, step)
    except line.RefusedError:
        return "refused"


def given_by_columns(text, found, step, splits):
    with tempfile.TemporaryDirectory() as folder:
        table = table_of(Path(folder), found, splits)
        try:
            answer = run(Request(text, 0, END * S, step, 0, "forward"), table, PolarsEngine())
        except QueryError as error:
            known = ("pipeline error", "several series match")
            return "refused" if any(what in str(error) for what in known) else str(error)
    if isinstance(answer, Lines):
        prefixes = ("stream.", "meta.", "parsed.")
        return [
            (
                row["_time_ns"],
                row["_line"],
                {k.partition(".")[2]: v for k, v in row.items() if k.startswith(prefixes) and v is not None},
            )
            for row in answer.frame.to_dicts()
        ]
    series: dict = {}
    keys = [tuple(sorted(labels.items())) for labels in answer.labels]
    for index, time_ns, value in answer.frame.select("series", "_time_ns", "value").iter_rows():
        series.setdefault(keys[index], []).append((time_ns, value))
    return series


def plain(answer):
    """Make answers comparable: the details of an error are anybody's."""
    if isinstance(answer, list):
        hidden = [
            (t, text, sorted({**labels, "__error_details__": "?"}.items()))
            if line.DETAILS in labels
            else (t, text, sorted(labels.items()))
            for t, text, labels in answer
        ]
        return sorted(hidden)
    if isinstance(answer, dict):
        return {tuple((n, "?" if n == line.DETAILS else v) for n, v in key): points for key, points in answer.items()}
    return answer


def same(one, two):
    if not isinstance(one, dict) or not isinstance(two, dict):
        return one == two
    if one.keys() != two.keys():
        return False
    return all(
        [t for t, _ in one[key]] == [t for t, _ in two[key]]
        and all(
            (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-9, abs=1e-9)
            for (_, a), (_, b) in zip(one[key], two[key], strict=True)
        )
        for key in one
    )


def agree(text, found, step, splits):
    try:
        by_the_book = plain(expected(text, found, step))
    except line.AmbiguousError:
        return
    by_columns = plain(given_by_columns(text, found, step, splits))
    assert same(by_the_book, by_columns), f"{text}\nbook:    {by_the_book}\ncolumns: {by_columns}"


relaxed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@relaxed
@given(logs, rows, st.sampled_from([1, 3]))
def test_lines(text, found, splits):
    agree(text, found, None, splits)


@relaxed
@given(metrics, rows, st.sampled_from([None, 10 * S, 7 * S, 500_000_000]), st.sampled_from([1, 3]))
def test_numbers(text, found, step, splits):
    agree(text, found, step, splits)


@relaxed
@given(grouped_counts, rows, st.sampled_from([None, 10 * S]), st.booleans())
def test_groups(text, found, step, quick):
    """Also with the expressions that read many lines at once."""
    with pytest.MonkeyPatch.context() as patch:
        if quick:
            patch.setattr(parsed, "QUICK_LINES", 1)
        agree(text, found, step, 1)
