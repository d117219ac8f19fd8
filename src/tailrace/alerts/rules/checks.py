"""Check rules for what is no mistake of grammar but no good idea either: they never fire, look away, or say nothing.

Comes in: groups that were read, and the streams of the last days if a table is at hand. Goes out: doubts, each with its
place and what to do. Nothing is refused here: what cannot be evaluated at all is refused when a rule is read.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.alerts.evaluate.contracts import Answers
from tailrace.alerts.evaluate.verdict import Answer
from tailrace.alerts.rules.expressions import expression
from tailrace.alerts.rules.result_labels import result_labels
from tailrace.alerts.rules.template_functions import Texts
from tailrace.alerts.rules.templates import Templates
from tailrace.batch import sanitize_name, stream_labels
from tailrace.clock import NS_PER_S, SystemClock
from tailrace.config.trail import Trail, trail_text
from tailrace.errors import Problem, QueryError, did_you_mean
from tailrace.query.functions import ABSENT
from tailrace.query.literals import write_duration
from tailrace.query.load import VIRTUAL
from tailrace.query.parser import parse
from tailrace.query.stages.label_filter import Comparison, Inside, LabelFilter
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.streams import select
from tailrace.query.syntax import Binary, Grouping, LabelReplace, Matcher, Named, RangeAggregation
from tailrace.query.template_values import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tailrace.alerts.model import Group, Rule
    from tailrace.contracts import Table
    from tailrace.query.syntax import Query, Selector
    from tailrace.query.template_values import Value

DAYS: Final = 7
"""Days that a selector is looked for in."""

_MAKING: Final = ("json", "logfmt", "pattern", "regexp", "unpack", "label_format")
"""Stages that make labels, of which nobody knows before."""

_REPEATS: Final = 100  # of a part of a regex, from which on it is slow


@dataclass(frozen=True)
class Seen:
    """The streams of the last days, and the fields that lines may have."""

    streams: tuple[str, ...]
    fields: tuple[str, ...] = ()

    @cached_property
    def values(self) -> dict[str, set[str]]:
        """The values of each label."""
        found: dict[str, set[str]] = {}
        for stream in self.streams:
            for name, value in stream_labels(stream).items():
                found.setdefault(name, set()).add(value)
        return found

    def has(self, selector: Selector) -> bool:
        """Tell whether a stream is what a selector says; each selector is looked for once."""
        if selector not in self._found:
            self._found[selector] = select(self.streams, selector).height > 0
        return self._found[selector]

    @cached_property
    def _found(self) -> dict[Selector, bool]:
        return {}


def seen(table: Table, now_ns: int) -> Seen:
    """Return the streams that had lines in the last days; the first call reads two columns of each file."""
    snapshot, since_ns = table.snapshot(), now_ns - DAYS * 86_400 * NS_PER_S
    streams = snapshot.segments(since_ns, now_ns + 1).streams().filter(pl.col("max_time_ns") >= since_ns)
    fields = {sanitize_name(name) for name in snapshot.columns if not name.startswith("_")}
    return Seen(tuple(streams["_stream"].unique().sort()), tuple(sorted(fields)))


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something about a rule that is not as it was meant, probably."""

    trail: Trail  # of the value, below the rule or the file
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return str(self.problem())

    def problem(self, place: tuple[int, int] | None = None) -> Problem:
        """Return it with its path, and its line and column if they are known."""
        return Problem(trail_text(self.trail), self.what, self.hint, *(place or (None, None)))


def check_groups(groups: Sequence[Group], streams: Seen | None = None) -> list[Doubt]:
    """Return the doubts about the groups of one file; their trails are those of the file."""
    found: list[Doubt] = []
    for number, group in enumerate(groups):
        twice = Counter(map(_same, group.rules))
        for place, rule in enumerate(group.rules):
            doubts = check_rule(rule, group, streams)
            if twice[_same(rule)] > 1:
                doubts.append(Doubt(("expr",), f"{rule.name!r} is there more than once, with the same labels"))
            found += [replace(doubt, trail=("groups", number, "rules", place, *doubt.trail)) for doubt in doubts]
    return found


def check_rule(rule: Rule, group: Group, streams: Seen | None = None) -> list[Doubt]:
    """Return the doubts about one rule; their trails begin below the rule."""
    query = parse(rule.expr, names=True)
    return [
        *_windows(rule, group, query),
        *_condition(rule, query),
        *(_unknown(rule, query, streams) if streams is not None and streams.streams else ()),
        *(_misspelt(query, streams) if streams is not None and streams.streams else ()),
        *_regexes(query),
        *_templates(rule, query, streams),
    ]


def _same(rule: Rule) -> tuple[str, str, str]:
    return rule.name, rule.expr, repr(sorted(rule.labels.items()))


def _parts(node: object) -> Iterator[object]:
    """Yield a syntax tree's nodes, the outer ones first."""
    if isinstance(node, tuple):
        for item in node:
            yield from _parts(item)
    elif is_dataclass(node):
        yield node
        for field in fields(node):
            yield from _parts(getattr(node, field.name))


# --- times --------------------------------------------------------------------------------------


def _windows(rule: Rule, group: Group, query: Query) -> Iterator[Doubt]:
    every = write_duration(group.interval_ns)
    ranges = {part.range.range_ns for part in _parts(query) if isinstance(part, RangeAggregation)}
    if ranges and min(ranges) < group.interval_ns:
        shortest = write_duration(min(ranges))
        yield Doubt(
            ("expr",),
            f"it looks at {shortest} of each {every}: lines in between are never seen",
            f"write [{every}], or evaluate the group each {shortest}",
        )
    for key, span_ns in (("for", rule.for_ns), ("keep_firing_for", rule.keep_firing_for_ns)):
        if 0 < span_ns < group.interval_ns:
            what = f"{write_duration(span_ns)} is less than the interval, so it is the same as {every}"
            yield Doubt((key,), what, f"write {every}, or evaluate the group more often")


# --- what can be true ---------------------------------------------------------------------------


def _condition(rule: Rule, query: Query) -> Iterator[Doubt]:
    if rule.record:
        return
    if isinstance(query, Binary) and query.returns_bool:
        what = "with `bool` each series is an alert, those with the value 0 too"
        yield Doubt(("expr",), what, "leave `bool` out")
    asked = expression(rule.expr)
    if not asked.natural or not asked.op:
        return
    below, equal = asked.threshold < 0, asked.threshold == 0
    if (asked.op == "<" and (below or equal)) or (asked.op in ("<=", "==") and below):
        yield Doubt(("expr",), "this can never fire: a count is never less than 0", "compare with another number")
    elif (asked.op == ">=" and (below or equal)) or (asked.op in (">", "!=") and below):
        yield Doubt(("expr",), "this is always true: a count is never less than 0", "compare with another number")


def _unknown(rule: Rule, query: Query, streams: Seen) -> Iterator[Doubt]:
    """Yield a doubt for each selector that no stream of the last days has."""
    wanted = [part for part in _parts(query) if isinstance(part, RangeAggregation) and part.function != ABSENT]
    for selector in dict.fromkeys(part.range.log.selector for part in wanted):
        if not streams.has(selector):
            fires = "is empty" if rule.record else "can never fire"
            what = f"no stream of the last {DAYS} days is {selector}, so this {fires}"
            yield Doubt(("expr",), what, _nearest(selector, streams))


def _nearest(selector: Selector, streams: Seen) -> str:
    """Return what the selector may have meant."""
    for matcher in selector.matchers:
        known = streams.values.get(matcher.name)
        if known is None and matcher.op in ("=", "=~"):
            said = f"no stream has the label {matcher.name!r}", did_you_mean(matcher.name, streams.values)
            return "; ".join(filter(None, said))
        if known is not None and matcher.op == "=" and matcher.value not in known:
            said = f"{matcher.name} is never {matcher.value!r}", did_you_mean(matcher.value, known)
            return "; ".join(filter(None, said))
    return "its matchers are never true together"


def _misspelt(query: Query, streams: Seen) -> Iterator[Doubt]:
    """Yield a doubt for each label that no line has, if its name is close to one that some have."""
    parts = list(_parts(query))
    if any(isinstance(part, LabelReplace | Named) or getattr(part, "keyword", "") in _MAKING for part in parts):
        return
    known, named = {*streams.values, *streams.fields, *VIRTUAL}, dict[str, None]()
    for part in parts:
        if isinstance(part, Grouping):
            named.update(dict.fromkeys(part.labels))
        elif isinstance(part, LabelFilter):
            tests = (one for one in _parts(part.condition) if isinstance(one, Matcher | Comparison | Inside))
            named.update(dict.fromkeys(one.name for one in tests))
    for name in named:
        if name not in known and (near := did_you_mean(name, known)):
            yield Doubt(("expr",), f"no line has a label {name!r}", near)


# --- regexes ------------------------------------------------------------------------------------


def _regexes(query: Query) -> Iterator[Doubt]:
    for part in _parts(query):
        if isinstance(part, LineFilter) and part.op in ("|~", "!~"):
            for needle in part.needles:
                yield from _searched(needle.text, "|=" if part.op == "|~" else "!=")
        elif isinstance(part, Matcher) and part.op in ("=~", "!~"):
            yield from _costly(part.value)


def _searched(pattern: str, plain: str) -> Iterator[Doubt]:
    if re.fullmatch(r"[\w\s/:,;@#%&=<>~\"'`!-]*", pattern):
        yield Doubt(("expr",), f"{pattern!r} is plain text: as a regex it is only slower", f"write {plain} here")
    elif pattern.startswith((".*", "^.*")) or re.search(r"(?<!\\)\.\*\$?$", pattern):
        what = f"`.*` at an end of {pattern!r} changes nothing and is slow"
        yield Doubt(("expr",), what, "leave it out: a line filter looks anywhere in a line")
    yield from _costly(pattern)


def _costly(pattern: str) -> Iterator[Doubt]:
    most = max((int(found) for found in re.findall(r"\{(?:\d+,)?(\d+)\}", pattern)), default=0)
    if most > _REPEATS:
        what = f"the regex {pattern!r} repeats a part {most} times, which is slow"
        yield Doubt(("expr",), what, "use + or * where the number does not matter")


# --- templates ----------------------------------------------------------------------------------


class _Labels(Texts):
    """Labels of a sample, which note what is looked for in vain."""

    def __init__(self, labels: Iterable[str]) -> None:
        super().__init__({name: name for name in labels})
        self.missed: dict[str, None] = {}

    def get(self, name: str, default: Value = "") -> Value:  # type: ignore[override]  # names of a template are text
        if name not in self:
            self.missed[name] = None
        return super().get(name, default)


class _AnyAnswer:
    """Answers each query of a template with one series."""

    def __call__(self, asked: str, times: range) -> Answers:
        del asked
        return Answers({at_ns: Answer(at_ns, {"{}": 1.0}) for at_ns in times})


_FILL: Final = Templates(_AnyAnswer(), SystemClock(), external_url="http://127.0.0.1")


def _templates(rule: Rule, query: Query, streams: Seen | None) -> Iterator[Doubt]:
    if rule.record:
        return
    if "alertname" in rule.labels:
        yield Doubt(("labels", "alertname"), "the rule's name counts, not this label", "leave it out")
    names, exact = result_labels(query, () if streams is None else streams.values)
    for name, text in rule.labels.items():
        yield from _tried(("labels", name), text, _Labels(names), exact=exact)
        if "{{" in text and _filled(text, 1.0) != _filled(text, 2.0):
            what = "the value is a part of this label: each new value is another alert, and none goes on for long"
            yield Doubt(("labels", name), what, "write it into an annotation")
    for name, text in rule.annotations.items():
        yield from _tried(("annotations", name), text, _Labels(names), exact=exact)


def _filled(text: str, value: float) -> str:
    return _FILL.expand(text, _Labels(()), value, 0)


def _tried(trail: Trail, text: str, labels: _Labels, *, exact: bool) -> Iterator[Doubt]:
    """Expand a template for a sample, and yield what is wrong with it."""
    if "{{" not in text:
        return
    try:
        _FILL.expanded(text, labels, 1.0, 0)
    except (TemplateError, QueryError) as error:
        if exact or not labels.missed:  # a label that is not known now may be there then
            yield Doubt(trail, f"this fails for a sample: {error}")
        return
    for name in labels.missed if exact else ():
        known = ", ".join(labels) or "none"
        hint = did_you_mean(name, labels) or f"its labels are: {known}"
        yield Doubt(trail, f"the result has no label {name!r}, so its text is empty", hint)
