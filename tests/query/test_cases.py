"""Every case of `tests/cases/query/run`: rows go in, a query is asked, the answer was worked out by hand.

A case runs on a table of one file, on one that is split at random, whose files lack columns, and on the real
one, as it was written and compacted: the answer must not depend on how the rows lie.
"""

from __future__ import annotations

import math
import random
import tomllib
from pathlib import Path

import polars as pl
import pytest

from query.reference_table import ReferenceTable
from tailrace import limits
from tailrace.batch import Batch
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import QueryError
from tailrace.query.result import Lines, Series
from tailrace.query.run import Request, run
from tailrace.store.compact import compact
from tailrace.store.delete import delete
from tailrace.store.table import LogTable

FOLDER = Path(__file__).parents[1] / "cases" / "query" / "run"
S = 1_000_000_000
DOOMED = '{doomed="yes"}'


def _cases():
    for path in sorted(FOLDER.glob("*.toml")):
        document = tomllib.loads(path.read_text())
        for case in document["case"]:
            yield pytest.param({"rows": document.get("rows", []), **case}, id=f"{path.stem}: {case['name']}")


def frame(rows):
    """Rows of a case as a frame of the table: `t` in seconds, `line`, `stream` and any columns by name."""
    records = []
    for number, row in enumerate(rows):
        envelope = {
            "_time_ns": round(row["t"] * S),
            "_observed_ns": 1000 * S + number,
            "_stream": row.get("stream", '{app="a"}'),
            "_line": row.get("line", ""),
        }
        records.append(envelope | {name: value for name, value in row.items() if name not in ("t", "line", "stream")})
    return pl.DataFrame(records, infer_schema_length=None)


def ask(case, table):
    seconds = {"start": 0, "end": 100, **case}
    request = Request(
        case["query"],
        round(seconds["start"] * S),
        round(seconds["end"] * S),
        step_ns=round(case["step"] * S) if "step" in case else None,
        limit=case.get("limit", 0),
        direction=case.get("direction", "forward"),
    )
    return run(request, table, PolarsEngine())


def labels(row, *prefixes):
    found = {name: value for name, value in row.items() if "." in name and value is not None}
    return {name.partition(".")[2]: value for name, value in found.items() if name.startswith(prefixes)}


def check(case, answer):
    assert answer.complete
    if "lines" in case or "fields" in case or "streams" in case:
        assert isinstance(answer, Lines)
        rows = answer.frame.to_dicts()
        if "lines" in case:
            assert [row["_line"] for row in rows] == case["lines"]
        if "fields" in case:
            assert [labels(row, "meta.", "parsed.") for row in rows] == case["fields"]
        if "streams" in case:
            assert [labels(row, "stream.") for row in rows] == case["streams"]
        return
    assert isinstance(answer, Series)
    assert answer.kind == case.get("kind", "matrix" if "step" in case else "vector")
    found = {
        index: [(row["_time_ns"] / S, row["value"]) for row in group.sort("_time_ns").to_dicts()]
        for (index,), group in answer.frame.group_by("series")
    }
    assert list(answer.labels) == [one["labels"] for one in case["series"]]
    for index, one in enumerate(case["series"]):
        wanted = one["values"] if "values" in one else [[case.get("end", 100), one["value"]]]
        assert [time for time, _ in found[index]] == [time for time, _ in wanted]
        for (_, got), (_, value) in zip(found[index], wanted, strict=True):
            assert math.isnan(got) if math.isnan(value) else got == pytest.approx(value, rel=1e-12)


def reference(folder, rows, splits, seed):
    table = ReferenceTable(folder, splits=splits, seed=seed)
    if rows:
        table.add(frame(rows))
    return table


def stored(folder, rows, seed):
    """The real table: each row in one of two commits, a second type of a field in a batch of its own.

    In every other case (by the query's length) the segments are then joined, sorted and indexed in tiny blocks, and in
    half of these rows of another stream were among them and are deleted, so that the segment is written once more.
    """
    table = LogTable.open(folder, create=True)
    joined, spoiled = seed % 2 == 1, seed % 4 == 1
    chance = random.Random(seed)
    groups: dict[tuple[int, bool], list] = {}
    for row in rows:
        second = any(name.endswith(("__string", "__int")) for name in row)
        groups.setdefault((chance.randrange(2), second), []).append(row)
    for _, some in sorted(groups.items(), key=lambda item: (item[0][1], item[0][0])):
        records = frame(some)
        records = records.rename(
            {name: name.rpartition("__")[0] for name in records.columns if name.endswith(("__string", "__int"))}
        )
        if spoiled:
            records = pl.concat([records, records.with_columns(_stream=pl.lit(DOOMED), _line=pl.lit("doomed"))])
        table.commit([Batch(records, "test", len(some), 0)])
    if joined:
        compact(table, everything=True)
    if spoiled:
        delete(table, streams=[DOOMED], start_ns=-(2**62), end_ns=2**62, dry_run=False)
    return table


TABLES = {
    "one file": lambda folder, rows, seed: reference(folder, rows, 1, seed),
    "split": lambda folder, rows, seed: reference(folder, rows, 3, seed),
    "store": stored,
}


@pytest.fixture(autouse=True)
def _tiny_blocks(monkeypatch):
    monkeypatch.setattr(limits, "ROW_GROUP_ROWS", 2)
    monkeypatch.setattr(limits, "SKIP_ROWS", 1)
    monkeypatch.setattr(limits, "SKIP_SHARE", 100.0)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("case", list(_cases()))
def test_case(case, kind, tmp_path):
    table = TABLES[kind](tmp_path, case["rows"], len(case["query"]))
    if "error" in case:
        with pytest.raises(QueryError) as caught:
            ask(case, table)
        assert case["error"] in str(caught.value)
    else:
        check(case, ask(case, table))
