"""Many lines are read by expressions where that is exact: the answer is the same as of few, which are read one by one."""

from __future__ import annotations

import pytest

from query.reference_table import ReferenceTable
from query.test_cases import S, frame
from tailrace.engines.polars import PolarsEngine
from tailrace.query import parsed
from tailrace.query.run import Request, run

LINES = [
    '{"level": "info", "n": 1e3, "http": {"code": 200}}',
    '{"level": "warn", "n": 1.50, "user": "é\\n"}',
    '{"level": "warn", "n": 7, "list": [1, "level"], "user": null}',
    '{"n": 1, "level": "debug", "level": "twice"}',
    '{"list": [{"level": "inner"}], "level": "outer"}',
    '{"level": "info", oops',
    'level=error n=5 msg="level=fatal n=6"',
    "plain",
    "",
]
QUERIES = [
    'sum by (level) (count_over_time({app="a"} | json | __error__="" [1h]))',
    'sum by (level, __error__) (count_over_time({app="a"} | json [1h]))',
    'sum by (n) (count_over_time({app="a"} | json | level="warn" [1h]))',
    'sum by (http_code, user) (count_over_time({app="a"} | json | drop __error__ [1h]))',
    'sum by (level, n) (count_over_time({app="a"} | logfmt [1h]))',
    'sum by (app_extracted, level) (count_over_time({app="a"} | label_format level="x" | logfmt [1h]))',
    'max_over_time({app="a"} | json | unwrap n | __error__="" [1h]) by (level)',
    'sum by (x, y) (count_over_time({app="a"} | json x="level", y="list[0]" | drop __error__ [1h]))',
]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    table = ReferenceTable(tmp_path_factory.mktemp("table"))
    rows = [{"t": 1 + place % 100, "line": LINES[place % len(LINES)]} for place in range(len(LINES) * 300)]
    table.add(frame(rows))
    return table


def answer(query, table):
    found = run(Request(query, 0, 1000 * S), table, PolarsEngine())
    return [(labels, found.frame["value"][place]) for place, labels in enumerate(found.labels)]


@pytest.mark.parametrize("query", QUERIES)
def test_many_lines_give_the_answer_of_few(query, table, monkeypatch):
    quick = answer(query, table)
    monkeypatch.setattr(parsed, "QUICK_LINES", 10**9)
    assert quick == answer(query, table)


def test_the_answer_itself(table):
    assert answer(QUERIES[0], table) == [
        ({"level": "debug"}, 300),
        ({"level": "info"}, 300),
        ({"level": "outer"}, 300),
        ({"level": "warn"}, 600),
    ]
    assert answer(QUERIES[2], table) == [({"n": "1.50"}, 300), ({"n": "7"}, 300)]
    assert ({"level": "error", "n": "5"}, 300) in answer(QUERIES[4], table)
