"""The history of sizes: what a day's row holds, that a day has one, and when it is due."""

from __future__ import annotations

import datetime as dt

import pytest

from tailrace.clock import ManualClock
from tailrace.twin import sizes, usage
from twin.world import World, event, folder, made

DAY = dt.date(2026, 3, 1)
NEXT = DAY + dt.timedelta(days=1)


def filled(world: World) -> World:
    world.happen(folder("created", "/d", size=40), folder("created", "/d/e", size=4), made("created", "/d/a", size=1))
    world.happen(made("created", "/d/e/b", size=2, mtime="2025-03-04T09:15:02Z"), made("created", "/d/e/c", size=3))
    world.happen(
        made("created", "/d/x", links=2, inode="7", size=100), made("created", "/d/e/x", links=2, inode="7", size=100)
    )
    return world


def test_own_and_tree_with_hard_links_once(world: World) -> None:
    found = usage.measure(filled(world).twin.now()).sort("path")
    columns = ("path", "files", "bytes", "files_tree", "bytes_tree")
    assert found.select(columns).rows() == [
        ("/", 0, 0, 5 - 1, 150),
        ("/d", 2, 141, 4, 150),
        ("/d/e", 3, 109, 3, 109),
    ]
    assert found["newest_ns"].to_list() == [None, None, 1_741_079_702_000_000_000]
    for path, whole in found.select("path", "bytes_tree").iter_rows():
        assert sizes.du(world.twin.now(), path)["bytes"] == whole


def test_a_day_is_written_once_and_the_last_time_counts(world: World) -> None:
    table = world.twin.usage
    assert table.put(DAY, usage.measure(filled(world).twin.now()), 1) == 3
    world.happen(made("created", "/d/e/new", size=1_000))
    assert table.put(DAY, usage.measure(world.twin.now()), 2) == 3
    assert table.put(NEXT, usage.measure(world.twin.now()), 3) == 3
    found = table.read(DAY, NEXT)
    assert found.filter(path="/d/e").select("bytes_tree", "taken_ns").rows() == [(1_109, 2)]
    assert table.read(DAY, NEXT + dt.timedelta(days=1)).height == 6


def test_what_went_has_a_zero_once(world: World) -> None:
    table = world.twin.usage
    table.put(DAY, usage.measure(filled(world).twin.now()), 1)
    world.happen(event("deleted", "/d/e"))
    table.put(NEXT, usage.measure(world.twin.now()), 2)
    after = NEXT + dt.timedelta(days=1)
    assert table.read(NEXT, after).filter(path="/d/e").select("files_tree", "bytes_tree").rows() == [(0, 0)]
    table.put(after, usage.measure(world.twin.now()), 3)
    assert table.read(after, after + dt.timedelta(days=1)).filter(path="/d/e").height == 0


def test_growth_by_day(world: World) -> None:
    table = world.twin.usage
    table.put(DAY, usage.measure(filled(world).twin.now()), 1)
    world.happen(made("created", "/d/new", size=50))
    table.put(NEXT, usage.measure(world.twin.now()), 2)
    found = usage.usage(table, DAY, NEXT + dt.timedelta(days=1), "/d")
    assert found.select("day", "path", "bytes_tree", "grown").rows() == [(DAY, "/d", 150, None), (NEXT, "/d", 200, 50)]
    assert usage.usage(table, DAY, NEXT, "/d", depth=1)["path"].to_list() == ["/d", "/d/e"]
    assert usage.usage(table, DAY, NEXT, "/", hosts=["nobody"]).height == 0


def test_no_table_and_no_paths(world: World) -> None:
    assert world.twin.usage.read(DAY, NEXT).height == 0
    assert usage.measure(world.twin.now()).height == 0


@pytest.mark.parametrize(
    ("start", "passes"),
    [
        (dt.time(9, 0), {dt.time(9, 59): False, dt.time(10, 0): True, dt.time(13, 14): False, dt.time(13, 15): True}),
        (dt.time(14, 0), {dt.time(14, 30): False, dt.time(15, 0): True, dt.time(23, 0): False}),
    ],
)
def test_due_an_hour_after_the_start_and_at_a_quarter_past_one(start: dt.time, passes: dict[dt.time, bool]) -> None:
    def at(time: dt.time) -> float:
        return dt.datetime.combine(DAY, time).astimezone().timestamp()

    clock = ManualClock(round(at(start)) * 10**9)
    schedule = usage.Schedule(clock)
    for time, due in passes.items():
        clock.advance(at(time) - clock.now_ns() / 10**9)
        assert schedule.due() is due
        assert not schedule.due()
