"""The shape of a file of rule tests: promtool's keys, and those for log lines, their delay, and faults.

Durations and times become nanoseconds when they are read, label sets mappings. Unknown keys are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from tailrace.alerts.durations import Span  # noqa: TC001  pydantic reads it
from tailrace.alerts.model import Outcome, State  # noqa: TC001  pydantic reads it
from tailrace.alerts.rules.files import INTERVAL_NS, Given, LabelText
from tailrace.alerts.unit_tests import notation
from tailrace.errors import QueryError
from tailrace.query.parser import parse
from tailrace.settings import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable

LINES: Final = 1_000_000
"""Lines that one entry of `input_logs` may make; a test is no load."""

_TEXT: Final = WithJsonSchema({"type": "string"})


def _by(read: Callable[[Any], object]) -> BeforeValidator:  # whatever YAML holds
    """Return what reads a value that has the form of `read`, and says what is wrong as a mistake of the file."""

    def checked(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Mistake(f"{value!r} is no text", "quote it")
        try:
            return read(str(value))
        except QueryError as error:
            raise Mistake(error.one_line(), error.hint if error.position is None else "") from error
        except ValueError as error:
            raise Mistake(str(error)) from error

    return BeforeValidator(checked)


def _moment(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Mistake(f"{value!r} is no time", "as in 2026-01-31T12:00:00Z")
    try:
        return notation.moment(value)
    except ValueError as error:
        raise Mistake(str(error)) from error


def _query(text: str) -> str:
    parse(text, names=True)
    return text


LabelSet = Annotated[dict[str, str], _by(notation.labels_of), _TEXT]
Moment = Annotated[int, BeforeValidator(_moment), _TEXT]
Query = Annotated[str, _by(_query)]
Field_ = str | bool | int | float


class LogLines(Given):
    """Lines of one text, evenly spaced."""

    text: str
    """The line."""
    at_ns: Span = Field(default=0, alias="at")
    """Time of the first one, from the start of the test."""
    every_ns: Span = Field(default=0, alias="every")
    """Time between two lines."""
    count: Annotated[int, Field(ge=0, le=LINES)] = 1
    """How many lines there are."""
    fields: dict[str, Field_] = Field(default_factory=dict)
    """Fields of the lines, as a parser would find them."""
    delay_ns: Span = Field(default=0, alias="delay")
    """How long after its time a line becomes known."""

    @model_validator(mode="after")
    def _spaced(self) -> LogLines:
        if self.count > 1 and not self.every_ns:
            raise Mistake(f"{self.count} lines at one time", "say how far apart they are", below=("every",))
        return self


class InputLogs(Given):
    """The lines of one stream."""

    stream: LabelSet
    """Its labels, as `{app="cart", host="a1"}`."""
    lines: tuple[LogLines, ...]
    """The lines, in any order."""


class Fault(Given):
    """Something that goes wrong for a while: exactly one of `query`, `source` and `server`."""

    at_ns: Span = Field(alias="at")
    """When it begins, from the start of the test."""
    for_ns: Span | None = Field(default=None, alias="for")
    """How long it lasts; without it, for one interval."""
    query: Literal["error", "timeout"] | None = None
    """Queries of rules fail."""
    source: Literal["late"] | None = None
    """The source stands still and says so: its lines are complete up to this time, not further."""
    server: Literal["down", "restart"] | None = None
    """Nothing is evaluated; then the server starts anew, from what is durable."""

    @model_validator(mode="after")
    def _one(self) -> Fault:
        given = [name for name in ("query", "source", "server") if getattr(self, name)]
        if len(given) != 1:
            raise Mistake("a fault is one of `query`, `source` and `server`", "as in {at: 4m, query: error}")
        if self.server == "restart" and self.for_ns is not None:
            raise Mistake("a restart takes no time", "use `server: down`", below=("for",))
        return self


class ExpectedAlert(Given):
    """An alert that is expected."""

    exp_labels: dict[str, LabelText] = Field(default_factory=dict)
    """Its labels, all of them; `alertname` need not be said."""
    exp_annotations: dict[str, LabelText] | None = None
    """Its annotations, all of them; without this key they are not compared."""


class AlertTest(Given):
    """Which alerts of a name there are at a time."""

    eval_time_ns: Span = Field(alias="eval_time")
    """On the clock, from the start of the test: what is known by then counts."""
    alertname: Annotated[str, Field(min_length=1)]
    """Name of the alert."""
    groupname: str = ""
    """Only those of this group."""
    state: State = "firing"
    """Alerts in this state are compared."""
    outcome: Outcome | None = None
    """What its rules' last evaluation gave."""
    exp_alerts: tuple[ExpectedAlert, ...] = ()
    """The alerts, in any order."""


class ExpectedNotice(Given):
    """Something that people are told."""

    kind: Literal["firing", "resolved", "correction"]
    """It fires, it is over, or that it fired was a mistake."""
    at_ns: Span = Field(alias="at")
    """The time for which it is true."""
    exp_labels: dict[str, LabelText] = Field(default_factory=dict)
    """Its labels; `alertname` need not be said."""


class NoticeTest(Given):
    """All that was told of an alert by a time."""

    eval_time_ns: Span = Field(alias="eval_time")
    """On the clock, from the start of the test."""
    alertname: Annotated[str, Field(min_length=1)]
    """Name of the alert."""
    exp_notices: tuple[ExpectedNotice, ...] = ()
    """What was told, in order."""


class ExpectedSample(Given):
    """A number that is expected."""

    labels: LabelSet = Field(default_factory=dict)
    """Labels of the series; for one that was recorded its name stands in front."""
    value: float
    """The number."""


class ExprTest(Given):
    """What a query gives at a time."""

    expr: Query
    """A metric query, or a series by name: `ALERTS`, `ALERTS_FOR_STATE` or what a recording rule made."""
    eval_time_ns: Span = Field(alias="eval_time")
    """From the start of the test."""
    exp_samples: tuple[ExpectedSample, ...] = ()
    """The numbers, in any order."""


class InputSeries(Given):
    """A series of numbers."""

    series: LabelSet
    """Its name and labels."""
    values: Annotated[tuple[notation.Sample, ...], _by(notation.samples), _TEXT]
    """Its numbers, one each `interval`: `1+2x10 _ stale`."""


class RuleTest(Given):
    """One test: what comes in, what goes wrong, and what is expected."""

    name: str = ""
    """Name for the report."""
    interval_ns: Span | None = Field(default=None, alias="interval")
    """Time between two numbers of `input_series`, and length of a fault that does not say; else `evaluation_interval`.
    """
    input_series: tuple[InputSeries, ...] = ()
    """Series that can be asked for by name."""
    input_logs: tuple[InputLogs, ...] = ()
    """Log lines."""
    faults: tuple[Fault, ...] = ()
    """What goes wrong."""
    alert_rule_test: tuple[AlertTest, ...] = ()
    """Alerts that are expected."""
    notice_test: tuple[NoticeTest, ...] = ()
    """What people are told."""
    promql_expr_test: tuple[ExprTest, ...] = ()
    """Promtool's name for `logql_expr_test`."""
    logql_expr_test: tuple[ExprTest, ...] = ()
    """Answers that are expected."""
    external_labels: dict[str, LabelText] = Field(default_factory=dict)
    """What templates find as `$externalLabels`."""
    external_url: str = ""
    """What templates find as `$externalURL`."""
    start_ns: Moment = Field(default=0, alias="start_timestamp")
    """Time at which the test begins: RFC 3339 or Unix seconds."""

    @property
    def queries(self) -> tuple[ExprTest, ...]:
        """All tests of queries."""
        return self.promql_expr_test + self.logql_expr_test


class TestFile(Given):
    """A file of rule tests."""

    __test__ = False  # not one of ours

    rule_files: tuple[str, ...] = ()
    """Rule files, from the folder of this one; patterns are allowed."""
    evaluation_interval_ns: Span = Field(default=INTERVAL_NS, alias="evaluation_interval")
    """Interval of groups that name none."""
    group_eval_order: tuple[str, ...] = ()
    """Names of groups in the order in which they are evaluated; the others come after them."""
    fuzzy_compare: bool = False
    """Numbers may differ by a millionth."""
    tests: tuple[RuleTest, ...] = ()
    """The tests; each begins with an empty table."""
