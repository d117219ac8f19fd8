"""Write what a back-test found: as JSON, and for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tailrace.alerts.shown import time_text
from tailrace.batch import stream_labels
from tailrace.clock import NS_PER_S
from tailrace.query.literals import write_duration, write_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.alerts.backtest.replay import Incident, Replay
    from tailrace.alerts.backtest.run import Report

    Json = dict[str, Any]  # an object of JSON: nested, of several kinds

SHOWN: Final = 50
"""Incidents that people are shown; JSON has all."""


def as_json(report: Report) -> Json:
    """Return a report as JSON; spans are seconds."""
    found = report.replay
    answer = {
        "rule": found.rule.alert,
        "expr": found.rule.expr,
        "start": time_text(found.times[0]),
        "end": time_text(found.times[-1]),
        "interval": report.group.interval_ns / NS_PER_S,
        "windows": len(found.times),
        "rows": report.rows,
        "seconds": round(report.seconds, 3),
        **_summary(found),
        "incidents": [_incident(one, found) for one in found.incidents],
    }
    if report.variants:
        answer["sweep"] = [{"settings": said, **_summary(each)} for said, each in report.variants]
    if report.difference is not None and report.before is not None:
        answer["before"] = {"expr": report.before.rule.expr, **_summary(report.before)}
        answer["difference"] = {
            "only_before": [_incident(one, report.before) for one in report.difference.only_before],
            "only_after": [_incident(one, found) for one in report.difference.only_after],
            "both": len(report.difference.both),
        }
    return answer


def _summary(found: Replay) -> Json:
    return {
        "fired": len(found.incidents),
        "firing_s": found.firing_ns / NS_PER_S,
        "longest_s": _longest_ns(found) / NS_PER_S,
        "notices": found.notices,
        "flaps": found.flaps,
        "pending_only": found.pending_only,
        "true_windows": found.true_windows,
        "errors": found.errors,
    }


def _incident(one: Incident, found: Replay) -> Json:
    return {
        "labels": dict(stream_labels(one.key)),
        "active": time_text(one.active_ns),
        "fired": time_text(one.from_ns),
        "resolved": None if one.to_ns is None else time_text(one.to_ns),
        "seconds": one.lasted_ns(found.times[-1]) / NS_PER_S,
        "value": one.value,
    }


def _longest_ns(found: Replay) -> int:
    return max((one.lasted_ns(found.times[-1]) for one in found.incidents), default=0)


# --- for people -----------------------------------------------------------------------------------


def lines(report: Report) -> Iterator[str]:
    """Yield what a person reads."""
    found = report.replay
    every = f"{len(found.times):,} windows, one each {write_duration(report.group.interval_ns)}"
    yield f"{found.rule.alert}: {time_text(found.times[0])} to {time_text(found.times[-1])}, {every}"
    yield f"  {_said(found)}"
    for error, count in found.errors.items():
        yield f"  {count:,} windows failed: {error}"
    yield from _listed(found, found.incidents, " ")
    if report.variants:
        yield "sweep:"
        width = max(len(said) for said, _ in report.variants)
        yield from (f"  {said:<{width}}  {_said(each)}" for said, each in report.variants)
    if report.difference is not None and report.before is not None:
        yield f"before: {_said(report.before)}"
        yield f"  {len(report.difference.both):,} in both versions"
        yield from _listed(report.before, report.difference.only_before, "-")
        yield from _listed(found, report.difference.only_after, "+")
    yield f"{report.rows:,} rows read, {report.seconds:.1f} s"


def _said(found: Replay) -> str:
    if not found.incidents:
        return f"never fired; true in {found.true_windows:,} windows"
    parts = [
        f"fired {_many(len(found.incidents), 'time')}",
        f"{write_duration(found.firing_ns)} in all",
        f"longest {write_duration(_longest_ns(found))}",
        _many(found.notices, "notice"),
        _many(found.flaps, "flap"),
    ]
    return ", ".join(parts)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + "s" * (count != 1)


def _listed(found: Replay, incidents: list[Incident] | tuple[Incident, ...], mark: str) -> Iterator[str]:
    for one in incidents[:SHOWN]:
        lasted = "still" if one.to_ns is None else write_duration(one.lasted_ns(found.times[-1]))
        yield f"  {mark} {time_text(one.from_ns)}  {lasted:<9}  {one.key} {write_number(one.value)}"
    if len(incidents) > SHOWN:
        yield f"    and {len(incidents) - SHOWN:,} more (--json has them all)"
