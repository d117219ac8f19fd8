"""The tree of routes: to which of them an alert goes, and in which group of each. Pure.

Comes in: the settings of the tree, and label sets. Goes out: `Route`s with everything they inherited, and the labels
that make a group. Of the routes beside each other the first that an alert fits takes it, unless it says `continue`;
a route with routes below it takes what none of them does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.alerts.notify.matchers import all_match, matchers_text
from tailrace.alerts.notify.settings import ALL, GROUP_INTERVAL_NS, GROUP_WAIT_NS, REPEAT_INTERVAL_NS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tailrace.alerts.notify.matchers import Matcher
    from tailrace.alerts.notify.settings import RouteSettings


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `key` says which: the tests on the way to it; of those that ask for the same the second ends in /1."""

    key: str
    receiver: str
    tests: tuple[Matcher, ...]
    group_by: tuple[str, ...]
    group_wait_ns: int
    group_interval_ns: int
    repeat_interval_ns: int
    mute: tuple[str, ...]
    active: tuple[str, ...]
    goes_on: bool
    below: tuple[Route, ...]

    def group_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Return the labels of an alert that say to which group of this route it belongs."""
        if ALL in self.group_by:
            return dict(labels)
        return {name: labels[name] for name in sorted(self.group_by) if labels.get(name)}

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels that the route itself asks for with `=`."""
        return {test.name: test.value for test in self.tests if test.op == "="}


def tree(settings: RouteSettings) -> Route:
    """Return the routes that settings mean."""
    start = Route("{}", "", (), (), GROUP_WAIT_NS, GROUP_INTERVAL_NS, REPEAT_INTERVAL_NS, (), (), False, ())
    return _route(settings, start, "{}")


def beside(settings: RouteSettings, root: Route, name: str) -> Route:
    """Return routes that stand beside a tree, and inherit from its root what they do not say."""
    return _route(settings, root, f"{{}}+{name}/{matchers_text(settings.tests)}")


def _route(settings: RouteSettings, above: Route, key: str) -> Route:
    own = Route(
        key=key,
        receiver=settings.receiver or above.receiver,
        tests=settings.tests,
        group_by=settings.group_by or above.group_by,
        group_wait_ns=_given(settings.group_wait_ns, above.group_wait_ns),
        group_interval_ns=_given(settings.group_interval_ns, above.group_interval_ns),
        repeat_interval_ns=_given(settings.repeat_interval_ns, above.repeat_interval_ns),
        mute=settings.mute_time_intervals,
        active=settings.active_time_intervals,
        goes_on=settings.continue_,
        below=(),
    )
    below, taken = list[Route](), dict[str, int]()
    for child in settings.routes:
        name = f"{key}/{matchers_text(child.tests)}"
        before = taken[name] = taken.get(name, -1) + 1
        below.append(_route(child, own, f"{name}/{before}" if before else name))
    return Route(**{**{name: getattr(own, name) for name in Route.__slots__}, "below": tuple(below)})


def _given(value: int | None, above: int) -> int:
    return above if value is None else value


def taking(route: Route, labels: Mapping[str, str]) -> tuple[Route, ...]:
    """Return the routes that take an alert, in the order of the tree."""
    if not all_match(route.tests, labels):
        return ()
    found = list[Route]()
    for child in route.below:
        taken = taking(child, labels)
        found += taken
        if taken and not child.goes_on:
            break
    return tuple(found) or (route,)


def every(route: Route) -> Iterator[Route]:
    """Yield a route and all below it."""
    yield route
    for child in route.below:
        yield from every(child)
