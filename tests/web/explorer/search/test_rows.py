import json

import polars as pl

from tailrace.web.explorer.search.rows import Row, folded, record_text, rows_of


def answer(*rows: tuple[int, str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "_time_ns": [time_ns for time_ns, _ in rows],
            "_line": [line for _, line in rows],
            "_level": ["warn"] * len(rows),
            "_offset": range(len(rows)),
            "_observed_ns": [time_ns + 5 for time_ns, _ in rows],
            "_stream": ['{host="a"}'] * len(rows),
            "stream.host": ["a"] * len(rows),
            "meta.status": ["500", *[None] * (len(rows) - 1)],
            "parsed.status": [None, *["7"] * (len(rows) - 1)],
        }
    )


def test_labels_stand_by_where_they_come_from() -> None:
    first, second = rows_of(answer((9, "x"), (8, "y")))
    assert (first.stream, first.fields, first.parsed) == ({"host": "a"}, {"status": "500"}, {})
    assert (second.fields, second.parsed) == ({}, {"status": "7"})
    assert [first.value(name) for name in ("host", "status", "detected_level", "none")] == ["a", "500", "warn", None]
    assert first.late_ns == 5


def test_each_row_knows_how_many_of_its_time_stand_above() -> None:
    times = [(9, "a"), (9, "b"), (8, "c"), (7, "d"), (7, "e"), (7, "f")]
    assert [row.skip for row in rows_of(answer(*times))] == [0, 1, 0, 0, 1, 2]
    assert [row.skip for row in rows_of(answer(*times), 9, 40)] == [40, 41, 0, 0, 1, 2]
    assert [row.skip for row in rows_of(answer(*times), 10, 40)] == [0, 1, 0, 0, 1, 2]


def test_neighbours_that_say_the_same_are_folded() -> None:
    rows = rows_of(answer((9, "x"), (8, "x"), (7, "x"), (6, "y"), (5, "x")))
    found = folded(rows)
    assert [(row.line, row.count) for row in found] == [("x", 3), ("y", 1), ("x", 1)]
    assert [(row.time_ns, row.foot.time_ns) for row in found] == [(9, 7), (6, 6), (5, 5)]


def test_a_record_is_json_and_shows_the_json_in_it() -> None:
    row = Row(0, "", '{"user": {"id": 7}}', None, None, "{}", {}, {"list": "[1, 2]", "odd": "[1,"}, {})
    assert json.loads(record_text(row)) == {
        "time": "1970-01-01T00:00:00Z",
        "time_ns": "0",
        "line": {"user": {"id": 7}},
        "fields": {"list": [1, 2], "odd": "[1,"},
    }
