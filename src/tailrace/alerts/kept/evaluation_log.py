"""Read the log of evaluations: what each window of each rule gave, and what it cost.

Comes in: which rules, outcomes and times are wanted. Goes out: JSON, the entry that was written last first. A window
that late lines had evaluated again has an entry for each time, told apart by `correction`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

from sqlalchemy import select

from tailrace.alerts.kept.tables import EVALUATIONS, PLAIN
from tailrace.alerts.model import Outcome
from tailrace.alerts.shown import exponent_text, time_text
from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Row

    from tailrace.alerts.model import Group
    from tailrace.alerts.shown import Json
    from tailrace.control import Control

OUTCOMES: Final = (*get_args(Outcome), "skipped")
"""What an evaluation may have given; a window that was too old to be made up for is `skipped`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are wanted; an empty filter lets all pass."""

    rules: tuple[str, ...] = ()  # names or ids
    groups: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    start_ns: int | None = None
    end_ns: int | None = None  # not part of it
    limit: int = 100


def evaluations(control: Control, groups: Iterable[Group], wanted: Wanted) -> list[Json]:
    """Return entries, newest written first, with the names that their rules have among `groups`."""
    names = {
        rule.id: {"name": rule.name, "group": group.name, "file": group.namespace}
        for group in groups
        for rule in group.rules
    }
    chosen = select(EVALUATIONS).order_by(EVALUATIONS.c.id.desc()).limit(wanted.limit)
    ids = _rules(names, wanted)
    if ids is not None:
        chosen = chosen.where(EVALUATIONS.c.rule.in_(ids))
    if wanted.outcomes:
        chosen = chosen.where(EVALUATIONS.c.outcome.in_(wanted.outcomes))
        if PLAIN.isdisjoint(wanted.outcomes):
            chosen = chosen.where(EVALUATIONS.c.eventful)  # few are, and an index knows them
    if wanted.start_ns is not None:
        chosen = chosen.where(EVALUATIONS.c.at_ns >= wanted.start_ns)
    if wanted.end_ns is not None:
        chosen = chosen.where(EVALUATIONS.c.at_ns < wanted.end_ns)
    with control.reading() as connection:
        return [_entry(row, names.get(row.rule, {})) for row in connection.execute(chosen).all()]


def _rules(names: Mapping[str, Mapping[str, str]], wanted: Wanted) -> list[str] | None:
    """Return the ids of the wanted rules, None for all; an id may be of a rule that is no more."""
    if not (wanted.rules or wanted.groups or wanted.files):
        return None
    found = [
        rule
        for rule, said in names.items()
        if (not wanted.rules or rule in wanted.rules or said["name"] in wanted.rules)
        and (not wanted.groups or said["group"] in wanted.groups)
        and (not wanted.files or said["file"] in wanted.files)
    ]
    gone = () if wanted.groups or wanted.files else wanted.rules
    return [*found, *(rule for rule in gone if rule not in names)]


def _entry(row: Row[Any], names: Mapping[str, str]) -> Json:  # Any: columns of several types
    return {
        "rule": row.rule,
        "name": names.get("name", ""),  # empty: the rule is no more
        "group": names.get("group", ""),
        "file": names.get("file", ""),
        "version": row.version,
        "time": time_text(row.at_ns),
        "correction": row.correction,
        "outcome": row.outcome,
        "series": row.series,
        "value": None if row.value is None else exponent_text(row.value),
        "rows": row.rows,
        "watermark": time_text(row.watermark_ns) if row.watermark_ns else None,
        "lateness": row.late_ns / NS_PER_S,
        "evaluationTime": row.took_ns / NS_PER_S,
        "error": row.error,
        "missing": json.loads(row.missing),
    }
