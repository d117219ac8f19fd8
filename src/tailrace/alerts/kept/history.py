"""Tell what a rule has said so far: every signal, newest first, and every end of an alert.

A signal is one window in which an alert's condition was true; the log of evaluations has them all. Where late lines had
a window evaluated again, its newest evaluation counts. Ends come from the outbox, which has each one once.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import select

from tailrace.alerts.kept.tables import EVALUATIONS, OUTBOX
from tailrace.batch import stream_labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from tailrace.control import Control

Kind = Literal["signal", "recovered"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an alert's history: a window in which its condition was true, or the one in which it was over."""

    at_ns: int
    kind: Kind
    labels: Mapping[str, str]
    value: float | None  # nothing is observed of an alert that is over


def entries(control: Control, rule: str, limit: int = 100) -> list[Entry]:
    """Return the newest entries of a rule, newest first."""
    with control.reading() as connection:
        found = [*_signals(connection, rule, limit), *_ends(connection, rule, limit)]
    found.sort(key=lambda entry: (-entry.at_ns, sorted(entry.labels.items())))
    return found[:limit]


def _signals(connection: Connection, rule: str, limit: int) -> Iterator[Entry]:
    """Yield the signals of the newest `limit` windows that have any."""
    again = EVALUATIONS.alias()
    newest = (
        select(again.c.correction)
        .where(again.c.rule == EVALUATIONS.c.rule, again.c.at_ns == EVALUATIONS.c.at_ns)
        .order_by(again.c.correction.desc(), again.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    wanted = (
        select(EVALUATIONS.c.at_ns, EVALUATIONS.c.alerts)
        .where(EVALUATIONS.c.rule == rule, EVALUATIONS.c.series > 0, EVALUATIONS.c.correction == newest)
        .order_by(EVALUATIONS.c.at_ns.desc())
        .limit(limit)
    )
    for row in connection.execute(wanted).all():
        for alert in json.loads(row.alerts or "{}").values():
            if alert["state"] in ("pending", "firing") and not alert["keep_since_ns"]:
                value = alert["value"]
                yield Entry(row.at_ns, "signal", alert["labels"], math.nan if value is None else value)


def _ends(connection: Connection, rule: str, limit: int) -> Iterator[Entry]:
    wanted = (
        select(OUTBOX.c.at_ns, OUTBOX.c.key)
        .where(OUTBOX.c.rule == rule, OUTBOX.c.kind == "resolved")
        .order_by(OUTBOX.c.at_ns.desc(), OUTBOX.c.id.desc())
        .limit(limit)
    )
    for row in connection.execute(wanted).all():
        yield Entry(row.at_ns, "recovered", stream_labels(row.key), None)
