"""A filter in the scan, on typed columns, gives what the same filter gives on rows, where every label is text.

`drop nothing_has_this` changes no line, but a planner cannot push a label filter before it.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query.reference_table import ReferenceTable
from query.test_cases import S, frame
from tailrace.engines.polars import PolarsEngine
from tailrace.query.run import Request, run

NUMBERS = st.sampled_from(["0", "1", "7", "-3", "2.5", "500", "1e3"])
TEXTS = st.sampled_from(["", "7", "x", "xy", "true", "2.5", "500", "1.0", "1KiB", "5s", "-3"])
REGEXES = st.sampled_from(["", ".*", ".+", "x|y", "x.*", "[0-9]+", "7|500", "t.*", "2.5", "(?i)X", "a|"])
NAMES = st.sampled_from(
    ["s", "i", "f", "b", "v", "host", "zone", "none", "msg", "rare", "detected_level", "host_extracted"]
)


def quoted(text):
    return '"' + text.replace("\\", "\\\\") + '"'


TEST = st.one_of(
    st.builds("{} {} {}".format, NAMES, st.sampled_from(["==", "!=", ">", ">=", "<", "<="]), NUMBERS),
    st.builds("{} {} {}".format, NAMES, st.sampled_from([">", "!="]), st.sampled_from(["5s", "1KiB", "500B", "1ms"])),
    st.builds(lambda n, op, v: f"{n}{op}{quoted(v)}", NAMES, st.sampled_from(["=", "!="]), TEXTS),
    st.builds(lambda n, op, v: f"{n}{op}{quoted(v)}", NAMES, st.sampled_from(["=~", "!~"]), REGEXES),
)
CONDITION = st.recursive(
    TEST,
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
    max_leaves=4,
)
ROW = st.fixed_dictionaries(
    {
        "t": st.integers(1, 5),
        "stream": st.sampled_from(['{app="a"}', '{app="a", host="x"}', '{app="a", host="7", zone="x"}']),
    },
    optional={
        "s": TEXTS,
        "i": st.sampled_from([0, 1, 7, 500, -3]),
        "f": st.sampled_from([0.0, 2.5, 7.0, 1e3]),
        "b": st.booleans(),
        "v": st.sampled_from([7, 500]),
        "v__string": TEXTS,
        "host": TEXTS,
        "zone": st.sampled_from([7, 1]),
        "_level": st.sampled_from(["info", "error"]),
        "_more": st.sampled_from(['{"rare": "x"}', '{"rare": 7}', '{"other": 1}']),
        "_format": st.sampled_from(["json:msg", "json", "plain"]),
    },
).map(lambda row: {name: value for name, value in row.items() if name != "v" or "v__string" not in row})


def answer(query, table, limit=0):
    found = run(Request(query, 0, 10 * S, limit=limit, direction="forward"), table, PolarsEngine())
    return found.frame


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=8), condition=CONDITION, splits=st.integers(1, 3))
def test_pushed_and_on_rows_agree(rows, condition, splits, tmp_path_factory):
    table = ReferenceTable(tmp_path_factory.mktemp("table"), splits=splits)
    table.add(frame([{**row, "line": str(number % 9)} for number, row in enumerate(rows)]))
    pushed = answer(f'{{app="a"}} | {condition}', table)
    on_rows = answer(f'{{app="a"}} | drop nothing_has_this | {condition}', table)
    assert pushed.equals(on_rows)
    assert answer(f'{{app="a"}} | {condition}', table, limit=2).height == min(2, pushed.height)


@pytest.mark.parametrize(
    "group", ["s", "i", "f", "b", "v", "host", "zone", "detected_level", "msg", "rare", "host, host_extracted"]
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=8), splits=st.integers(1, 3))
def test_grouped_in_the_scan_and_on_rows_agree(group, rows, splits, tmp_path_factory):
    table = ReferenceTable(tmp_path_factory.mktemp("table"), splits=splits)
    table.add(frame([{**row, "line": str(number % 3)} for number, row in enumerate(rows)]))
    in_scan, on_rows = (
        run(Request(f'sum by ({group}) (count_over_time({{app="a"}} {stage} [10s]))', 0, 10 * S), table, PolarsEngine())
        for stage in ("", "| drop nothing_has_this")
    )
    assert in_scan.labels == on_rows.labels
    assert in_scan.frame.equals(on_rows.frame)
