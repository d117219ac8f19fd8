"""What rules leave as series: samples of recording rules, and the states of alerts, in the round's own transaction.

Comes in: the steps of a round and the connection that makes them durable. Goes out: rows of `recorded_samples`, in the
order in which they were made; `named` moves them to the table `samples` and reads both. A recording rule leaves its
series; an alerting rule `ALERTS{alertstate=…}` = 1 and `ALERTS_FOR_STATE` = the second since when it is true, for
alerts that are pending or fire.

A series that was there and is not any more gets a stale mark: it ends there and not five minutes later. A window that
failed leaves nothing, and one that lacks a source ends nothing. A window that is evaluated again writes its series anew
with a higher version, and a stale mark for every other series that the rule ever had: the newest version of a sample
counts, so nothing of the old window is left.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, Table, delete, select

from tailrace.batch import stream_labels, stream_text
from tailrace.clock import NS_PER_S
from tailrace.control import METADATA, NUMBER, TEXT, greater, insert, lesser

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from tailrace.alerts.kept.store import Step

SAMPLES: Final = Table(
    "recorded_samples",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("rule", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("key", TEXT, nullable=False),  # all labels, the name among them, see batch.stream_text
    Column("at_ns", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),  # how often the window was corrected
    Column("value", Float),  # null is NaN, which SQL has not
    Column("stale", Boolean, nullable=False),  # the series ended here
    Index("recorded_samples_name", "name", "at_ns"),
    sqlite_autoincrement=True,  # a number is never used twice, even when all rows were moved away
)
"""Samples that are not in the table `samples` yet. `id` rises: it says how far moving has got."""

SERIES: Final = Table(
    "recorded_series",
    METADATA,
    Column("rule", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("first_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),  # up to an hour behind while it lives
    Column("live", Boolean, nullable=False),  # the last window had it
    Index("recorded_series_live", "live"),
    Index("recorded_series_name", "name"),
)
"""Every series that a rule left, as long as samples of it are kept."""

ALERTS: Final = "ALERTS"
FOR_STATE: Final = "ALERTS_FOR_STATE"

SEEN_NS: Final = 3600 * NS_PER_S
"""How far behind `last_ns` may be: less to write."""

_CHUNK: Final = 500  # values in one list of a statement


def shown(step: Step) -> dict[str, float]:
    """Return the samples that a step leaves, by all labels."""
    found = {key: value for key, value in step.evaluation.series.items() if "__name__" in stream_labels(key)}
    for alert in step.alerts.values():
        if alert.state in {"pending", "firing"}:
            labels = dict(alert.labels)
            found[stream_text({**labels, "__name__": ALERTS, "alertstate": alert.state})] = 1.0
            found[stream_text({**labels, "__name__": FOR_STATE})] = alert.active_ns / NS_PER_S
    return found


def keep(connection: Connection, steps: Sequence[Step]) -> None:
    """Write what the steps of a round leave; the steps of one rule come in the order of time."""
    series = _Series(connection, {step.rule for step in steps if step.correction})
    rows: list[dict[str, Any]] = []
    for step in steps:
        if step.evaluation.outcome == "error":
            continue
        now, at_ns = shown(step), step.evaluation.at_ns - step.offset_ns
        before = series.live.get(step.rule, {})
        if not now and not before and not step.correction:
            continue
        late = step.evaluation.outcome == "late"
        there = series.ever.get(step.rule, {}) if step.correction else before
        gone = () if late else there.keys() - now.keys()
        rows += [_row(step, key, value, stale=False) for key, value in now.items()]
        rows += [_row(step, key, None, stale=True) for key in sorted(gone)]
        series.saw(step.rule, now, gone, at_ns)
    if rows:
        connection.execute(insert(SAMPLES), rows)
    series.write()


def end(connection: Connection, rules: Iterable[str], at_ns: int) -> None:
    """End the series of rules that are no more."""
    gone = list(rules)
    for start in range(0, len(gone), _CHUNK):
        mine = SERIES.c.rule.in_(gone[start : start + _CHUNK]) & SERIES.c.live
        rows = [
            {
                "rule": row.rule,
                "name": row.name,
                "key": row.key,
                "at_ns": at_ns,
                "version": 0,
                "value": None,
                "stale": True,
            }
            for row in connection.execute(select(SERIES).where(mine)).all()
        ]
        if rows:
            connection.execute(insert(SAMPLES), rows)
            connection.execute(SERIES.update().where(mine).values(live=False, last_ns=at_ns))


def expire(connection: Connection, before_ns: int) -> None:
    """Forget series of which no sample is kept any more."""
    connection.execute(delete(SERIES).where(~SERIES.c.live, SERIES.c.last_ns < before_ns))


class _Series:
    """The series of rules, as they are known in one transaction."""

    def __init__(self, connection: Connection, corrected: set[str]) -> None:
        self._connection = connection
        self.live: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)  # first and last window
        self.ever: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._changed: dict[tuple[str, str], dict[str, Any]] = {}
        for row in connection.execute(select(SERIES).where(SERIES.c.live)).all():
            self.live[row.rule][row.key] = row.first_ns, row.last_ns
        some = sorted(corrected)
        for start in range(0, len(some), _CHUNK):
            mine = SERIES.c.rule.in_(some[start : start + _CHUNK])
            for row in connection.execute(select(SERIES).where(mine)).all():
                self.ever[row.rule][row.key] = row.first_ns, row.last_ns

    def saw(self, rule: str, now: Iterable[str], gone: Iterable[str], at_ns: int) -> None:
        """Note which series a window had, and which ended with it."""
        live, ever = self.live[rule], self.ever[rule]
        for key in now:
            known = live.get(key) or ever.get(key)
            first_ns, last_ns = known or (at_ns, at_ns)
            if key not in live or last_ns + SEEN_NS <= at_ns or at_ns < first_ns:
                first_ns, last_ns = min(first_ns, at_ns), max(last_ns, at_ns)
                self._change(rule, key, first_ns, last_ns, live=True)
            live[key] = ever[key] = first_ns, last_ns
        for key in gone:
            if key in live:
                first_ns, last_ns = live.pop(key)
                self._change(rule, key, first_ns, max(last_ns, at_ns), live=False)

    def _change(self, rule: str, key: str, first_ns: int, last_ns: int, *, live: bool) -> None:
        name = stream_labels(key)["__name__"]
        fields = {"rule": rule, "key": key, "name": name, "first_ns": first_ns, "last_ns": last_ns, "live": live}
        self._changed[rule, key] = fields

    def write(self) -> None:
        """Make what changed durable."""
        if not self._changed:
            return
        statement = insert(SERIES)
        fresh = statement.excluded
        changes = {
            "first_ns": lesser(SERIES.c.first_ns, fresh.first_ns),
            "last_ns": greater(SERIES.c.last_ns, fresh.last_ns),
            "live": fresh.live,
        }
        rows = list(self._changed.values())
        self._connection.execute(statement.on_conflict_do_update(index_elements=["rule", "key"], set_=changes), rows)


def _row(step: Step, key: str, value: float | None, *, stale: bool) -> dict[str, Any]:
    return {
        "rule": step.rule,
        "name": stream_labels(key)["__name__"],
        "key": key,
        "at_ns": step.evaluation.at_ns - step.offset_ns,
        "version": step.correction,
        "value": None if value is None or math.isnan(value) else value,
        "stale": stale,
    }
