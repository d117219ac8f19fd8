"""All metrics of one spec: rows go by, values come out, one cut at a time.

Used as a `contracts.Reduction` is: `observe` and `flush` in one thread, `mark` when a batch is planned, `edition` for
what is to be shown when that batch is durable. `families` may be asked in any thread and shows the newest edition that
was published: every value of it belongs to the same batch.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.errors import did_you_mean
from tailrace.exposition import Family, Point
from tailrace.reduce.metrics.meter import Meter
from tailrace.reduce.metrics.sessions import Sessions
from tailrace.reduce.metrics.settings import MetricSettings, SessionSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Labels = tuple[str, ...]

_REFUSED: Final = "refused"
_PAIRED: Final = "paired label "  # in front of a label that a pair of lines carries


def problems(metrics: Sequence[MetricSettings], sessions: Sequence[SessionSettings]) -> list[tuple[int, str]]:
    """Return what is wrong with metrics that their own settings cannot see: the metric's index, and what."""
    known = [one.name for one in sessions]
    found: list[tuple[int, str]] = []
    for index, metric in enumerate(metrics):
        if any(other.name == metric.name for other in metrics[:index]):
            found.append((index, f"there are two metrics {metric.name!r}"))
        if metric.of and metric.of not in known:
            hint = did_you_mean(metric.of, known) or f"known: {', '.join(known) or 'none'}"
            found.append((index, f"there are no sessions {metric.of!r} ({hint})"))
    return found


class Metrics:
    """The metrics of one spec and the sessions that they count. Raises `ValueError` for what `problems` finds."""

    def __init__(self, metrics: Sequence[MetricSettings], sessions: Sequence[SessionSettings] = ()) -> None:
        if wrong := problems(metrics, sessions):
            raise ValueError("; ".join(text for _, text in wrong))
        self._sessions = [Sessions(one) for one in sessions]
        self._pairs: dict[str, Sessions] = {}
        self._meters: dict[str, Meter] = {}
        for one in metrics:
            settings = one
            if one.measure.kind == "duration":
                settings, pair = _paired(one)
                self._pairs[one.name] = Sessions(pair)
            self._meters[one.name] = Meter(settings)
        self._declared = {one.name: one for one in metrics}
        self._lock = threading.Lock()
        self._published: dict[str, dict[Labels, Point]] = {name: {} for name in self._meters}
        self._published_refused: dict[tuple[str, str], int] = {}

    # --- rows -----------------------------------------------------------------------------------

    def observe(self, frame: pl.DataFrame, now_ns: int) -> None:
        """Count the rows of a frame. What sessions carry is for the metrics only: a row is stored as its line was."""
        over: dict[str, list[pl.DataFrame]] = {}
        if len(frame):
            for sessions in self._sessions:
                frame, closed = sessions.follow(frame)
                over.setdefault(sessions.name, []).append(closed)
            for name, meter in self._meters.items():
                if name in self._pairs:
                    self._pair(meter, self._pairs[name], self._declared[name], frame)
                elif not meter.settings.of:
                    meter.observe(frame)
        self._count_sessions(over, now_ns)

    def flush(self, now_ns: int) -> None:
        """Do what is due by the time alone: end sessions, forget series."""
        self._count_sessions({}, now_ns)
        for meter in self._meters.values():
            meter.expire(now_ns)

    def _count_sessions(self, over: dict[str, list[pl.DataFrame]], now_ns: int) -> None:
        """Count the sessions that are over, by their lines or by the time."""
        for sessions in self._sessions:
            over.setdefault(sessions.name, []).append(sessions.due(now_ns))
        for pair in self._pairs.values():
            pair.due(now_ns)
        rows = {name: pl.concat(parts, how="diagonal_relaxed") for name, parts in over.items()}
        for meter in self._meters.values():
            meter.begin(now_ns)
            if meter.settings.of and meter.settings.measure.kind != "open" and len(rows[meter.settings.of]):
                meter.observe(rows[meter.settings.of])
        for sessions in self._sessions:
            for meter in self._meters.values():
                if meter.settings.of == sessions.name and meter.settings.measure.kind == "open":
                    meter.replace(sessions.open(), now_ns)

    def _pair(self, meter: Meter, pairs: Sessions, declared: MetricSettings, frame: pl.DataFrame) -> None:
        """Measure the time between two lines; the labels are those of the last line, or else of the first."""
        if declared.condition is not None:
            frame = frame.filter(declared.condition.mask(frame))
        if not len(frame):
            return
        labels = zip(declared.labels, declared.label_values, strict=True)
        closed = pairs.follow(frame.with_columns(value.text(frame).alias(_PAIRED + name) for name, value in labels))[1]
        if len(closed := closed.filter(outcome="end")):
            meter.observe(closed)

    # --- marks ----------------------------------------------------------------------------------

    def mark(self) -> dict[str, object]:
        """Return the changes of state since the last mark: key to state, null to forget it."""
        marks: dict[str, object] = {}
        for name, meter in self._meters.items():
            marks |= {f"series {name} {key}": state for key, state in meter.mark().items()}
            if meter.refused_news:
                marks[f"{_REFUSED} {name}"] = dict(meter.refused)
                meter.refused_news = False
        for kind, name, sessions in self._all_sessions():
            marks |= {f"{kind} {name} {key}": state for key, state in sessions.mark().items()}
        return marks

    def restore(self, state: Mapping[str, object]) -> Mapping[str, object]:
        """Go on from a state, and show it; returns what of it belongs to nothing declared now, as marks to forget."""
        open_sessions: dict[tuple[str, str], dict[str, object]] = {}
        unknown: dict[str, object] = {}
        known = {(kind, name) for kind, name, _ in self._all_sessions()}
        for key, value in state.items():
            kind, name, rest = ([*key.split(" ", 2), "", ""])[:3]
            if kind == "series" and name in self._meters and self._meters[name].restore(rest, value):
                continue
            if kind == _REFUSED and name in self._meters and isinstance(value, dict):
                self._meters[name].refused = {str(why): int(count) for why, count in value.items()}
            elif (kind, name) in known:
                open_sessions.setdefault((kind, name), {})[rest] = value
            else:
                unknown[key] = None
        for kind, name, sessions in self._all_sessions():
            sessions.restore(open_sessions.get((kind, name), {}))
        self.edition()()
        return unknown

    def _all_sessions(self) -> Iterable[tuple[str, str, Sessions]]:
        yield from (("session", sessions.name, sessions) for sessions in self._sessions)
        yield from (("pair", name, pairs) for name, pairs in self._pairs.items())

    # --- what is shown --------------------------------------------------------------------------

    def edition(self) -> Callable[[], None]:
        """Return what shows the values as they are now, to be called when they are durable."""
        changes: list[tuple[str, Labels, Point | None]] = []
        for name, meter in self._meters.items():
            shown, meter.shown = meter.shown, set()
            for labels in shown:
                series = meter.series.get(labels)
                changes.append((name, labels, None if series is None else self._point(meter, labels)))
        refused = {(name, why): n for name, meter in self._meters.items() for why, n in meter.refused.items()}

        def publish() -> None:
            with self._lock:
                for name, labels, point in changes:
                    if point is None:
                        self._published[name].pop(labels, None)
                    else:
                        self._published[name][labels] = point
                self._published_refused = refused

        return publish

    def _point(self, meter: Meter, labels: Labels) -> Point:
        settings = meter.settings
        return meter.series[labels].point(
            tuple(settings.labels), settings.bounds, histogram=settings.type == "histogram"
        )

    def families(self) -> list[Family]:
        """Return every metric as it was shown last; in any thread."""
        with self._lock:
            points = {name: tuple(found[labels] for labels in sorted(found)) for name, found in self._published.items()}
            refused = dict(self._published_refused)
        return [replace(meter.family(), points=points[name]) for name, meter in self._meters.items()] + (
            [_refused_family(refused)] if refused else []
        )


def _paired(metric: MetricSettings) -> tuple[MetricSettings, SessionSettings]:
    """Return a duration as a metric of sessions, and those sessions: a pair of lines each."""
    start, end, key = metric.measure.arguments
    carry = tuple(_PAIRED + name for name in metric.labels)
    pair = SessionSettings(
        name=metric.name, key=key, start=start, end=end, carry=carry, settle=0, timeout=metric.timeout
    )
    labels = {name: f'"{_PAIRED}{name}"' for name in metric.labels}
    given = metric.model_dump(by_alias=True, exclude={"made_from", "where", "labels"})
    return MetricSettings.model_validate({**given, "from": "field(duration_seconds)", "labels": labels}), pair


def _refused_family(refused: Mapping[tuple[str, str], int]) -> Family:
    text = "Rows that a metric from logs could not take: a value that is no count, or one series too many."
    points = [Point({"metric": name, "reason": why}, count) for (name, why), count in sorted(refused.items())]
    return Family("tailrace_metric_refused_rows_total", "counter", text, points)
