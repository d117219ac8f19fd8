"""Keeping rollups: once per commit, by steps, and one bad metric leaves the others."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from rollups.world import NS, START_NS, values
from tailrace import limits
from tailrace.errors import QueryError, TransientError
from tailrace.rollups.keeper import AGAIN_S, RollupKeeper
from tailrace.rollups.views import views
from tailrace.store.vacuum import vacuum

if TYPE_CHECKING:
    from rollups.world import World

COUNT = 'sum by (host) (count_over_time({host=~".+"}[1m]))'
BAD = 'sum_over_time({host=~".+"} | label_format kind="x" | unwrap kind [1m])'


def key(world: World, name: str) -> str:
    metric = world.definitions.get(name)
    assert metric is not None
    return views(metric)[0].key


def test_without_metrics_nothing_is_written(world: World) -> None:
    world.lines((10, "a", 1))
    world.keeper.round()
    assert not world.table.root.exists()


def test_each_commit_is_taken_once(world: World) -> None:
    world.metric("hits", COUNT)
    world.keeper.catch_up()
    world.lines((10, "a", 1))
    world.keeper.catch_up()
    before = world.table.snapshot()
    assert before.taken == world.logs.snapshot().version
    assert before.rows_files()["rows"].to_list() == [1]
    world.keeper.catch_up()
    assert world.table.snapshot() is before
    world.compact()  # changes no line
    world.keeper.catch_up()
    assert world.table.snapshot().rows_files()["rows"].to_list() == [1]


def test_a_new_metric_is_filled_in_by_steps_newest_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROLLUP_STEP_ROWS", 1)
    hours = [hour * 3_600 for hour in range(4)]
    for at in hours:
        world.lines((at + 10, "a", 1))
    world.metric("hits", COUNT)
    seen: list[int] = []

    class Stepping(RollupKeeper):
        def _fill(self, *given):  # type: ignore[no-untyped-def,override]
            done = super()._fill(*given)
            seen.append(int(done.rows_files()["rows"].sum()))
            return done

    world.keeper.__class__ = Stepping
    world.keeper.catch_up()
    assert seen[-1] == 4
    assert len(seen) >= 3
    assert seen == sorted(seen)
    found = world.ask(COUNT, first=60, last=4 * 3_600, step=3_600)
    assert (values(found), found.stats.rows) == ({("host=a",): {60 + at: 1 for at in hours}}, 0)


def test_only_what_was_asked_for_is_filled_in(world: World) -> None:
    world.lines((-3_600, "a", 1), (10, "a", 1))
    world.definitions.create("hits", COUNT, now_ns=START_NS, backfill_ns=600 * NS)
    world.clock.advance(2)
    world.keeper.catch_up()
    assert world.table.snapshot().rows_files()["rows"].to_list() == [1]
    assert values(world.ask(COUNT, first=-3_600, last=-3_600)) == {("host=a",): {-3_600: 1}}


def test_a_metric_that_fails_on_lines_leaves_the_others(world: World) -> None:
    world.metric("bad", BAD)
    world.metric("hits", COUNT)
    world.keeper.catch_up()
    world.lines((10, "a", 1))
    world.keeper.catch_up()
    found = world.ask(COUNT, first=60, last=60)
    assert (values(found), found.stats.rows) == ({("host=a",): {60: 1}}, 0)
    mark = world.table.snapshot().marks.views[key(world, "bad")]
    assert "does not convert" in mark.error
    with pytest.raises(QueryError, match="does not convert"):
        world.ask(BAD, first=60, last=60)
    world.delete("a", 0, 100)
    world.clock.advance(AGAIN_S + 1)
    world.keeper.catch_up()
    mark = world.table.snapshot().marks.views[key(world, "bad")]
    assert (mark.error, mark.pending) == ("", ())


def test_lines_that_left_the_disk_before_they_were_taken(world: World) -> None:
    world.metric("hits", COUNT)
    world.lines((10, "a", 1))
    world.keeper.catch_up()
    world.lines((20, "a", 1))
    world.lines((80, "a", 1))
    world.compact()
    vacuum(world.logs, now_ns=2**62, grace_s=0)
    world.keeper.catch_up()
    found = world.ask(COUNT, first=60, last=120)
    assert (values(found), found.stats.rows) == ({("host=a",): {60: 2, 120: 1}}, 0)


def test_of_two_keepers_one_is_told_to_wait(world: World) -> None:
    world.metric("hits", COUNT)
    world.keeper.catch_up()
    world.lines((10, "a", 1))
    seen = world.table.snapshot()
    world.keeper.catch_up()
    with pytest.raises(TransientError, match="another process"):
        world.keeper._commit(seen, taken=7)
    assert values(world.ask(COUNT, first=60, last=60)) == {("host=a",): {60: 1}}


def test_a_stop_is_no_failure_of_a_metric(world: World) -> None:
    world.metric("hits", 'sum(count_over_time({host=~".+"} |= "line" [1m]))')
    world.keeper.catch_up()
    world.lines((10, "a", 1))
    world.keeper.stop()
    with pytest.raises(TransientError, match="stopped"):
        world.keeper.catch_up()
    world.restart()
    world.keeper.catch_up()
    assert world.table.snapshot().marks.views[key(world, "hits")].error == ""


def test_a_table_that_is_taken_away_is_made_anew(world: World) -> None:
    world.metric("hits", COUNT)
    world.lines((10, "a", 1))
    world.keeper.catch_up()
    shutil.rmtree(world.table.root)
    world.restart()
    assert values(world.ask(COUNT, first=60, last=60)) == {("host=a",): {60: 1}}
    world.keeper.catch_up()
    found = world.ask(COUNT, first=60, last=60)
    assert (values(found), found.stats.rows) == ({("host=a",): {60: 1}}, 0)


def test_a_metric_that_is_gone_leaves_no_mark(world: World) -> None:
    world.metric("hits", COUNT)
    world.keeper.catch_up()
    world.definitions.delete("hits")
    world.keeper.catch_up()
    assert world.table.snapshot().marks.views == {}


def test_a_metric_of_too_many_label_sets_is_read_from_lines(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ROLLUP_SETS", 1)
    world.metric("hits", COUNT)
    world.keeper.catch_up()
    world.lines((10, "a", 1), (20, "b", 1))
    world.keeper.catch_up()
    assert "label sets" in world.table.snapshot().marks.views[key(world, "hits")].error
    assert values(world.ask(COUNT, first=60, last=60)) == {("host=a",): {60: 1}, ("host=b",): {60: 1}}
