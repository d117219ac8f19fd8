"""Rollups answer as the lines do, and say that they did."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from rollups.world import values
from tailrace.errors import QueryError
from tailrace.limits import LABEL_SETS, ROLLUP_VALUES
from tailrace.rollups import reading, sketches, states
from tailrace.rollups.reading import Rollups

if TYPE_CHECKING:
    from rollups.world import World

COUNT = 'sum by (host) (count_over_time({host=~".+"}[2m]))'


def test_a_count_is_answered_from_buckets(world: World) -> None:
    world.metric("hits", COUNT)
    world.lines((0, "a", 1), (60, "a", 1), (60.5, "b", 1), (90, "a", 1))
    world.keeper.round()
    found = world.ask(COUNT, first=0, last=180)
    assert found.stats.buckets == 4
    assert found.stats.rows == 0
    assert values(found) == {
        ("host=a",): {0: 1, 60: 2, 120: 2, 180: 1},
        ("host=b",): {120: 1, 180: 1},
    }
    assert values(world.ask(COUNT, first=0, last=180, kept=False)) == values(found)


FUNCTIONS = [
    'rate({host=~".+"}[2m])',
    'bytes_over_time({host=~".+"}[2m])',
    'sum(bytes_rate({host=~".+"}[2m]))',
    'count_over_time({host="a"} |= "line" [3m])',
    'absent_over_time({host="b"}[1m])',
    *[f'{function}({{host=~".+"}} | unwrap took [2m])' for function in ("sum_over_time", "rate", "rate_counter")],
    *[
        f'{function}{{host=~".+"}} | unwrap took [2m]) by (host)'
        for function in (
            "avg_over_time(",
            "min_over_time(",
            "max_over_time(",
            "first_over_time(",
            "last_over_time(",
            "stddev_over_time(",
            "stdvar_over_time(",
            "quantile_over_time(0.75, ",
        )
    ],
    'topk(1, sum by (host) (rate({host=~".+"}[1m])))',
    'sum(rate({host=~".+"}[2m])) / sum(count_over_time({host=~".+"}[1m] offset 1m))',
]


@pytest.mark.parametrize("expr", FUNCTIONS)
def test_every_function_is_answered_as_from_lines(world: World, expr: str) -> None:
    world.metric("asked", expr)
    world.lines((0, "a", 3.5), (60, "a", 1), (60.5, "b", -0.25), (90, "a", 100))
    world.keeper.round()
    world.lines((91, "a", 7), (119, "b", 2), (120, "a", 5), (121, "b", 4))
    world.keeper.round()
    world.lines((150, "a", 9), (200, "b", 1))  # not taken
    for step, last in ((60, 240), (None, 180)):
        found = world.ask(expr, first=0, last=last, step=step)
        want = values(world.ask(expr, first=0, last=last, step=step, kept=False))
        assert found.stats.buckets > 0
        got = values(found)
        assert got.keys() == want.keys()
        for labels, points in want.items():
            assert got[labels] == pytest.approx(points, rel=1e-12), labels


def test_a_late_line_counts_at_the_next_question_and_after_the_next_taking(world: World) -> None:
    world.metric("hits", COUNT)
    world.lines((10, "a", 1), (300, "a", 1))
    world.keeper.round()
    world.lines((20, "a", 1))
    want = {("host=a",): {60: 2, 120: 2}}
    assert values(world.ask(COUNT, first=60, last=120)) == want
    world.keeper.round()
    found = world.ask(COUNT, first=60, last=120)
    assert (values(found), found.stats.rows) == (want, 0)


def test_deleted_lines_leave_at_once(world: World) -> None:
    world.metric("hits", COUNT)
    world.lines((10, "a", 1), (20, "b", 1), (70, "a", 1))
    world.keeper.round()
    assert world.delete("a", 5, 15) == 1
    want = {("host=a",): {120: 1}, ("host=b",): {60: 1, 120: 1}}
    assert values(world.ask(COUNT, first=60, last=120)) == want
    world.keeper.round()
    found = world.ask(COUNT, first=60, last=120)
    assert (values(found), found.stats.rows) == (want, 0)


def test_one_window_that_begins_within_a_bucket_reads_its_edges(world: World) -> None:
    world.metric("hits", COUNT)
    world.lines(*((at, "a", 1) for at in range(0, 300, 7)))
    world.keeper.round()
    expr = 'sum by (host) (count_over_time({host=~".+"}[4m]))'
    found = world.ask(expr, first=271, last=271, step=None)
    assert found.stats.buckets == 3
    assert found.stats.rows > 0
    assert values(found) == {("host=a",): {271: len([at for at in range(0, 300, 7) if 31 < at <= 271])}}


def test_what_buckets_do_not_fit_is_read_from_lines(world: World) -> None:
    world.metric("hits", COUNT)
    world.lines((10, "a", 1))
    world.keeper.round()
    for expr, first, step in (
        ('sum by (host) (count_over_time({host=~".+"}[90s]))', 60, 60),
        (COUNT, 60, 90),
        (COUNT, 61, 60),
        ('sum by (host) (count_over_time({host="a"}[2m]))', 60, 60),
        ('sum by (filename) (count_over_time({host=~".+"}[2m]))', 60, 60),
    ):
        assert world.ask(expr, first=first, last=240, step=step).stats.buckets == 0


def test_fewer_labels_are_answered_from_more(world: World) -> None:
    world.metric("hits", COUNT)
    world.lines((10, "a", 1), (20, "b", 1))
    world.keeper.round()
    found = world.ask('sum(count_over_time({host=~".+"}[1m]))', first=60, last=60)
    assert (values(found), found.stats.rows) == ({(): {60: 2}}, 0)


MEDIAN = 'quantile_over_time(0.5, {host="a"} | unwrap took [1m])'


def test_a_sketch_is_asked_only_where_it_is_welcome_or_the_lines_are_gone(world: World) -> None:
    world.metric("median", MEDIAN)
    many = ROLLUP_VALUES + 1
    world.lines(*((1 + 58 * number / many, "a", float(number)) for number in range(many)))
    world.keeper.round()
    exact = (many - 1) / 2
    found = world.ask(MEDIAN, first=60, last=60)
    assert (values(found), found.stats.buckets, found.warnings) == ({("host=a",): {60: exact}}, 0, ())
    rough = Rollups(world.table, world.logs, world.definitions, world.clock, rough=True)
    for kept, retired in ((rough, 0), (world.kept, 1)):
        world.retire(retired)
        world.keeper.round()
        world.kept = kept
        found = world.ask(MEDIAN, first=60, last=60)
        assert values(found)["host=a",][60] == pytest.approx(exact, rel=states.ERROR)
        assert found.complete
        assert found.warnings == ("quantiles are of a sketch, whose values are 0.5% off at most",)


def test_rollups_that_nobody_keeps_are_not_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ROLLUP_BEHIND", 2)
    world.metric("hits", COUNT)
    world.lines((9, "a", 1))
    world.keeper.round()
    for turn, buckets in enumerate((1, 1, 1, 0)):
        found = world.ask(COUNT, first=60, last=60)
        assert (values(found), found.stats.buckets) == ({("host=a",): {60: 1 + turn}}, buckets)
        world.lines((10 + turn, "a", 1))


DISTINCT = 'count(sum by (took) (count_over_time({host=~".+"} | took!="" [1m])))'


def test_different_values_are_counted_under_each_set_of_the_other_labels(world: World) -> None:
    by_host = 'count by (host) (sum by (host, took) (count_over_time({host=~".+"} | took!="" [2m])))'
    world.metric("different", by_host)
    world.lines((10, "a", 1), (20, "a", 1), (30, "a", 2), (70, "a", 2), (70, "a", 3), (80, "b", 1), (90, "b", None))
    world.keeper.round()
    wanted = {("host=a",): {60: 2.0, 120: 3.0}, ("host=b",): {120: 1.0}}
    found = world.ask(by_host, first=60, last=120)
    assert (values(found), found.stats.rows) == (wanted, 0)
    over_all = world.ask(by_host.replace("by (host) ", "").replace("host, ", ""), first=120, last=120)
    assert values(over_all) == {(): {120: 3.0}}
    world.lines((100, "b", 9))  # nobody has taken this one
    assert values(world.ask(by_host, first=120, last=120)) == {("host=a",): {120: 3.0}, ("host=b",): {120: 2.0}}


def test_very_many_different_values_are_counted_by_a_sketch(world: World) -> None:
    """More than a query of lines may hold, so nothing else could say how many."""
    world.metric("different", DISTINCT)
    many = LABEL_SETS + 20_000
    world.lines(*((1 + 58 * number / many, "a", float(number)) for number in range(many)))
    world.keeper.round()
    with pytest.raises(QueryError, match="series"):
        world.ask(DISTINCT, first=60, last=60)
    world.kept = Rollups(world.table, world.logs, world.definitions, world.clock, rough=True)
    found = world.ask(DISTINCT, first=60, last=60)
    assert values(found)[()][60] == pytest.approx(many, rel=3 * sketches.ERROR)
    assert found.stats.rows == 0
    assert found.warnings == ("different values are counted by a sketch, which is 1.6% off as a rule",)


@pytest.mark.parametrize(("name", "expr"), [("median", MEDIAN), ("different", DISTINCT)])
def test_many_values_of_several_buckets_and_of_lines_are_exact(world: World, name: str, expr: str) -> None:
    """No bucket has so many that a sketch stands for them, and neither do new lines."""
    world.metric(name, expr)
    wide, many = expr.replace("1m", "3m"), ROLLUP_VALUES - 1
    for minute in range(3):
        first = minute * many
        world.lines(*((60 * minute + 1 + 58 * at / many, "a", float(first + at)) for at in range(many)))
        if minute < 2:
            world.keeper.round()
    found, lines = (world.ask(wide, first=180, last=180, kept=kept) for kept in (True, False))
    assert found.stats.buckets > 0
    assert (values(found), found.warnings) == (values(lines), ())


def test_a_damaged_file_leaves_queries_their_lines(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.metric("hits", COUNT)
    world.lines((9, "a", 1))
    world.keeper.round()
    (file,) = (world.data / "rollups").glob("part=tail/*.parquet")
    file.write_bytes(file.read_bytes()[:50])
    for _ in range(2):
        found = world.ask(COUNT, first=60, last=60)
        assert (values(found), found.stats.buckets) == ({("host=a",): {60: 1}}, 0)
    assert [record.getMessage().partition("/rollups: ")[2][:26] for record in caplog.records] == [
        "a file cannot be read: par"
    ]


def test_a_table_that_was_removed_is_made_anew(world: World) -> None:
    world.metric("hits", COUNT)
    world.lines((9, "a", 1))
    world.keeper.round()
    shutil.rmtree(world.data / "rollups")
    assert values(world.ask(COUNT, first=60, last=60)) == {("host=a",): {60: 1}}
    world.keeper.round()
    found = world.ask(COUNT, first=60, last=60)
    assert (values(found), found.stats.rows) == ({("host=a",): {60: 1}}, 0)
