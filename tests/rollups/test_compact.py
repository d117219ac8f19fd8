"""Many small files of rows become few, and say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollups.world import NS, START_NS, values
from tailrace.rollups.compact import TIER_FILES, compact
from tailrace.rollups.views import views

if TYPE_CHECKING:
    from rollups.world import World

COUNT = 'sum by (host) (count_over_time({host=~".+"}[2m]))'
RATE = 'rate_counter({host=~".+"} | unwrap took [2m])'


def fill(world: World) -> None:
    for turn in range(TIER_FILES):
        world.lines((10 + turn, "a", turn), (70 + 5 * turn, "b", 1))
        world.keeper.catch_up()


def merge(world: World, oldest_ns: int | None = None) -> int:
    known = {view.key: view for metric in world.definitions.list() for view in views(metric)}
    return compact(world.table, known, oldest_ns)


def test_rows_of_a_bucket_become_one(world: World) -> None:
    world.metric("hits", COUNT)
    fill(world)
    before = values(world.ask(COUNT, first=60, last=240))
    assert world.table.snapshot().rows_files()["part"].to_list() == ["tail"] * TIER_FILES
    assert merge(world) == TIER_FILES
    files = world.table.snapshot().rows_files()
    assert (files["part"].to_list(), files["rows"].to_list()) == (["done"], [2])
    found = world.ask(COUNT, first=60, last=240)
    assert (values(found), found.stats.rows) == (before, 0)
    assert before[("host=a",)] == {60: TIER_FILES, 120: TIER_FILES}


def test_a_bucket_of_a_counter_whose_lines_come_by_turns_is_made_anew(world: World) -> None:
    world.metric("rate", RATE)
    for turn in (3, 1, 2, 0, 5, 4, 7, 6):
        world.lines((10 + turn, "a", turn), (20 + turn, "a", turn))
        world.keeper.catch_up()
    want = values(world.ask(RATE, first=60, last=240, kept=False))
    found = world.ask(RATE, first=60, last=240)
    assert (values(found), found.stats.buckets) == (want, 1)


def test_what_is_of_no_metric_or_too_old_goes(world: World) -> None:
    world.metric("hits", COUNT)
    world.metric("rate", RATE)
    fill(world)
    world.definitions.delete("rate")
    day_ns = 86_400 * NS
    merge(world, START_NS + 60 * NS)
    assert world.table.snapshot().rows_files()["rows"].to_list() == [2]  # of a day that is not over
    for _ in range(TIER_FILES):
        world.lines((day_ns // NS, "a", 1))
        world.keeper.catch_up()
    merge(world, START_NS + day_ns)
    old = world.ask(COUNT, first=60, last=120)
    assert (old.stats.buckets, values(old)) == (0, {("host=a",): {60: 8, 120: 8}, ("host=b",): {120: 8}})


def test_files_that_were_replaced_leave_the_disk(world: World) -> None:
    world.metric("hits", COUNT)
    fill(world)
    merge(world)
    at_ns = max(file.stat().st_mtime_ns for file in world.table.root.glob("part=tail/*")) + 3_600 * NS
    assert world.table.tidy(at_ns) >= TIER_FILES
    world.restart()
    found = world.ask(COUNT, first=60, last=60)
    assert (values(found), found.stats.rows) == ({("host=a",): {60: TIER_FILES}}, 0)
