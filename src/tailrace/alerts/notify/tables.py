"""What telling remembers, as tables of the control database.

Alerts, groups, the log and the rows to deliver change together, in one transaction: after a crash a decision to tell
is there with all that follows from it, or it is made again.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, Table

from tailrace.control import METADATA, NUMBER, TEXT

ALERTS: Final = Table(
    "notify_alerts",
    METADATA,
    Column("fingerprint", TEXT, primary_key=True),
    Column("labels", TEXT, nullable=False),  # JSON, external ones among them
    Column("annotations", TEXT, nullable=False),  # JSON
    Column("starts_ns", BigInteger, nullable=False),
    Column("ends_ns", BigInteger, nullable=False),  # 0: it fires until we are told; else it is over from then on
    Column("updated_ns", BigInteger, nullable=False),
    Column("timeout", Boolean, nullable=False),  # `ends_ns` is our guess, since the sender said none
    Column("generator_url", TEXT, nullable=False),
    Column("rule", TEXT, nullable=False),  # the rule that made it; empty: it came from elsewhere
    Column("key", TEXT, nullable=False),  # with `rule` its row in alert_states
    Column("value", Float),  # of the expression; null: not known
    Index("notify_alerts_rule", "rule", "ends_ns"),
)
"""Every alert that fires, or is over and not yet told so; our own and those from elsewhere."""

GROUPS: Final = Table(
    "notify_groups",
    METADATA,
    Column("id", TEXT, primary_key=True),  # the route's key and the labels; and a mark if it renews
    Column("route", TEXT, nullable=False),
    Column("labels", TEXT, nullable=False),  # JSON
    Column("renew_ns", BigInteger, nullable=False),  # of the lines that it is for; 0: those that remember
    Column("next_ns", BigInteger, nullable=False),  # when it is looked at
    Column("set_ns", BigInteger, nullable=False),  # when that was decided: later than now if the clock stepped back
    Column("flushed", Boolean, nullable=False),  # whether it was looked at
    Index("notify_groups_due", "next_ns"),
)
"""The groups that have alerts."""

MEMBERS: Final = Table(
    "notify_members",
    METADATA,
    Column("group", TEXT, primary_key=True),
    Column("fingerprint", TEXT, primary_key=True),
    Column("note", TEXT, nullable=False),  # something to tell of it in any case
    Column("noted_ns", BigInteger, nullable=False),  # to those who were told of this firing; 0: to all
    Index("notify_members_alert", "fingerprint"),
)
"""Which alerts are in which groups; one that is over leaves its group when the group was looked at."""

LOG: Final = Table(
    "notify_log",
    METADATA,
    Column("group", TEXT, primary_key=True),
    Column("line", TEXT, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("firing", TEXT, nullable=False),  # fingerprints, JSON
    Column("resolved", TEXT, nullable=False),
)
"""What each line to a receiver was told last of each group."""

TOLD: Final = Table(
    "notify_told",
    METADATA,
    Column("line", TEXT, primary_key=True),
    Column("fingerprint", TEXT, primary_key=True),
    Column("starts_ns", BigInteger, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
)
"""Which firing each line was told of: a mistake is taken back where it was told."""

DELIVERIES: Final = Table(
    "notify_deliveries",
    METADATA,
    Column("id", NUMBER, primary_key=True),  # rises: the order of telling
    Column("group", TEXT, nullable=False),
    Column("line", TEXT, nullable=False),
    Column("key", TEXT, nullable=False, unique=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("written_ns", BigInteger, nullable=False),
    Column("notification", TEXT, nullable=False),  # JSON
    Column("state", TEXT, nullable=False),  # waiting, sent, parked, dropped
    Column("attempts", Integer, nullable=False),
    Column("next_ns", BigInteger, nullable=False),  # not tried before
    Column("error", TEXT, nullable=False),
    Column("done_ns", BigInteger, nullable=False),
    Column("holder", TEXT, nullable=False),  # who is sending it, up to `held_ns`
    Column("held_ns", BigInteger, nullable=False),
    Index("notify_deliveries_waiting", "state", "line", "group", "id"),
    sqlite_autoincrement=True,  # people retry and drop rows by their numbers: none is used twice
)
"""What is to be sent, was sent, or could not be."""

SILENCES: Final = Table(
    "notify_silences",
    METADATA,
    Column("id", TEXT, primary_key=True),
    Column("matchers", TEXT, nullable=False),  # JSON: lists of name, test, value
    Column("starts_ns", BigInteger, nullable=False),
    Column("ends_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("created_by", TEXT, nullable=False),
    Column("comment", TEXT, nullable=False),
    Index("notify_silences_end", "ends_ns"),
)
"""The silences that people made."""

RECEIVERS: Final = Table(
    "notify_receivers",
    METADATA,
    Column("name", TEXT, primary_key=True),
    Column("definition", TEXT, nullable=False),  # JSON, as it was saved
    Column("saved_ns", BigInteger, nullable=False),
)
"""Receivers that people saved here, beside those of the configuration."""
