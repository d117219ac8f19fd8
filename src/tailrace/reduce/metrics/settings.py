"""The settings of metrics from logs, and of the sessions that they may count."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    field_validator,
    model_validator,
)

from tailrace import limits
from tailrace.reduce.metrics import measure
from tailrace.reduce.metrics.columns import Choice, Value, condition, expression
from tailrace.reduce.rules import Rule  # noqa: TC001  pydantic reads the annotations of private attributes, too
from tailrace.settings import Mistake, Mistakes, Settings

_NAME: Final = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
_RESERVED: Final = ("_bucket", "_count", "_sum", "_created")
_BASE: Final = {
    "milliseconds": "seconds",
    "microseconds": "seconds",
    "nanoseconds": "seconds",
    "minutes": "seconds",
    "hours": "seconds",
    "days": "seconds",
    "kilobytes": "bytes",
    "megabytes": "bytes",
    "gigabytes": "bytes",
    "kibibytes": "bytes",
    "mebibytes": "bytes",
    "bits": "bytes",
    "percent": "ratio",
}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)?")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
DEFAULT_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def _seconds(value: Any) -> Any:  # what a file may hold; pydantic refuses what is no number then
    """Return a span in seconds: `90`, `1.5s`, `15m`, `2h`, `1d`."""
    if isinstance(value, str) and (found := _SPAN.fullmatch(value.strip())):
        return float(found[1]) * _UNITS[found[2] or "s"]
    return value


Span = Annotated[float, BeforeValidator(_seconds), Field(gt=0, allow_inf_nan=False)]


def _as_text(value: Any) -> Any:  # a label may be written as a number or a truth value
    return str(value).lower() if isinstance(value, int | float) else value


Sql = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]


class ChoiceSettings(Settings):
    """A label whose value is chosen by conditions."""

    when: Annotated[dict[str, Sql], Field(min_length=1)]
    """Values, each with its condition; the first that holds is the label's."""

    otherwise: Sql = "''"
    """An SQL expression for the rest."""

    _conditions: list[tuple[str, Rule]] = PrivateAttr(default_factory=list)
    _otherwise: Value = PrivateAttr()

    @model_validator(mode="after")
    def _compile(self) -> Self:
        self._conditions = [(value, condition(text, "when", value)) for value, text in self.when.items()]
        self._otherwise = expression(self.otherwise, "otherwise")
        return self

    @property
    def value(self) -> Choice:
        """The choice, ready to run."""
        return Choice(self._conditions, self._otherwise)


def _label_kind(value: Any) -> str:  # whatever a file holds, or settings already made
    return "choice" if isinstance(value, dict | ChoiceSettings) else "text"


_Label = Annotated[Annotated[Sql, Tag("text")] | Annotated[ChoiceSettings, Tag("choice")], Discriminator(_label_kind)]


class SessionSettings(Settings):
    """Lines that belong together: those with one key, from a line that starts a session to one that ends it."""

    name: Annotated[str, Field(pattern=_NAME)]
    """Name of these sessions; a metric counts them with `of: NAME`."""

    key: Sql
    """What lines of one session share, as `pid`. Any SQL expression."""

    start: Sql
    """The condition of a line that starts a session. An open one of the same key is over then."""

    end: Sql
    """The condition of a line that ends a session."""

    carry: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    """Columns whose last value is known on all later lines of the session, and to the metrics that count sessions."""

    settle: Annotated[float, BeforeValidator(_seconds), Field(ge=0, allow_inf_nan=False)] = 1.0
    """A session is counted when so much time has passed after its end: a line of the same key within it still
    belongs to it, and may end it otherwise."""

    timeout: Span = 86_400.0
    """A session without any line for so long is over."""

    max_open: Annotated[int, Field(ge=1)] = limits.METRIC_SESSIONS
    """Open sessions that are remembered; over it the one that was silent for longest is over."""

    clock_step: Span | None = None
    """Whole multiples of this that the times of two lines of a session jump by are left out of its duration: the clock
    of a program that changes its root folder may move to another time zone, in steps of `15m`."""

    _key: Value = PrivateAttr()
    _start: Rule = PrivateAttr()
    _end: Rule = PrivateAttr()

    @model_validator(mode="after")
    def _compile(self) -> Self:
        self._key = expression(self.key, "key")
        self._start = condition(self.start, "start")
        self._end = condition(self.end, "end")
        return self

    @property
    def key_value(self) -> Value:
        """The key, ready to run."""
        return self._key

    @property
    def starts(self) -> Rule:
        """The condition of a start, ready to run."""
        return self._start

    @property
    def ends(self) -> Rule:
        """The condition of an end, ready to run."""
        return self._end


class MetricSettings(Settings):
    """A metric that is made from the rows as they go by."""

    model_config = ConfigDict(populate_by_name=True)

    name: Annotated[str, Field(pattern=_NAME)]
    """Name, by Prometheus' rules: a prefix, the thing, the unit; a counter ends in `_total`."""

    type: Literal["counter", "gauge", "histogram"]
    """What it is: a counter only rises, a gauge is the last value, a histogram counts values by size."""

    help: Annotated[str, Field(min_length=1)]
    """One sentence about it."""

    made_from: Annotated[str, Field(alias="from")] = "lines"
    """What is measured: `lines` or `bytes` of input, `field(x)` the value of an expression, `delta(x)` its rise since
    the row before of the same series, `duration(start, end, key)` the seconds between two lines with the same key, or
    `open`, how many sessions are open."""

    of: str = ""
    """The sessions that are measured, by name; empty measures lines."""

    where: str = ""
    """Only rows that this condition is true for."""

    labels: dict[str, _Label] = Field(default_factory=dict)
    """Labels, each an SQL expression: a column, `'a constant'`, or more, as `lower(method)`; or a choice by conditions.
    Few values each."""

    single: bool = False
    """Keep only the series of the newest row: for a gauge whose labels are what it says, as a version."""

    unit: str = ""
    """Base unit, as it stands in the name: seconds, bytes, ratio."""

    max_series: Annotated[int, Field(ge=1, le=1_000_000)] = limits.METRIC_SERIES
    """Series that are kept; what further ones would count goes to a series whose labels are all `__other__`."""

    buckets: tuple[float, ...] | None = None
    """Upper bounds of a histogram's classic buckets, rising. Default: 5 ms to 10 s, or none for a native one."""

    native: bool = False
    """Whether a histogram has native buckets, too: finer, found by themselves, for scrapers that read protobuf."""

    ttl: Span | None = None
    """A series that saw no row for so long is forgotten."""

    timeout: Span = 86_400.0
    """For `duration`: a start without an end for so long is forgotten."""

    exemplar: dict[str, Sql] = Field(default_factory=dict)
    """Labels of the newest row behind a value, shown with it: what leads back to the line, as `trace_id: trace_id`."""

    _measure: measure.Measure = PrivateAttr()
    _argument: Value | None = PrivateAttr(default=None)
    _condition: Rule | None = PrivateAttr(default=None)
    _labels: list[Value | Choice] = PrivateAttr(default_factory=list)
    _exemplar: list[Value] = PrivateAttr(default_factory=list)

    @field_validator("where")
    @classmethod
    def _readable(cls, value: str) -> str:
        if value.strip():
            condition(value)
        return value

    @field_validator("made_from")
    @classmethod
    def _known(cls, value: str) -> str:
        found = measure.parse(value)
        if found.kind in {"field", "delta"}:
            expression(found.arguments[0])
        return value

    @field_validator("buckets")
    @classmethod
    def _rising(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and (not value or list(value) != sorted(set(value)) or value[-1] == float("inf")):
            raise ValueError("bounds are numbers that rise, without +Inf, which is always there")
        return value

    @field_validator("labels", "exemplar")
    @classmethod
    def _label_names(cls, value: dict[str, Any]) -> dict[str, Any]:  # the values are checked by their own types
        for name in value:
            if not re.fullmatch(_NAME, name) or name.startswith("__"):
                raise ValueError(f"{name!r} cannot name a label: letters, digits and '_', not '__' in front")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self._measure = measure.parse(self.made_from)
        problems = ((self._name_problem(), ("name",)), (self._kind_problem(), ()))
        if wrong := [Mistake(problem, "", place) for problem, place in problems if problem]:
            raise Mistakes(wrong)
        if self._measure.kind in {"field", "delta"}:
            self._argument = expression(self._measure.arguments[0])
        if self.where.strip():
            self._condition = condition(self.where)
        self._labels = [
            one.value if isinstance(one, ChoiceSettings) else expression(one, "labels", name)
            for name, one in self.labels.items()
        ]
        self._exemplar = [expression(text, "exemplar", name) for name, text in self.exemplar.items()]
        return self

    def _name_problem(self) -> str:
        base = self.name.removesuffix("_total")
        if self.type == "counter" and not self.name.endswith("_total"):
            return f"a counter's name ends in '_total': write {self.name}_total"
        if self.type != "counter" and self.name.endswith("_total"):
            return f"only a counter's name ends in '_total', and this is a {self.type}"
        reserved = next((suffix for suffix in _RESERVED if base.endswith(suffix)), "")
        if reserved:
            return f"a name that ends in {reserved!r} belongs to histograms: choose another one"
        if self.unit in _BASE:
            return f"metrics have base units: write {_BASE[self.unit]}, and convert the value"
        if self.unit and not base.endswith("_" + self.unit):
            return f"the unit stands at the end of the name: write {base}_{self.unit}{self.name[len(base) :]}"
        return ""

    def _kind_problem(self) -> str:
        kind, of = self._measure.kind, self.type
        checks = {
            "a gauge shows a value: from field(x), delta(x) or duration(…)": of == "gauge"
            and kind in {"lines", "bytes"},
            "a histogram needs a value for each row: from field(x), delta(x), duration(…) or bytes": of == "histogram"
            and kind in {"lines", "open"},
            "'open' is a gauge of sessions: write type: gauge and of: NAME": kind == "open"
            and (of != "gauge" or not self.of),
            "sessions have their duration: from: field(duration_seconds)": kind == "duration" and bool(self.of),
            f"buckets belong to a histogram, and this is a {of}": of != "histogram"
            and (self.buckets is not None or self.native),
            "only a gauge can be single": self.single and of != "gauge",
            "a histogram has a label 'le' of its own": of == "histogram" and "le" in self.labels,
        }
        return next((problem for problem, wrong in checks.items() if wrong), "")

    @property
    def measure(self) -> measure.Measure:
        """What the metric is made from."""
        return self._measure

    @property
    def argument(self) -> Value | None:
        """The value of `field` and `delta`, ready to run."""
        return self._argument

    @property
    def condition(self) -> Rule | None:
        """The condition of `where`, ready to run."""
        return self._condition

    @property
    def label_values(self) -> list[Value | Choice]:
        """The labels' values, in the order of `labels`."""
        return self._labels

    @property
    def exemplar_values(self) -> list[Value]:
        """The values of the exemplar's labels, in the order of `exemplar`."""
        return self._exemplar

    @property
    def bounds(self) -> tuple[float, ...]:
        """The upper bounds of the classic buckets, without +Inf."""
        if self.type != "histogram":
            return ()
        if self.buckets is not None:
            return self.buckets
        return () if self.native else DEFAULT_BUCKETS
