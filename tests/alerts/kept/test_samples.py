"""The table of recorded samples: taken once, by days, joined and dropped."""

from __future__ import annotations

import polars as pl
import pytest
from deltalake import DeltaTable

from tailrace.alerts.kept.samples import JOINED_FILES, SCHEMA, SamplesTable

S = 10**9
DAY = 86_400 * S
NOON = 20_454 * DAY + DAY // 2  # of 2026-01-01


@pytest.fixture
def table(tmp_path):
    return SamplesTable(tmp_path)


def samples(*rows):
    """Make samples of (number, seconds after noon, value, version)."""
    made = [
        {
            "_time_ns": NOON + second * S,
            "name": "m",
            "key": '{__name__="m"}',
            "value": value,
            "stale": value is None,
            "rule": "r",
            "version": version,
            "id": number,
        }
        for number, second, value, version in rows
    ]
    return pl.DataFrame(made, schema=dict(SCHEMA))


def held(table):
    rows = table.snapshot().scan(0, 2**62).collect().sort("id")
    return list(zip(rows["id"], rows["value"], strict=True))


def test_there_is_nothing_before_the_first_write(table):
    assert table.snapshot().version == -1
    assert table.snapshot().taken == 0
    assert held(table) == []
    assert table.tidy(NOON) == 0


def test_samples_are_taken_once(table):
    assert table.append(samples((1, 0, 1.0, 0), (2, 1, None, 0)), 2)
    assert not table.append(samples((1, 0, 1.0, 0), (2, 1, None, 0)), 2)
    assert table.append(samples((3, 2, 3.0, 0)), 3)
    assert held(table) == [(1, 1.0), (2, None), (3, 3.0)]
    assert table.snapshot().taken == 3


def test_another_handle_sees_what_was_taken(table, tmp_path):
    table.append(samples((1, 0, 1.0, 0)), 1)
    other = SamplesTable(tmp_path)
    assert not other.append(samples((1, 0, 1.0, 0)), 1)
    other.append(samples((2, 1, 2.0, 0)), 2)
    assert held(table) == [(1, 1.0), (2, 2.0)]


def test_a_day_is_a_partition(table):
    table.append(samples((1, 0, 1.0, 0), (2, 43_199, 2.0, 0), (3, 43_200, 3.0, 0)), 3)
    assert table.snapshot().files.select("day", "rows").rows() == [("2026-01-01", 2), ("2026-01-02", 1)]
    rows = table.snapshot().scan(NOON + 1, NOON + 43_200 * S).collect()
    assert rows["id"].to_list() == [2]


def test_what_is_joined_has_the_newest_version_only(table):
    table.append(samples((1, 0, 1.0, 0), (2, 1, 2.0, 0)), 2)
    table.append(samples((3, 1, 7.0, 1)), 3)
    assert table.join("2026-01-01") == 2
    assert held(table) == [(1, 1.0), (3, 7.0)]
    assert table.snapshot().taken == 3


def test_many_files_of_a_day_are_joined_and_old_days_go(table):
    for number in range(1, JOINED_FILES + 1):
        table.append(samples((number, number, 1.0, 0)), number)
    table.append(samples((99, 86_400, 9.0, 0)), 99)
    assert table.tidy(NOON) == JOINED_FILES
    assert table.snapshot().files["rows"].to_list() == [JOINED_FILES, 1]
    assert table.tidy(NOON + DAY // 2) == 1
    assert held(table) == [(99, 9.0)]


def test_other_readers_of_delta_see_the_same(table):
    table.append(samples((1, 0, 1.0, 0)), 1)
    assert pl.read_delta(str(table.root)).select("name", "value", "day").rows() == [("m", 1.0, "2026-01-01")]
    assert DeltaTable(table.root.as_uri()).transaction_version("recorded") == 1
