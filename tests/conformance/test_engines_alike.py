"""Values that engines are known to treat differently: every scan of ours says the same of them, here and on a cluster.

The table holds texts beyond ASCII and the BMP, line ends of all kinds, the largest and smallest numbers, times before
1970. Each query is answered by Polars and by Sail; what Polars says is held by other tests. Not among the values are
what no column can hold: ingest keeps NaN, infinite and negative zero as text.
"""

from __future__ import annotations

import itertools

import polars as pl
import pytest

from query.reference_table import ReferenceTable
from query.remembering import forget
from query.test_cases import S
from sail import serving
from tailrace.engines.connection import Connection
from tailrace.engines.polars import PolarsEngine
from tailrace.engines.spark import SparkEngine
from tailrace.query.result import Lines
from tailrace.query.run import Request, run

pytest.importorskip("pysail", reason="pysail is the Spark Connect server of these tests")

TEXTS = [
    "", " ", "a", "A", "é", "e\u0301", "É", "ß", "ẞ", "\u212a", "k", "😀", "😀a", "\uffff", "a\nb", "a\r", "a\n", "\ta", "\u2028", "\x85",
    "a\\b", "a'b", 'a"b', "a%b", "a_b", "${a}", "{{a}}", "NULL", "null", "NaN", "true", "1e3", "0x10", "٣", "\x00", "a\x00b", "'; drop",
]  # fmt: skip
INTEGERS = [0, 1, -1, 10**15 + 1, 2**53 + 1, 2**63 - 1, -(2**63), None]
FLOATS = [0.0, 0.1, -0.5, 1e-320, 5e-324, 1e22, 1.7976931348623157e308, 0.1 + 0.2, 123456789.125, None]
BOOLEANS = [True, False, None]
TIMES = [-(10**18), -1, 0, 1, 999_999_999, S, 1_700_000_000_000_000_001, 9 * 10**18]

SELECTORS = [
    'text="é"', 'text=~"É|é"', 'text=~"(?i)k"', 'text=~"a.b"', 'text=~".*b$"', 'text!~"a.*"', 'text=~"\\\\w+"', 'text="a\\nb"', "text=`a\\b`", 'text=""',
    'text!=""', 'text=~".?"', 'text=~"[^a]"', "number=9223372036854775807", "number<0", "number>=9007199254740993", "number==1000000000000001", "number!=1",
    'number=~"1.*"', "float>0", "float<=1e-320", "float==0.1", "float>=1e22", 'float="0.1"', 'float=~"0.*"', 'flag="true"', 'flag!="true"', 'flag=~"t.*|"',
    'text="a" or number>1', 'text!="a" and float>0.05', 'none=""', 'none!=""', 'text="1e3" or flag="false"',
]  # fmt: skip
LINES = ['|= "é"', '!= "a"', '|= "\\n"', '|~ "a.b"', '|~ "^a$"', '|~ "\\\\bb"', '|~ "(?i)É"', '!~ "\\\\s"', '|~ "[😀-😂]"', '|= "\\u0000"', '|~ "\\\\d"', '|= "%"', '|= "\\\\"', '|~ "$"', '|~ "\\\\pL"', '|~ "(a|b)+$"']  # fmt: skip
METRICS = [f'sum by ({label}) (count_over_time({{app="x"}}[280y]))' for label in ("text", "number", "float", "flag", "none", "detected_level")] + [
    f'sum by (app) ({function}_over_time({{app="x"}} | unwrap {label} [280y]))'
    for function in ("sum", "avg", "min", "max", "stddev")
    for label in ("number", "float")
]  # fmt: skip


@pytest.fixture(scope="module")
def cluster():
    with serving() as url:
        yield SparkEngine(Connection(url))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    size = 120
    cycle = [
        list(itertools.islice(itertools.cycle(values), size)) for values in (TEXTS, INTEGERS, FLOATS, BOOLEANS, TIMES)
    ]
    texts, integers, floats, booleans, times = cycle
    frame = pl.DataFrame(
        {
            "_time_ns": times,
            "_observed_ns": list(range(size)),
            "_offset": list(range(size)),
            "_stream": '{app="x"}',
            "_line": [text * 2 for text in texts],
            "text": [text or None for text in texts],
            "number": pl.Series(integers, dtype=pl.Int64),
            "float": pl.Series(floats, dtype=pl.Float64),
            "flag": pl.Series(booleans, dtype=pl.Boolean),
        }
    )
    table = ReferenceTable(tmp_path_factory.mktemp("hostile"), splits=2, seed=3)
    table.add(frame)
    return table


def answers(query, table, engine, step_ns=None):
    """Return what an engine says, in an order of our own."""
    forget()
    found = run(Request(query, -(2 * 10**18), 9 * 10**18 + 1, step_ns, limit=0), table, engine)
    if isinstance(found, Lines):
        return sorted(map(str, found.frame.select(sorted(found.frame.columns)).rows()))
    return [(str(found.labels[series]), at, pytest.approx(value, rel=1e-12, nan_ok=True)) for series, at, value in found.frame.sort("series", "_time_ns").iter_rows()]  # fmt: skip


@pytest.mark.parametrize(
    "query", [f'{{app="x"}} | {test}' for test in SELECTORS] + [f'{{app="x"}} {test}' for test in LINES]
)
def test_the_same_lines(query, table, cluster):
    assert answers(query, table, cluster) == answers(query, table, PolarsEngine())


@pytest.mark.parametrize("query", METRICS)
def test_the_same_numbers(query, table, cluster):
    here, there = (answers(query, table, engine) for engine in (PolarsEngine(), cluster))
    assert here == there
    assert here


@pytest.mark.parametrize("query", ['sum(count_over_time({app="x"}[7d1ms]))', 'sum by (flag) (count_over_time({app="x"} | number>0 [1y]))', 'max_over_time({app="x"} | unwrap number [1y]) by (app)'])  # fmt: skip
def test_the_same_points_over_centuries(query, table, cluster):
    step_ns = 12 * 10**14 + 1
    here, there = (answers(query, table, engine, step_ns) for engine in (PolarsEngine(), cluster))
    assert here == there
    assert here
