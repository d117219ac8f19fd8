"""Settings of telling: the tree of routes, receivers, inhibitions and time intervals, named as in Alertmanager's file.

Comes in: keys below `alerts`. Goes out: models whose names fit each other. Refuses, all at once and each at its place:
a route to a receiver that is not there, an unknown time interval, labels that are grouped by twice, tests that
cannot be read, and a first route that asks for labels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from tailrace.alerts.durations import Span
from tailrace.alerts.notify.matchers import Matcher, matcher, matchers
from tailrace.alerts.notify.receivers import Receiver, receiver_problems
from tailrace.alerts.notify.time_intervals import TimeInterval  # noqa: TC001  pydantic reads it at run time
from tailrace.clock import NS_PER_S
from tailrace.errors import ConfigError, DataError, did_you_mean
from tailrace.query.literals import write_duration
from tailrace.settings import Mistake, Mistakes, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

GROUP_WAIT_NS: Final = 30 * NS_PER_S
GROUP_INTERVAL_NS: Final = 5 * 60 * NS_PER_S
REPEAT_INTERVAL_NS: Final = 4 * 3600 * NS_PER_S

ALL: Final = "..."
"""In `group_by`: every label, so that each alert is a group of its own."""


def _tests(value: object) -> object:
    if not isinstance(value, list | tuple):
        raise Mistake(f"expected a list, got {value!r}", """write ['severity="page"']""")
    if all(isinstance(one, Matcher) for one in value):
        return tuple(value)
    found, mistakes = list[Matcher](), list[Mistake]()
    for index, text in enumerate(value):
        try:
            found += matchers(text) if isinstance(text, str) else _no_text(text)
        except DataError as error:
            mistakes.append(Mistake(str(error), "", (index,)))
    if mistakes:
        raise Mistakes(mistakes)
    return tuple(found)


def _no_text(value: object) -> tuple[Matcher, ...]:
    raise DataError(f"{value!r} is no text: quote it")


def _old_tests(op: str) -> BeforeValidator:
    def read(value: object) -> object:
        if not isinstance(value, dict):
            return value
        found, mistakes = list[Matcher](), list[Mistake]()
        for name, text in value.items():
            try:
                found.append(matcher(name, op, str(text)))
            except DataError as error:
                mistakes.append(Mistake(str(error), "", (name,)))
        if mistakes:
            raise Mistakes(mistakes)
        return tuple(found)

    return BeforeValidator(read)


def _shown(tests: Sequence[Matcher]) -> list[str]:
    return [str(test) for test in tests]


def _shown_old(tests: Sequence[Matcher]) -> dict[str, str]:
    return {test.name: test.value for test in tests}


def _span_text(span_ns: int | None) -> str | None:
    return None if span_ns is None else write_duration(span_ns)


_LIST: Final = WithJsonSchema({"type": "array", "items": {"type": "string"}, "examples": [['severity="page"']]})
_MAPPING: Final = WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}})
Tests = Annotated[tuple[Matcher, ...], BeforeValidator(_tests), PlainSerializer(_shown), _LIST]
"""Tests of labels, all of which must pass."""
Equals = Annotated[tuple[Matcher, ...], _old_tests("="), PlainSerializer(_shown_old), _MAPPING]
Regexes = Annotated[tuple[Matcher, ...], _old_tests("=~"), PlainSerializer(_shown_old), _MAPPING]
Duration = Annotated[Span | None, PlainSerializer(_span_text), WithJsonSchema({"type": "string", "examples": ["5m"]})]

_READ: Final = ConfigDict(  # a span is read from text, and a default is read already
    validate_default=False, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
)


class RouteSettings(Settings):
    """Which alerts go to whom, and in which groups and rhythm; what is not given is as in the route above it."""

    model_config = _READ

    receiver: str = ""
    """Name of the receiver; as in the route above if it is not given."""
    matchers: Tests = ()
    """Tests of labels that an alert must pass to come here, as `severity="page"` or `host=~"web.*"`."""
    match: Equals = ()
    """The same in the older form: label to value."""
    match_re: Regexes = ()
    """The same in the older form: label to regular expression."""
    continue_: bool = Field(default=False, alias="continue")
    """Whether an alert that came here goes on to the next route beside this one, too."""
    group_by: tuple[str, ...] | None = None
    """Labels whose values make a group, which is told in one message; `...` for each alert on its own."""
    group_wait_ns: Duration = Field(default=None, alias="group_wait")
    """How long a new group waits for more alerts before it is told; 30s at first."""
    group_interval_ns: Duration = Field(default=None, alias="group_interval")
    """How long a group that was told waits before news of it are told; 5m at first."""
    repeat_interval_ns: Duration = Field(default=None, alias="repeat_interval")
    """After how long a group without news is told again; a multiple of group_interval, 4h at first."""
    mute_time_intervals: tuple[str, ...] = ()
    """Names of time intervals in which nothing is told."""
    active_time_intervals: tuple[str, ...] = ()
    """Names of time intervals outside of which nothing is told."""
    routes: tuple[RouteSettings, ...] = ()
    """Routes below this one: the first that an alert fits takes it."""

    @property
    def tests(self) -> tuple[Matcher, ...]:
        """All tests, in whichever form they were written."""
        return (*self.matchers, *self.match, *self.match_re)

    @field_validator("group_by")
    @classmethod
    def _labels(cls, labels: tuple[str, ...] | None) -> tuple[str, ...] | None:
        labels, mistakes = labels or None, list[Mistake]()
        if labels and ALL in labels and len(labels) > 1:
            mistakes.append(Mistake(f"{ALL!r} is every label already", "leave the others out"))
        for index, label in enumerate(labels or ()):
            if not label:
                mistakes.append(Mistake("the name of a label must not be empty", "", (index,)))
            elif label in (labels or ())[:index]:
                mistakes.append(Mistake(f"{label!r} is given twice", "once is enough", (index,)))
        if mistakes:
            raise Mistakes(mistakes)
        return labels

    @field_validator("group_interval_ns", "repeat_interval_ns")
    @classmethod
    def _some(cls, value: int | None) -> int | None:
        if value == 0:
            raise Mistake("this must be longer than 0", "as in 5m")
        return value


class InhibitSettings(Settings):
    """Alerts that are not told while others fire."""

    model_config = _READ

    name: str = ""
    """What people call it."""
    source_matchers: Tests = ()
    """Tests of the alerts that silence others."""
    source_match: Equals = ()
    """The same in the older form."""
    source_match_re: Regexes = ()
    """The same in the older form, with regular expressions."""
    target_matchers: Tests = ()
    """Tests of the alerts that are silenced."""
    target_match: Equals = ()
    """The same in the older form."""
    target_match_re: Regexes = ()
    """The same in the older form, with regular expressions."""
    equal: tuple[str, ...] = ()
    """Labels that must have the same values in both."""

    @property
    def sources(self) -> tuple[Matcher, ...]:
        """All tests of the alerts that silence."""
        return (*self.source_matchers, *self.source_match, *self.source_match_re)

    @property
    def targets(self) -> tuple[Matcher, ...]:
        """All tests of the alerts that are silenced."""
        return (*self.target_matchers, *self.target_match, *self.target_match_re)


class NotifySettings(Settings):
    """Who is told of alerts, and how."""

    alertmanager_file: Path | None = None
    """An `alertmanager.yml` that says all of this; the keys `route`, `receivers`, `inhibit_rules` and `time_intervals`
    are not given then. It is read at the start; a relative path starts where Tailrace is started."""
    route: RouteSettings = RouteSettings()
    """The first route takes every alert; those below it take what they ask for."""
    receivers: tuple[Receiver, ...] = ()
    """Who can be told."""
    silent_receivers: tuple[str, ...] = ()
    """Names of receivers that tell nobody: what routes send there is shown, and told to no one."""
    inhibit_rules: tuple[InhibitSettings, ...] = ()
    """Alerts that are not told while others fire."""
    time_intervals: tuple[TimeInterval, ...] = ()
    """Times that routes refer to."""
    resolve_timeout_s: float = Field(default=300.0, gt=0)
    """An alert from elsewhere that says no end is over when it was not sent again for so long."""

    @model_validator(mode="before")
    @classmethod
    def _intervals(cls, value: Any) -> Any:  # whatever a file says
        """Take `mute_time_intervals`, the older name of `time_intervals`, and a whole `alertmanager.yml`, too."""
        if isinstance(value, dict) and value.get("alertmanager_file") is not None:
            return _of_file(value)
        if isinstance(value, dict) and isinstance(value.get("mute_time_intervals"), list):
            value = dict(value)
            value["time_intervals"] = [*(value.get("time_intervals") or ()), *value.pop("mute_time_intervals")]
        return value

    @model_validator(mode="after")
    def _fits(self, found: ValidationInfo) -> Self:
        several = self.alertmanager_file is not None or (found.context or {}).get("several")
        taken = [] if several else receiver_problems(self.receivers)  # there a receiver may have one way several times
        mistakes = [Mistake(str(one), one.hint, ("receivers", *one.below)) for one in taken]
        mistakes += self._root()
        names = [*(one.name for one in self.receivers), *self.silent_receivers]
        mistakes += unknown_names(self.route, names, [one.name for one in self.time_intervals])
        if mistakes:
            raise Mistakes(mistakes)
        return self

    def _root(self) -> Iterator[Mistake]:
        root = self.route
        if self.receivers and not root.receiver:
            yield Mistake("no receiver takes what no other route takes", "give it a `receiver`", ("route",))
        if root.tests:
            yield Mistake("the first route takes every alert", "ask for labels in a route below it", ("route",))
        if root.mute_time_intervals or root.active_time_intervals:
            yield Mistake("the first route is always active", "name intervals in a route below it", ("route",))


_OF_FILE: Final = ("route", "receivers", "silent_receivers", "inhibit_rules", "time_intervals", "resolve_timeout_s")


def _of_file(value: dict[str, Any]) -> dict[str, Any]:  # whatever a file says
    """Return the keys of settings with those that an `alertmanager.yml` says."""
    from tailrace.alerts.notify.alertmanager_file import load_alertmanager

    path, twice = value["alertmanager_file"], [key for key in _OF_FILE if key in value]
    if not isinstance(path, str | Path):
        raise Mistake(f"expected a path, got {path!r}", "", ("alertmanager_file",))
    if twice:
        raise Mistake("the file given as `alertmanager_file` says this", "keep one of them", (twice[0],))
    try:
        read = load_alertmanager(Path(path).expanduser())
    except ConfigError as error:
        below = ("alertmanager_file",)
        raise Mistakes([Mistake(one.one_line(error.file), below=below) for one in error.problems]) from None
    return {**value, **{key: getattr(read, key) for key in _OF_FILE}}


def unknown_names(route: RouteSettings, receivers: Sequence[str], intervals: Sequence[str]) -> Iterator[Mistake]:
    """Yield what is wrong with a tree of routes that names receivers and intervals which are not there."""
    for trail, one in walk(route, ("route",)):
        if one.receiver and one.receiver not in receivers:
            hint = did_you_mean(one.receiver, receivers) or f"known: {', '.join(receivers) or 'none'}"
            yield Mistake(f"there is no receiver {one.receiver!r}", hint, (*trail, "receiver"))
        for key in ("mute_time_intervals", "active_time_intervals"):
            for index, name in enumerate(getattr(one, key)):
                if name not in intervals:
                    hint = did_you_mean(name, intervals) or f"known: {', '.join(intervals) or 'none'}"
                    yield Mistake(f"there is no time interval {name!r}", hint, (*trail, key, index))


def walk(
    route: RouteSettings, trail: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], RouteSettings]]:
    """Yield every route of a tree with the way to it."""
    yield trail, route
    for index, below in enumerate(route.routes):
        yield from walk(below, (*trail, "routes", index))
