"""What alerting remembers, as tables of the control database.

One evaluation changes `states`, `schedule`, `known`, `evaluations` and `outbox` in one transaction: after a crash all
of it is there or nothing, and then it is evaluated again with the same result.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, Table, UniqueConstraint

from tailrace.control import METADATA, NUMBER, TEXT

STATES: Final = Table(
    "alert_states",
    METADATA,
    Column("rule", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),  # the alert's labels as one text, see batch.stream_text
    Column("state", TEXT, nullable=False),
    Column("active_ns", BigInteger, nullable=False),
    Column("fired_ns", BigInteger, nullable=False),
    Column("resolved_ns", BigInteger, nullable=False),
    Column("keep_since_ns", BigInteger, nullable=False),
    Column("value", Float),  # null is NaN, which SQL has not
    Column("annotations", TEXT, nullable=False),  # JSON
    Column("generation", Integer, nullable=False),
)
"""The alerts of each rule as the last evaluation left them."""

SCHEDULE: Final = Table(
    "alert_schedule",
    METADATA,
    Column("rule", TEXT, primary_key=True),
    Column("version", TEXT, nullable=False),  # of the rule: a hash of what it asks for
    Column("evaluated_ns", BigInteger, nullable=False),  # every window up to this one is evaluated or skipped
    Column("failures", Integer, nullable=False),  # in a row
    Column(
        "unsure_ns", BigInteger, nullable=False
    ),  # the first window that failed and was not evaluated since; 0: none
    Column("outcome", TEXT, nullable=False),  # of the last window, model.Outcome or `skipped`; empty before it
    Column("error", TEXT, nullable=False),
    Column("took_ns", BigInteger, nullable=False),
    Column("skipped_ns", BigInteger, nullable=False),  # when windows were too old to be made up for; 0: never
)
"""How far each rule is, and how its last window went."""

KNOWN: Final = Table(
    "alert_known",
    METADATA,
    Column("rule", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),  # labels of the result, without the rule's own
    Column("first_ns", BigInteger, nullable=False),  # the first and the last window that had it
    Column("last_ns", BigInteger, nullable=False),
)
"""The series that a rule has seen: they are zero, not nothing, when they are silent."""

EVALUATIONS: Final = Table(
    "alert_evaluations",
    METADATA,
    Column("id", NUMBER, primary_key=True),
    Column("rule", TEXT, nullable=False),
    Column("version", TEXT, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("correction", Integer, nullable=False),  # 0: the first; counts up when late lines made it be done again
    Column("outcome", TEXT, nullable=False),  # model.Outcome, or `skipped`
    Column("series", Integer, nullable=False),  # that fulfil the condition
    Column("value", Float),  # the greatest of them
    Column("rows", BigInteger, nullable=False),  # read for it
    Column("watermark_ns", BigInteger, nullable=False),
    Column("late_ns", BigInteger, nullable=False),  # behind the time at which it could have been done
    Column("took_ns", BigInteger, nullable=False),
    Column("error", TEXT, nullable=False),
    Column("missing", TEXT, nullable=False),  # sources that were late, JSON
    Column("alerts", TEXT, nullable=False),  # as it left them, JSON; empty when there are none
    Column("eventful", Boolean, nullable=False),  # a long log is cut of the others first
    UniqueConstraint("rule", "version", "at_ns", "correction"),  # nothing is evaluated twice
    Index("alert_evaluations_time", "rule", "at_ns"),
    Index("alert_evaluations_cut", "eventful", "id"),
    sqlite_autoincrement=True,
)
"""The log of evaluations."""

PLAIN: Final = frozenset({"value", "zero", "empty"})
"""Outcomes of which a window is not eventful, unless it has alerts; of all others it is."""

OUTBOX: Final = Table(
    "alert_outbox",
    METADATA,
    Column("id", NUMBER, primary_key=True),  # rises: the order in which it is told
    Column("rule", TEXT, nullable=False),
    Column("key", TEXT, nullable=False),
    Column("generation", BigInteger, nullable=False),  # of the alert and the correction: tells apart what is told again
    Column("kind", TEXT, nullable=False),  # `firing`, `resolved`, `correction`
    Column("at_ns", BigInteger, nullable=False),  # the window
    Column("labels", TEXT, nullable=False),  # JSON
    Column("annotations", TEXT, nullable=False),  # JSON
    Column("value", Float),
    Column("starts_ns", BigInteger, nullable=False),
    Column("ends_ns", BigInteger, nullable=False),  # 0 while it fires
    Column("written_ns", BigInteger, nullable=False),
    Column("taken", Boolean, nullable=False, default=False),  # notify has made it part of its groups
    UniqueConstraint("rule", "key", "generation", "kind", "at_ns"),
    Index("alert_outbox_waiting", "taken", "id"),
    sqlite_autoincrement=True,  # a number is never used twice, even when all rows were dropped
)
"""What is to be told, once each; how it is delivered is `notify`'s business."""

LOOKED: Final = Table(
    "alert_looked",
    METADATA,
    Column("id", Integer, primary_key=True),  # 1
    Column("version", BigInteger, nullable=False),  # of `logs`
)
"""Up to which version of `logs` late lines were looked for."""
