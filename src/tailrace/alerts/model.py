"""The words of alerting: groups and rules, what an evaluation gave, and in which state an alert is.

Values only: nothing here reads, writes or waits. Times are nanoseconds since the epoch and spans are nanoseconds.
A label set is a mapping; where it is a key it is its canonical text (`batch.stream_text`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

NoData = Literal["zero", "alert", "ok", "keep"]
"""What a complete answer without any series means for alerts: the value 0, an alert, all is well, nothing."""

Outcome = Literal["value", "zero", "empty", "late", "error"]
"""What an evaluation gave: series that fulfil the condition; none, and that is known; no series at all; an answer of
which some source is missing; none, since it failed."""

State = Literal["inactive", "pending", "firing", "recovered"]
"""Of one alert: nothing; true but not for long enough; true; it was firing and is not any more."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `id` is stable: it is the same after a restart, and after a change of anything but its name.

    `alert` and `record` name what it makes: exactly one is set.
    """

    id: str
    expr: str
    alert: str = ""
    record: str = ""
    for_ns: int = 0
    keep_firing_for_ns: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)  # templates
    no_data: NoData | None = None  # None: as its functions ask for, see `no_data`
    absent_for_ns: int = 0  # a known series that is silent for so long is an alert; 0: never
    grace_ns: int = 0  # waited for late lines before a window is evaluated
    max_wait_ns: int | None = None  # after which it is evaluated without the sources that are late

    @property
    def name(self) -> str:
        """Return what it makes."""
        return self.alert or self.record


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, in their order, at the same times."""

    namespace: str  # the file's name, or what the API was told
    name: str
    interval_ns: int
    rules: tuple[Rule, ...]
    limit: int = 0  # series that a rule may give; 0: any number
    query_offset_ns: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    editable: bool = False  # made by the API or the command line, not by a file


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a rule gave at one time. `series` has the label sets that fulfil the condition with their values."""

    at_ns: int
    outcome: Outcome
    series: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    missing: tuple[str, ...] = ()  # sources that are late
    kept: frozenset[str] = frozenset()  # series that are silent, and whose alerts stay as they are: see `states.series`
    results: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # labels that the query gave, by series
    keep: bool = False  # nothing is known of any series: alerts stay as they are


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a rule: its label set with its state."""

    labels: Mapping[str, str]  # of the result and the rule, `alertname` among them
    state: State
    active_ns: int  # since when the condition is true
    value: float
    annotations: Mapping[str, str] = field(default_factory=dict)  # templates filled in
    fired_ns: int = 0
    resolved_ns: int = 0
    keep_since_ns: int = 0  # the first miss while it is kept firing
    generation: int = 0  # counts how often this label set began to fire


@dataclass(frozen=True, slots=True)
class Seen:
    """The first and the last window that had a series."""

    first_ns: int
    last_ns: int

    def also(self, at_ns: int) -> Seen:
        """Return it with one window more."""
        return Seen(min(self.first_ns, at_ns), max(self.last_ns, at_ns))


@dataclass(frozen=True, slots=True)
class Told:
    """That an alert began to fire at a window, was over at it, or that its firing then was a mistake."""

    key: str
    kind: Literal["firing", "resolved", "correction"]
    at_ns: int
