"""What goes first, and what never goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from store.rows import DAY_NS, START_NS, batch, lines
from tailrace.store.retain import plan, retain
from tailrace.store.settings import RetentionSettings, StoreSettings
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from pathlib import Path

NOW_NS = 100 * DAY_NS
PLENTY = 10**15


def _files(*rows: tuple[str, float, float, int]) -> pl.DataFrame:
    """Files as (name, days since the last event, days since the last arrival, bytes)."""
    return pl.DataFrame(
        {
            "path": [name for name, *_ in rows],
            "rows": [1] * len(rows),
            "bytes": [size for *_, size in rows],
            "date": [None] * len(rows),
            "max_time_ns": [NOW_NS - round(event * DAY_NS) for _, event, _, _ in rows],
            "max._observed_ns": [NOW_NS - round(arrival * DAY_NS) for _, _, arrival, _ in rows],
            "modified_ns": [NOW_NS] * len(rows),
        }
    )


FILES = _files(("a", 50, 40, 100), ("b", 20, 20, 100), ("c", 5, 5, 100), ("d", 60, 1, 100))
"""`d` is an old log that was imported yesterday, so it is the newest here."""


@pytest.mark.parametrize(
    ("limits", "free", "gone"),
    [
        ({}, PLENTY, []),
        ({"days": 30}, PLENTY, [("a", "days")]),
        ({"days": 40}, PLENTY, []),
        ({"days": 10}, PLENTY, [("a", "days"), ("b", "days")]),
        ({"days": 0.5}, PLENTY, [("a", "days"), ("b", "days"), ("c", "days"), ("d", "days")]),
        ({"bytes": 400}, PLENTY, []),
        ({"bytes": 399}, PLENTY, [("a", "bytes")]),
        ({"bytes": 200}, PLENTY, [("a", "bytes"), ("b", "bytes")]),
        ({"bytes": 1}, PLENTY, [("a", "bytes"), ("b", "bytes"), ("c", "bytes")]),  # never the newest
        ({"disk_share": 0.8}, 100, []),  # 80 % of 500 = 400
        ({"disk_share": 0.8}, 99, [("a", "disk_share")]),
        ({"disk_share": 0.8}, 0, [("a", "disk_share")]),  # 80 % of what the table has itself
        ({"days": 30, "bytes": 250}, PLENTY, [("a", "days"), ("b", "bytes")]),
    ],
)
def test_the_oldest_go_first(limits: dict, free: int, gone: list) -> None:
    settings = RetentionSettings(**{"days": None, "bytes": None, "disk_share": None, **limits})
    assert plan(FILES, settings, NOW_NS, free).select("path", "by").rows() == gone


def test_an_empty_table_loses_nothing() -> None:
    assert plan(FILES.clear(), RetentionSettings(), NOW_NS, 0).is_empty()


def test_retention_is_on_by_default() -> None:
    assert (StoreSettings().retention.days, StoreSettings().retention.disk_share) == (30, 0.8)


def test_dropped_segments_are_gone_for_readers_and_positions_stay(tmp_path: Path) -> None:
    table = LogTable.open(tmp_path, create=True)
    table.commit([batch(["old"], "a", 1)])
    table.commit([batch(["late"], "a", 2, observed_ns=START_NS + 20 * DAY_NS)])
    table.commit([batch(["new"], "a", 3, start_ns=START_NS + 20 * DAY_NS)])
    report = retain(table, now_ns=START_NS + 31 * DAY_NS, free_bytes=PLENTY)
    assert (report.files, report.rows, report.by) == (1, 1, ("days",))
    assert lines(table) == ["late", "new"]
    assert table.last_number("a") == 3
    assert retain(table, now_ns=START_NS + 31 * DAY_NS, free_bytes=PLENTY).files == 0


def test_a_table_of_which_everything_is_too_old_is_empty_and_works(tmp_path: Path) -> None:
    table = LogTable.open(tmp_path, create=True)
    table.commit([batch(["old"], "a", 1)])
    retain(table, now_ns=START_NS + 400 * DAY_NS, free_bytes=PLENTY)
    assert lines(table) == []
    assert table.snapshot().segments(0, 2**62).streams().height == 0
    table.commit([batch(["again"], "a", 2)])
    assert lines(LogTable.open(tmp_path)) == ["again"]
