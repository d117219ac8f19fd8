"""Keep what rules found in the control database: all of an evaluation, or nothing.

Comes in: `Step`s, one per rule and window. Goes out: progress, alerts, known series, the log of evaluations. A step
that was written before changes nothing, so evaluating again after a crash tells nobody twice. Writing asks for the
lease, in the same transaction: what a server does that has lost it is refused as `LeaseLostError`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, select, tuple_

from tailrace.alerts.kept import past, recorded, rows
from tailrace.alerts.kept.tables import EVALUATIONS, KNOWN, LOOKED, OUTBOX, PLAIN, SCHEDULE, STATES
from tailrace.alerts.model import Seen
from tailrace.control import insert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from tailrace.alerts.model import Alert, Evaluation, Told
    from tailrace.control import Control
    from tailrace.control.lease import Lease

    Alerts = Mapping[str, Alert]

ROWS: Final = 2_000_000
"""Rows of the log of evaluations that are kept in any case: about half a gigabyte."""

_CHUNK: Final = 500  # values in one list of a statement
_CUT: Final = 10_000  # rows that are dropped in one transaction: others wait to write


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rule is."""

    version: str
    evaluated_ns: int
    failures: int = 0  # in a row
    unsure_ns: int = 0  # the first window that failed and was not evaluated since; 0: none
    outcome: str = ""  # of the last window
    error: str = ""
    took_ns: int = 0
    skipped_ns: int = 0  # when windows were skipped last, as they were too old to be made up for; 0: never


@dataclass(frozen=True, slots=True)
class Standings:
    """How all rules stood at one moment, by their ids."""

    progress: Mapping[str, Progress]
    alerts: Mapping[str, Alerts]
    missing: Mapping[str, Sequence[str]]  # sources that the last window lacks, of rules that lack any


@dataclass(frozen=True, slots=True)
class Step:
    """One window of a rule, evaluated."""

    rule: str
    version: str
    evaluation: Evaluation
    alerts: Alerts  # as it left them
    tell: Sequence[Told] = ()
    correction: int = 0
    rows: int = 0
    watermark_ns: int = 0
    late_ns: int = 0
    took_ns: int = 0
    offset_ns: int = 0  # how far before the window's end its samples lie: its group's `query_offset`


@dataclass(slots=True)
class Round:
    """What is written together: steps, and how the rules stand after them."""

    steps: list[Step] = field(default_factory=list)
    skipped: list[tuple[str, str, int, int]] = field(default_factory=list)  # rule, version, first and last window
    rewound: list[tuple[str, int]] = field(default_factory=list)  # rule, and the time behind which nothing counts
    progress: dict[str, Progress] = field(default_factory=dict)
    seen: dict[str, dict[str, Seen]] = field(default_factory=dict)  # of each rule: series to the windows that had it
    before: dict[str, Alerts] = field(default_factory=dict)  # rule to its alerts before the first step
    looked: int | None = None  # the version of `logs` up to which late lines are dealt with


class AlertStore:
    """The alerting tables of one control database."""

    def __init__(self, control: Control, lease: Lease) -> None:
        self._control = control
        self._lease = lease

    def progress(self) -> dict[str, Progress]:
        """Return how far every rule is."""
        with self._control.reading() as connection:
            return _progress(connection)

    def alerts(self) -> dict[str, dict[str, Alert]]:
        """Return the alerts of every rule."""
        with self._control.reading() as connection:
            return _alerts(connection)

    def standings(self) -> Standings:
        """Return how all rules stand, as of one moment."""
        with self._control.reading() as connection:
            return Standings(_progress(connection), _alerts(connection), _missing(connection))

    def known(self) -> dict[str, dict[str, Seen]]:
        """Return the series that every rule has seen."""
        found: dict[str, dict[str, Seen]] = defaultdict(dict)
        with self._control.reading() as connection:
            for row in connection.execute(select(KNOWN)).all():
                found[row.rule][row.key] = Seen(row.first_ns, row.last_ns)
        return dict(found)

    def alerts_before(self, at: Mapping[str, int]) -> dict[str, dict[str, Alert]]:
        """Return the alerts of rules as the last window of each before a time left them."""
        with self._control.reading() as connection:
            return past.alerts_before(connection, at)

    def told(self, rule: str, since_ns: int) -> list[Told]:
        """Return what was told of a rule's windows from a time on."""
        with self._control.reading() as connection:
            return past.told(connection, {rule: since_ns}).get(rule, [])

    def told_of(self, since: Mapping[str, int], now_ns: int) -> dict[str, list[Told]]:
        """Return what this server told of the windows of rules, each from a time on; refused if it lost the lease."""
        with self._control.reading() as connection:
            self._lease.assure(connection, now_ns)  # or another one may have told of windows that are not known here
            return past.told(connection, since)

    def corrections(self, since: Mapping[str, int]) -> dict[str, int]:
        """Return how often windows of rules, each from a time on, were corrected, at most."""
        with self._control.reading() as connection:
            return past.corrections(connection, since)

    def history(self, rule: str, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest evaluations of a rule, newest first, as the log has them."""
        wanted = select(EVALUATIONS).where(EVALUATIONS.c.rule == rule).order_by(EVALUATIONS.c.id.desc()).limit(limit)
        with self._control.reading() as connection:
            return [dict(row) for row in connection.execute(wanted).mappings()]

    def looked(self) -> int | None:
        """Return up to which version of `logs` late lines were dealt with, None at the first start."""
        with self._control.reading() as connection:
            return connection.execute(select(LOOKED.c.version)).scalar()

    # --- writing --------------------------------------------------------------------------------

    def write(self, made: Round, now_ns: int) -> None:
        """Make a round durable, all of it or nothing."""
        with self._control.transaction() as connection:
            self._lease.assure(connection, now_ns)
            for rule, before_ns in made.rewound:
                log = EVALUATIONS.c
                connection.execute(delete(EVALUATIONS).where(log.rule == rule, log.at_ns > before_ns))
            self._log(connection, made)
            self._tell(connection, made, now_ns)
            self._keep(connection, made)
            recorded.keep(connection, made.steps)

    def forget(self, rules: Iterable[str], now_ns: int) -> None:
        """Drop rules that are no more; those who were told of their alerts learn that they are over."""
        gone = list(rules)
        with self._control.transaction() as connection:
            self._lease.assure(connection, now_ns)
            recorded.end(connection, gone, now_ns)
            for start in range(0, len(gone), _CHUNK):
                some = gone[start : start + _CHUNK]
                for table in (STATES, SCHEDULE, KNOWN):
                    connection.execute(delete(table).where(table.c.rule.in_(some)))

    def cut(self, before_ns: int, most: int = ROWS) -> int:
        """Drop what of the log is older than a time or, where it is longer than `most`, its plain rows, oldest first.

        Some at a time: return how many rows went; if any did, there may be more.
        """
        log = EVALUATIONS.c
        with self._control.transaction() as connection:
            first, last = connection.execute(select(func.min(log.id), func.max(log.id))).one()
            oldest = select(log.id).order_by(log.id).limit(_CUT)
            gone = connection.execute(delete(EVALUATIONS).where(log.id.in_(oldest), log.at_ns < before_ns)).rowcount
            if first is not None and last - first >= most:
                plain = select(log.id).where(~log.eventful, log.id <= last - most).order_by(log.id).limit(_CUT)
                gone += connection.execute(delete(EVALUATIONS).where(log.id.in_(plain))).rowcount
            connection.execute(delete(OUTBOX).where(OUTBOX.c.taken, OUTBOX.c.at_ns < before_ns))
            connection.execute(delete(KNOWN).where(KNOWN.c.last_ns < before_ns))
        return int(gone)

    def outbox_age_ns(self, now_ns: int) -> int:
        """Return for how long the oldest row of the outbox waits to be taken; 0 if there is none."""
        oldest = select(func.min(OUTBOX.c.written_ns)).where(~OUTBOX.c.taken)
        with self._control.reading() as connection:
            written_ns = connection.execute(oldest).scalar()
        return 0 if written_ns is None else max(0, now_ns - written_ns)

    def _log(self, connection: Connection, made: Round) -> None:
        log, had = list[dict[str, Any]](), {rule: bool(alerts) for rule, alerts in made.before.items()}
        for step in made.steps:
            plain = step.evaluation.outcome in PLAIN and not step.alerts and not had.get(step.rule)  # or it records
            log.append(rows.evaluation(step, eventful=not plain))
            had[step.rule] = bool(step.alerts)
        log += [rows.skipped(*gap) for gap in made.skipped]
        if log:
            connection.execute(insert(EVALUATIONS).on_conflict_do_nothing(), log)

    def _tell(self, connection: Connection, made: Round, now_ns: int) -> None:
        told = [rows.news(step, told, now_ns) for step in made.steps for told in step.tell]
        if told:
            connection.execute(insert(OUTBOX).on_conflict_do_nothing(), told)

    def _keep(self, connection: Connection, made: Round) -> None:
        last = {step.rule: step.alerts for step in made.steps}
        gone, changed = list[tuple[str, str]](), list[dict[str, Any]]()
        for rule, after in last.items():
            before = made.before.get(rule, {})
            gone += [(rule, key) for key in before.keys() - after.keys()]
            changed += [rows.state(rule, key, alert) for key, alert in after.items() if before.get(key) != alert]
        for start in range(0, len(gone), _CHUNK):
            some = gone[start : start + _CHUNK]
            connection.execute(delete(STATES).where(tuple_(STATES.c.rule, STATES.c.key).in_(some)))
        _upsert(connection, STATES, changed)
        _upsert(
            connection,
            SCHEDULE,
            [{"rule": rule, **asdict(progress)} for rule, progress in made.progress.items()],
        )
        seen = [
            {"rule": rule, "key": key, **asdict(windows)}
            for rule, series in made.seen.items()
            for key, windows in series.items()
        ]
        _upsert(connection, KNOWN, seen)
        if made.looked is not None:
            _upsert(connection, LOOKED, [{"id": 1, "version": made.looked}])


def _progress(connection: Connection) -> dict[str, Progress]:
    return {row.rule: Progress(*row[1:]) for row in connection.execute(select(SCHEDULE)).all()}


def _alerts(connection: Connection) -> dict[str, dict[str, Alert]]:
    found: dict[str, dict[str, Alert]] = defaultdict(dict)
    for row in connection.execute(select(STATES)).all():
        found[row.rule][row.key] = rows.alert(row)
    return dict(found)


def _missing(connection: Connection) -> dict[str, Sequence[str]]:
    now = (EVALUATIONS.c.rule == SCHEDULE.c.rule) & (EVALUATIONS.c.at_ns == SCHEDULE.c.evaluated_ns)
    wanted = select(EVALUATIONS.c.rule, EVALUATIONS.c.missing).join(SCHEDULE, now).where(SCHEDULE.c.outcome == "late")
    found = connection.execute(wanted.add_columns(EVALUATIONS.c.id)).all()  # in SQL an order has it read the whole log
    last = {row.rule: row.missing for row in sorted(found, key=lambda row: row.id)}
    return {rule: sources for rule, text in last.items() if (sources := json.loads(text))}


def _upsert(
    connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]
) -> None:  # a Table, whose stubs are loose
    if not rows:
        return
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    others = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=others), list(rows))
