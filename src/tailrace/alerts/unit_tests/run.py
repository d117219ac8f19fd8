"""Run rule tests: move the clock of a test's world from tick to tick, and compare what is with what is expected.

Comes in: a `Suite`. Goes out: one `Result` per test, with all of its failures. A test cannot stop the others.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tailrace.alerts.unit_tests.checks import Check
from tailrace.alerts.unit_tests.world import World
from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tailrace.alerts.unit_tests.checks import Expectation, Failure
    from tailrace.alerts.unit_tests.files import Suite
    from tailrace.alerts.unit_tests.settings import RuleTest

_DAY_NS: Final = 86_400 * NS_PER_S
_EXACT: Final = 1e-12
_FUZZY: Final = 1e-6


@dataclass(slots=True)
class Result:
    """How one test ended."""

    name: str
    checks: int
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0


def run(suite: Suite, wanted: Callable[[str], bool] = lambda _name: True) -> Iterator[Result]:
    """Run the tests whose name is wanted."""
    for number, test in enumerate(suite.tests.tests):
        name = test.name or f"test {number + 1}"
        if not wanted(name):
            continue
        began = time.perf_counter()
        checks = len(test.alert_rule_test) + len(test.notice_test) + len(test.queries)
        result = Result(name, checks)
        with tempfile.TemporaryDirectory(prefix="tailrace-rules-") as folder:
            interval_ns = test.interval_ns or suite.tests.evaluation_interval_ns
            world = World(Path(folder), suite.groups, test, interval_ns)
            try:
                result.failures = _played(world, suite, test)
            finally:
                world.close()
        result.seconds = time.perf_counter() - began
        yield result


def _played(world: World, suite: Suite, test: RuleTest) -> list[Failure]:
    """Play a test to its last check, and return what failed, in order of time."""
    check = Check(world, test, _FUZZY if suite.tests.fuzzy_compare else _EXACT)
    wanted: dict[int, list[Expectation]] = {}
    every: tuple[Expectation, ...] = (*test.alert_rule_test, *test.notice_test, *test.queries)
    for each in every:
        wanted.setdefault(each.eval_time_ns, []).append(each)
    failures: list[Failure] = []
    for now_ns in _steps(world, test, wanted):
        world.go_to(now_ns)
        found = [check(each) for each in wanted.get(now_ns - test.start_ns, ())]
        failures += [failure for failure in found if failure is not None]
    return failures


def _steps(world: World, test: RuleTest, checks: Iterable[int]) -> list[int]:
    """Return the times to go to: every tick while something may come late or go wrong, then only those of checks.

    Ticks between them are made up for, in order, as after a pause; nothing is known then that was not before.
    """
    last_ns = test.start_ns + max(checks, default=0)
    intervals = {group.interval_ns for group in world.groups}
    until_ns = min(world.quiet_ns + max(intervals, default=0), last_ns)
    ticks = {at_ns for each in intervals for at_ns in range(-(-test.start_ns // each) * each, until_ns + 1, each)}
    days = range(test.start_ns, last_ns, _DAY_NS)
    return sorted({*ticks, *days, *(test.start_ns + each for each in checks)})
