"""Random tables and random queries: this process and a cluster say the same.

Rows have fields of every type, some with a second one, some in `_more`; texts beyond ASCII, long lines, levels and
formats that were stored. They lie in files that lack columns at random. What engines remember of segments is forgotten
before each answer, so that each one scans. Set `TAILRACE_EXAMPLES` for a longer run.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from properties import test_logql_by_the_book as book
from query.reference_table import ReferenceTable
from query.remembering import forget
from sail import serving
from tailrace.engines.connection import Connection
from tailrace.engines.polars import PolarsEngine
from tailrace.engines.spark import SparkEngine
from tailrace.errors import QueryError
from tailrace.query.result import Lines
from tailrace.query.run import Request, run

pytest.importorskip("pysail", reason="pysail is the Spark Connect server of these tests")

S = 1_000_000_000
END = 60
EXAMPLES = int(os.environ.get("TAILRACE_EXAMPLES", "60"))

# --- rows -----------------------------------------------------------------------------------------------

TEXTS = ["a", "A", "b", "error", "é", "É", "ß", "\u017f", "k", "\u212a", "i", "\u0130", "a\nb", "a\r", " ", "x=1", "10.0.0.7", "2001:db8::1", "5ms", "1h30m", "5kB", "1KiB", "0x10", "1_000", "007", "+5", "NaN", "null", "😀", "\u0301", "٣", "\\", '"', "%", "_", "1", "-3", "2.5"]  # fmt: skip
LONG = "a long line"  # of 70 kB
INTEGERS = [0, 1, -1, 7, 200, 500, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
FLOATS = [0.0, 0.5, -0.25, 1.0, 2.5, 1e15, 1e-7, 1e22, 123456789.125, 0.1]
LINES = [*book.VALUES, *TEXTS, '{"n":1,"s":"a","o":{"x":"é"}}', '{"n":1', "n=1 s=a d=5ms", 's="a b" b=true', LONG, "GET /a 200 5ms", "from 10.0.0.9: x", "\x1b[31merror\x1b[0m", "\x00", "a\u2028b", "a\x85b"]  # fmt: skip
texts = st.sampled_from(TEXTS)
FIELDS = {
    "s": texts,
    "n": st.sampled_from(INTEGERS),
    "small": st.integers(-3, 9),
    "f": st.sampled_from(FLOATS),
    "flag": st.booleans(),
    "d": st.sampled_from(["5ms", "1h30m", "2s", "x", "1d", "250us"]),
    "b": st.sampled_from(["5kB", "1KiB", "7", "x", "1,024"]),
    "ip": st.sampled_from(["10.0.0.7", "10.0.0.8", "192.168.1.1", "2001:db8::1", "x", "::ffff:10.0.0.7"]),
    "m": st.integers(0, 3),
    "m__string": st.sampled_from(["x", "1", "é", "01"]),
    "w": st.sampled_from([0.5, 2.0, 1e15]),
    "w__int": st.integers(0, 3),
    "w__bool": st.booleans(),
    "S": texts,
    "__own": texts,
    "app": st.sampled_from(["a", "c"]),
    "lvl": texts,
}
NAMES = ["s", "n", "small", "f", "flag", "d", "b", "ip", "m", "w", "S", "_own", "app", "lvl", "far", "away", "none", "msg", "app_extracted", "detected_level", "__error__"]  # fmt: skip
more = st.dictionaries(st.sampled_from(["far", "away", "s"]), st.sampled_from(["x", 1, 2.50, True, None, {"a": 1}, 10**20]), min_size=1).map(json.dumps)  # fmt: skip
streams = st.sampled_from(['{app="a"}', '{app="b"}', '{app="a", lvl="error"}', '{app="é b", n="1"}', '{host="h"}'])
TIMES = st.integers(0, 2 * END).map(lambda half: half * S // 2) | st.integers(0, END * S)
row = st.fixed_dictionaries(
    {"t": TIMES, "_line": st.sampled_from(LINES), "_stream": streams, "fields": st.fixed_dictionaries({}, optional=FIELDS)},
    optional={
        "_more": more,
        "_level": st.sampled_from(["info", "error", "critical"]),
        "_error": st.sampled_from(["no JSON", "é"]),
        "_format": st.sampled_from(["json", "json:msg", "json:s", "logfmt", "regex"]),
    },
)  # fmt: skip
tables = st.lists(row, max_size=12)

# --- queries --------------------------------------------------------------------------------------------

names = st.sampled_from(NAMES)
REGEXES = ["a|b", ".*", ".+", "e.*r", "(?i)É", "(?i)error", "(?i)k", "(?i)ß|i", "[0-9]+", "^a$", "a.b", "a$", ".", "\\\\d", "\\\\w+", "\\\\s", "\\\\bx", "[^a]", "[é-í]", "(a|b)+", "a{2,3}", "", "\\\\.", "(?s)a.b", "(?m)^b", "(?m)a$", "\\\\pL", "[[:alpha:]]+", "x*", "1.*|", "true|", "-?[0-9.]+", "(?-s).b", "\\\\x61", "[\\\\w-]+", "a??", "^", "$", "[a&&b]", "[a-z--b]", "a|", "\\\\Qa.b\\\\E"]  # fmt: skip
regexes = st.sampled_from(REGEXES).map('"{}"'.format)
quoted = (texts | st.sampled_from(["", "200", "500", "0.5", "1e15", "true", "false", "1000000000000000", "9223372036854775807", "x", "2.50"])).map(json.dumps)  # fmt: skip
numbers = st.sampled_from(["0", "1", "-1", "0.5", "200", "1e15", "9007199254740993", "9223372036854775807", "1e22", "5ms", "1h30m", "1s", "5kB", "1KiB", "7B", "-0.25", "0.1", "1e-7"])  # fmt: skip
atoms = st.one_of(
    st.builds("{}{}{}".format, names, st.sampled_from(["=", "!="]), quoted),
    st.builds("{}{}{}".format, names, st.sampled_from(["=~", "!~"]), regexes),
    st.builds("{}{}{}".format, names, st.sampled_from(["==", "!=", ">", ">=", "<", "<="]), numbers),
    st.builds("{}{}ip({})".format, names, st.sampled_from(["=", "!="]), st.sampled_from(['"10.0.0.0/8"', '"2001:db8::/32"', '"10.0.0.1-10.0.0.7"'])),
)  # fmt: skip
conditions = st.recursive(
    atoms,
    lambda inner: (
        st.builds("{}{}{}".format, inner, st.sampled_from([" and ", " or "]), inner) | inner.map("({})".format)
    ),
    max_leaves=3,
)
needles = st.sampled_from(LINES).map(lambda text: json.dumps(text[:40])) | quoted
line_filters = st.one_of(
    st.builds("{} {}".format, st.sampled_from(["|=", "!="]), needles),
    st.builds("{} {} or {}".format, st.sampled_from(["|=", "!="]), needles, needles),
    st.builds("{} {}".format, st.sampled_from(["|~", "!~"]), regexes),
    st.builds("{} {} or {}".format, st.sampled_from(["|~", "!~"]), regexes, regexes),
    st.sampled_from(['|> "<_>a<_>"', '!> "GET <_> 200<_>"', '|= ip("10.0.0.0/8")']),
)
templates = st.sampled_from(["{{.n}}", "x{{.app}}-{{.s}}", "{{__line__}}!", "{{.s | upper}}", "plain", ""])
stages = st.one_of(
    line_filters,
    conditions.map("| {}".format),
    conditions.map("| {}".format),
    st.sampled_from(["| json", "| logfmt", '| json x="o.x"', "| logfmt n, d", "| decolorize", "| pattern `<x> <_>`"]),
    templates.map("| line_format `{}`".format),
    st.builds("| label_format {}={}".format, st.sampled_from(["x", "s", "n"]), names.filter(lambda n: "__" not in n)),
    st.builds("| {} {}".format, st.sampled_from(["drop", "keep"]), names),
)
selectors = st.sampled_from(
    ['{app=~".+"}', '{app=~".+"}', '{app="a"}', '{app=~"a|é.b",lvl=""}', '{app!="b",app=~".+"}', '{app=~"(?i)A"}', '{host=~".+"}']
)  # fmt: skip
pipelines = st.lists(stages, max_size=3).filter(book.writable).map(" ".join)
logs = st.builds("{} {}".format, selectors, pipelines)
clean = st.sampled_from(["", "", '| __error__=""'])
windows = st.sampled_from(["[10s]", "[7s]", "[60s]", "[500ms]", "[100s]", "[30s] offset 10s", "[20s] offset -5s"])
counted = st.builds(
    "{}({} {} {})".format,
    st.sampled_from(["count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time"]),
    logs,
    clean,
    windows,
)
label_lists = st.lists(names, max_size=2, unique=True).map(", ".join)
groupings = st.builds(" {} ({})".format, st.sampled_from(["by", "by", "without"]), label_lists)
unwraps = st.builds(
    "| unwrap {}{}".format,
    st.sampled_from(["n", "small", "f", "m", "w", "duration(d)", "bytes(b)", "small", "flag", "far"]),
    st.sampled_from(["", '| __error__=""', '| __error__=""', '| __error__="" | s!="a"']),
)
FUNCTIONS = ["sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "first_over_time", "last_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time", "rate", "rate_counter", "absent_over_time"]  # fmt: skip
UNGROUPED = {"sum_over_time", "rate", "rate_counter", "absent_over_time"}


@st.composite
def measured(draw):
    function = draw(st.sampled_from(FUNCTIONS))
    parameter = draw(st.sampled_from(["0, ", "0.5, ", "0.9, ", "1, "])) if function.startswith("quantile") else ""
    grouping = "" if function in UNGROUPED else draw(st.just("") | groupings)
    return f"{function}({parameter}{draw(logs)} {draw(clean)} {draw(unwraps)} {draw(windows)}){grouping}"


grouped = st.builds("sum{} ({})".format, groupings, counted)
metrics = st.recursive(grouped | grouped | counted | measured(), book.compound, max_leaves=2)

# --- the two answers ------------------------------------------------------------------------------------


def table_of(folder, rows, splits):
    table = ReferenceTable(folder, splits=splits, seed=1)
    types = {"n": pl.Int64, "small": pl.Int64, "f": pl.Float64, "flag": pl.Boolean, "m": pl.Int64, "w": pl.Float64, "w__int": pl.Int64, "w__bool": pl.Boolean}  # fmt: skip
    records = [
        {name: value for name, value in row.items() if name not in ("t", "fields")}
        | {"_line": "a" * 70_000 + "é" if row["_line"] == LONG else row["_line"]}
        | {"_time_ns": row["t"], "_observed_ns": 1000 * S + number, "_offset": number}
        | row["fields"]
        for number, row in enumerate(rows)
    ]
    if records:
        held = sorted(set(itertools.chain.from_iterable(records)))
        whole = {"_time_ns": pl.Int64, "_observed_ns": pl.Int64, "_offset": pl.Int64}
        table.add(pl.DataFrame(records, schema={name: (types | whole).get(name, pl.String) for name in held}))
    return table


def answer(text, table, engine, step_ns, limit):
    forget()
    try:
        found = run(Request(text, 0, END * S, step_ns, limit=limit, direction="forward"), table, engine)
    except QueryError as error:
        said = str(error).splitlines()[0]
        return ["pipeline error" if "pipeline error" in said else said]  # of which line is free
    assert not found.warnings
    if isinstance(found, Lines):
        names = sorted(found.frame.columns)
        return sorted([str({n: v for n, v in zip(names, one, strict=True) if v is not None}) for one in found.frame.select(names).rows()])  # fmt: skip
    return {
        (str(sorted(found.labels[series].items())), at): value
        for series, at, value in found.frame.select("series", "_time_ns", "value").iter_rows()
    }


def same(here, there):
    if isinstance(here, list) or isinstance(there, list):
        return here == there
    return here.keys() == there.keys() and all(
        (math.isnan(value) and math.isnan(there[key])) or value == pytest.approx(there[key], rel=1e-9, abs=1e-12)
        for key, value in here.items()
    )


def agree(text, rows, cluster, step_ns=None, limit=0, splits=1):
    with tempfile.TemporaryDirectory() as folder:
        table = table_of(Path(folder), rows, splits)
        here, there = (answer(text, table, engine, step_ns, limit) for engine in (PolarsEngine(), cluster))
    assert same(here, there), f"{text}\nhere:  {here}\nthere: {there}"


@pytest.fixture(scope="module")
def cluster():
    with serving(workers=int(os.environ.get("TAILRACE_WORKERS", "0"))) as url:
        yield SparkEngine(Connection(url))


relaxed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@relaxed
@given(logs, tables, st.sampled_from([0, 0, 3]), st.sampled_from([1, 3]))
def test_lines(cluster, text, rows, limit, splits):
    agree(text, rows, cluster, None, limit, splits)


@relaxed
@given(metrics, tables, st.sampled_from([None, 10 * S, 7 * S, 500_000_000]), st.sampled_from([1, 3]))
def test_numbers(cluster, text, rows, step_ns, splits):
    agree(text, rows, cluster, step_ns, 0, splits)
