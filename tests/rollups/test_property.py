"""Whatever happens to lines and to the keeper: rollups say what the lines say, to the last bit."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rollups.world import World, values
from tailrace.files import Files

if TYPE_CHECKING:
    from collections.abc import Callable

METRICS = {
    "count": 'sum by (host) (count_over_time({host=~".+"}[2m]))',
    "sum": 'sum_over_time({host=~".+"} | unwrap took [1m])',
    "most": 'max_over_time({host=~".+"} | unwrap took [2m]) by (host)',
    "last": 'last_over_time({host=~".+"} | unwrap took [1m]) by (host)',
    "counter": 'rate_counter({host=~".+"} | unwrap took [2m])',
    "distinct": 'count by (host) (sum by (host, took) (count_over_time({host=~".+"} | took!="" [2m])))',
    "median": 'quantile_over_time(0.5, {host=~".+"} | unwrap took [2m]) by (host)',
}
LAST = 240

hosts = st.sampled_from("ab")
places = st.integers(0, LAST * 4).map(lambda quarter: quarter / 4)
rows = st.tuples(places, hosts, st.one_of(st.none(), st.integers(-8, 8).map(float)))
some = st.tuples(st.just("lines"), st.lists(rows, min_size=2, max_size=6))
actions = st.one_of(
    some,
    st.tuples(st.just("delete"), hosts, places, places),
    st.sampled_from([("compact",), ("round",), ("round",), ("restart",), ("metric",)]),
    st.tuples(st.just("kill"), st.sampled_from(["write rollups", "commit"]), st.booleans(), st.integers(0, 2)),
)


class KilledError(BaseException):
    """The process is gone."""


class Mortal(Files):
    """Dies at the n-th operation of a kind, before or after it is done; then nothing is done any more."""

    def __init__(self, kind: str, *, after: bool, count: int) -> None:
        super().__init__()
        self.kind, self.after, self.count = kind, after, count
        self.dead = False

    def run(self, what: str, action: Callable[[], object]) -> object:  # type: ignore[override]
        if self.dead:
            raise KilledError
        if what != self.kind or self.count:
            self.count -= what == self.kind
            return super().run(what, action)
        self.dead = True
        if self.after:
            super().run(what, action)
        raise KilledError

    def unlink(self, path: Path) -> None:
        if not self.dead:
            super().unlink(path)


def act(world: World, action: tuple) -> None:
    match action:
        case ("lines", found):
            world.lines(*((at, host, value) for at, host, value in found))
        case ("delete", host, first, last):
            world.delete(host, min(first, last), max(first, last))
        case ("compact",):
            world.compact()
        case ("round",):
            world.keeper.round()
        case ("restart",):
            world.restart()
        case ("metric",):
            for name, expr in METRICS.items():
                world.definitions.delete(name)
                world.metric(name, expr)
        case ("kill", kind, after, count):
            world.restart(Mortal(kind, after=after, count=count))
            with contextlib.suppress(KilledError):
                world.keeper.round()
            world.restart()


def check(world: World, *, rest: bool = False) -> None:
    for name, expr in METRICS.items():
        found = world.ask(expr, first=0, last=LAST)
        lines = world.ask(expr, first=0, last=LAST, kept=False)
        assert found.labels == lines.labels, name
        assert found.frame.equals(lines.frame), name  # which takes NaN as equal to itself
        if rest:
            assert found.stats.rows == 0, name


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(some, st.lists(actions, min_size=2, max_size=12))
def test_rollups_say_what_the_lines_say(first: tuple, found: list[tuple]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            for action in (("metric",), first, ("round",), *found):
                act(world, action)
                if action[0] != "lines":
                    check(world)
            check(world)
            world.keeper.round()
            check(world, rest=True)
        finally:
            world.close()


@dataclass
class Line:
    at: float
    host: str
    value: float | None
    retired: bool = False


class Oracle:
    """Lines that count: all but those that were deleted on request while they were there."""

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}

    def act(self, world: World, action: tuple) -> None:
        match action:
            case ("lines", found):
                self.lines |= {world.offset + number: Line(*row) for number, row in enumerate(found)}
            case ("delete", host, one, other):
                first, last = min(one, other), max(one, other)
                doomed = [
                    number
                    for number, line in self.lines.items()
                    if line.host == host and first <= line.at < last and not line.retired
                ]
                for number in doomed:
                    del self.lines[number]

    def windows(self, range_s: int) -> dict[tuple[str, ...], dict[int, list[float]]]:
        """Return the values of the lines of each window by host, 0 for a line without one."""
        found: dict[tuple[str, ...], dict[int, list[float]]] = {}
        for at in range(0, LAST + 1, 60):
            for line in self.lines.values():
                if at - range_s < line.at <= at:
                    found.setdefault((f"host={line.host}",), {}).setdefault(at, []).append(line.value or 0.0)
        return found


retiring = st.one_of(actions, st.tuples(st.just("retire"), st.integers(1, 2)))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(some, st.lists(retiring, min_size=2, max_size=12).filter(lambda found: ("metric",) not in found))
def test_rollups_outlive_their_lines_but_not_those_that_were_deleted(first: tuple, found: list[tuple]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world, oracle = World(Path(folder)), Oracle()
        try:
            act(world, ("metric",))
            for action in (first, ("round",), *found):
                oracle.act(world, action)
                if action[0] == "retire":
                    for number in world.retire(action[1]):
                        oracle.lines[number].retired = True
                else:
                    act(world, action)
            world.keeper.round()
            counts = {
                labels: {at: float(len(numbers)) for at, numbers in points.items()}
                for labels, points in oracle.windows(120).items()
            }
            assert values(world.ask(METRICS["count"], first=0, last=LAST)) == counts
        finally:
            world.close()
